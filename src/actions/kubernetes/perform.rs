//! How each step is done. What it must guarantee is in the documentation of the planner.

use std::collections::BTreeSet;

use super::ControlPlane;
use super::access::ADMINISTRATORS;
use super::leaving::Keys;
use super::notes::Notes;
use crate::actions::notes::Journal as _;
use crate::actions::{former_key, write_record};
use crate::domain::artifacts::{self, Release};
use crate::domain::kubernetes::{Authority, Component, Data, KUBELET_CLIENT, Step, Version};
use crate::domain::name::Name;
use crate::engine::gravest;
use crate::host::HostError;
use crate::host::messages::BindAdministratorsRequest;
use crate::host::messages::service_request::Action;

impl ControlPlane<'_> {
    pub(super) async fn perform_step(&mut self, step: &Step) -> Result<(), HostError> {
        let one = |host: &Name| BTreeSet::from([host.to_string()]);
        match step {
            Step::Claim { hosts } => self.record(hosts, false).await,
            Step::Record { hosts } => self.record(hosts, true).await,
            Step::Discard { hosts } => self.clean(&Self::keys(hosts), Keys::Wiped).await,
            Step::Reset { hosts } => self.clean(&Self::keys(hosts), Keys::Rest).await,
            Step::Recover { hosts } => self.recover(hosts).await,
            Step::KeepBundle { from, hosts } => self.keep_bundle(from.as_ref(), hosts).await,
            Step::ForgetBundle { hosts } => self.forget_bundle(hosts).await,
            Step::Certify { hosts } => self.certify(hosts).await,
            Step::Stage { hosts, version } => self.stage(&Self::keys(hosts), *version).await,
            Step::Prepare { hosts, version } => {
                let keys = Self::keys(hosts);
                self.rehearse(&keys, Component::ALL, *version).await?;
                self.write(&keys, Component::ALL, *version).await
            }
            Step::Begin { hosts } => self.begin(&Self::keys(hosts)).await,
            Step::Join { host } => self.begin(&one(host)).await,
            Step::BindAdmins { on } => self.bind_administrators(on).await,
            Step::Start { hosts, components } => {
                self.run(&Self::keys(hosts), components, Action::Start).await
            }
            Step::Restart { host, component } => {
                self.run(&one(host), &[*component], Action::Restart).await
            }
            Step::Reconfigure { host, components, version } => {
                self.reconfigure(host, components, *version).await
            }
            Step::Confirm { hosts, .. } => self.forget(&Self::keys(hosts)).await,
            Step::PutBack { host, .. } => self.put_back(host).await,
            Step::Retire { host, .. } => {
                self.clean(&BTreeSet::from([former_key(host)]), Keys::Wiped).await
            }
            Step::Rewrite { hosts } => {
                self.write(&Self::keys(hosts), Component::ALL, self.setup.desired.version).await
            }
            Step::Dismantle { hosts, is_purged } => {
                let former = hosts.iter().map(former_key);
                let keys = hosts.iter().map(ToString::to_string).chain(former);
                // What is there and not ours stays as it is.
                let is_ours = |it: &String| self.looks.get(it).is_some_and(super::Look::is_ours);
                let keys = keys.filter(is_ours).collect();
                let becomes = if *is_purged { Keys::Deleted } else { Keys::Aside };
                self.clean(&keys, becomes).await?;
                self.take_leave_of_etcd().await;
                Ok(())
            }
        }
    }

    /// Changes the notes of these hosts.
    pub(super) async fn note(
        &mut self,
        keys: &BTreeSet<String>,
        edit: impl Fn(&str, &mut Notes) + Sync,
    ) -> Result<(), HostError> {
        let (looks, claim) = (&self.looks, &self.setup.own.claim);
        let done = self.fleet.some(keys, async |key, host| {
            let mut notes = looks.get(&key).map(|it| it.notes.clone()).unwrap_or_default();
            edit(&key, &mut notes);
            notes.put(&host, claim).await?;
            Ok(notes)
        });
        for (key, notes) in gravest(done.await)? {
            if let Some(look) = self.looks.get_mut(&key) {
                look.notes = notes;
            }
        }
        Ok(())
    }

    async fn record(&mut self, hosts: &[Name], is_complete: bool) -> Result<(), HostError> {
        let (claim, record) = (&self.setup.own.claim, self.setup.own.record(is_complete));
        let keys = Self::keys(hosts);
        let written =
            self.fleet.some(&keys, async |_, host| write_record(&host, claim, &record).await);
        gravest(written.await).map(drop)
    }

    async fn stage(&mut self, keys: &BTreeSet<String>, version: Version) -> Result<(), HostError> {
        let (looks, programs) = (&self.looks, &self.setup.programs);
        let done = self.fleet.some(keys, async |key, host| {
            let failed = |reason: String| HostError::Failed {
                host: host.name().clone(),
                call: format!("install Kubernetes {version}"),
                reason,
            };
            let architecture = looks.get(&key).and_then(|it| it.architecture);
            let architecture = architecture
                .ok_or_else(|| failed("nothing is released for its architecture".to_owned()))?;
            let parsed: Result<artifacts::Version, _> = version.to_string().parse();
            let parsed = parsed.map_err(|it| failed(it.to_string()))?;
            for component in Component::ALL {
                let program = component.program();
                let release = Release::kubernetes(parsed.clone(), architecture, program);
                programs.install(&host, &release).await?;
            }
            Ok(())
        });
        gravest(done.await).map(drop)
    }

    /// The note comes first: whoever finds it knows that objects may have been written.
    async fn begin(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        if !self.setup.is_known && self.setup.recovery.is_none() && self.data == Data::Absent {
            // Somebody else may have come meanwhile.
            self.data = self.look_for_data().await;
            if self.data == Data::Present {
                return Err(HostError::Failed {
                    host: self.setup.called.clone(),
                    call: "start the first API servers".to_owned(),
                    reason: format!(
                        "objects of another control plane lie below {} by now",
                        self.setup.desired.etcd_prefix
                    ),
                });
            }
        }
        self.note(keys, |_, it| it.is_begun = true).await?;
        // Asked again, it would find what this one has written.
        self.data = Data::Unknown;
        self.run(keys, &[Component::ApiServer], Action::Start).await
    }

    async fn bind_administrators(&mut self, on: &Name) -> Result<(), HostError> {
        let (sites, desired) = (&self.sites, &self.setup.desired);
        let keys = BTreeSet::from([on.to_string()]);
        let bound = self.fleet.some(&keys, async |key, host| {
            let site = &sites[&key];
            host.bind_administrators(BindAdministratorsRequest {
                server: site.socket(desired, Component::ApiServer).to_string(),
                authority: site.authority(Authority::Cluster).into(),
                group: ADMINISTRATORS.to_owned(),
                kubelet_client: KUBELET_CLIENT.to_owned(),
                ..BindAdministratorsRequest::default()
            })
            .await
        });
        gravest(bound.await).map(drop)
    }
}
