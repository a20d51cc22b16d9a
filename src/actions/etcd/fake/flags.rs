//! What a member is started with, read from its unit as etcd reads its command line and environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::domain::etcd::{Name, PeerUrl, Version};
use crate::domain::service;

/// The settings of one process.
#[derive(Clone, Debug)]
pub(super) struct Flags {
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) data_dir: String,
    pub(super) wal_dir: Option<String>,
    /// Where it listens for members, and what it tells them.
    pub(super) peer_url: String,
    pub(super) client: SocketAddr,
    pub(super) metrics: SocketAddr,
    pub(super) authority: String,
    pub(super) certificate: String,
    pub(super) key: String,
    peer_files: [String; 2],
    pub(super) token: String,
    pub(super) is_new: bool,
    /// The members that it is told of.
    pub(super) initial: BTreeMap<Name, PeerUrl>,
}

impl Flags {
    /// From the unit of this name.
    ///
    /// # Errors
    /// What etcd would say before it ends.
    pub(super) fn read(unit: &str, text: &[u8]) -> Result<Self, String> {
        let name = unit.trim_end_matches(".service");
        let text = std::str::from_utf8(text).map_err(|it| it.to_string())?;
        let service = service::parse(name, text).map_err(|it| it.to_string())?;
        let flag = |name: &str| {
            let prefix = format!("--{name}=");
            let value = service.arguments.iter().find_map(|it| it.strip_prefix(&prefix));
            value.map(str::to_owned)
        };
        let given = |name: &str| flag(name).ok_or_else(|| format!("--{name} is not given"));
        let socket = |name: &str| {
            let url = given(name)?;
            let at = url.split_once("://").and_then(|(_, at)| at.parse().ok());
            at.ok_or_else(|| format!("--{name}={url} is no URL"))
        };
        let variable = |name: &str| service.environment.get(name).cloned().unwrap_or_default();
        let version = service.program.rsplit('/').nth(1).and_then(|it| it.parse().ok());
        let initial = variable("ETCD_INITIAL_CLUSTER");
        if given("listen-peer-urls")? != given("initial-advertise-peer-urls")? {
            return Err("it listens where nobody looks for it".to_owned());
        }
        Ok(Self {
            name: given("name")?,
            version: version.ok_or_else(|| format!("{} is no etcd", service.program))?,
            data_dir: given("data-dir")?,
            wal_dir: flag("wal-dir"),
            peer_url: given("listen-peer-urls")?,
            client: socket("listen-client-urls")?,
            metrics: socket("listen-metrics-urls")?,
            authority: given("trusted-ca-file")?,
            certificate: given("cert-file")?,
            key: given("key-file")?,
            peer_files: [given("peer-cert-file")?, given("peer-key-file")?],
            token: variable("ETCD_INITIAL_CLUSTER_TOKEN"),
            is_new: variable("ETCD_INITIAL_CLUSTER_STATE") == "new",
            initial: members(&initial),
        })
    }

    /// Everything that must lie there.
    pub(super) fn files(&self) -> impl Iterator<Item = &String> {
        let own = [&self.data_dir, &self.authority, &self.certificate, &self.key];
        own.into_iter().chain(&self.wal_dir).chain(&self.peer_files)
    }

    /// What tells whose data lies there.
    pub(super) fn data(&self) -> String {
        format!("{}/member/id", self.data_dir)
    }

    /// What a snapshot was restored for, before the first start.
    pub(super) fn restored(&self) -> String {
        format!("{}/member/restored", self.data_dir)
    }

    /// Marks what waits to take the place of its data.
    pub(super) fn prepared(&self) -> String {
        format!("{}.restore/member/ha-restored", self.data_dir)
    }

    /// The list that it is told of has it under this name and URL.
    pub(super) fn lists_itself(&self) -> bool {
        self.initial
            .iter()
            .any(|(name, url)| name.as_str() == self.name && url.as_str() == self.peer_url)
    }
}

/// As etcd has them: `a=https://192.0.2.1:2380,…`.
pub(super) fn members(text: &str) -> BTreeMap<Name, PeerUrl> {
    let member = |it: &str| {
        let (name, url) = it.split_once('=')?;
        Some((name.parse().ok()?, PeerUrl::listed(url)))
    };
    text.split(',').filter_map(member).collect()
}
