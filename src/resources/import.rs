//! How an object on hosts is found again: by any one of its hosts, which remembers the whole of it.

mod identity;
mod notation;

pub use self::identity::HostedIdentity;
pub use self::notation::way_in;
use self::notation::{place, place_of};
use super::checks;
use super::host::{HostModel, target};
use super::provider::{Client, Gap};
use crate::actions::{Unrecorded, recorded};
use crate::engine::record::Record;
use crate::host::{HostName, Patience};
use crate::tfplugin::api::ImportKey;
use crate::tfplugin::diagnostics::Diagnostic;
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::Check;
use crate::tfplugin::value::{Datum, Value};

/// The forms of an id.
const FORMS: &str = "It is `<name>@[user@]<address>[:port]` of any one of its hosts, such as `prod@root@192.0.2.1:22`; \
                     an IPv6 address with a port stands in brackets. With a local host it is `<name>@local:<root>`.";

/// Why a text names no object on a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum KeyError {
    #[error("it names no host")]
    NoHost,
    #[error("{0:?} is no name: 1 to 40 lower-case letters, digits and `-`, none at the ends")]
    Name(String),
    #[error("{0:?} must be {1}")]
    Part(String, String),
    #[error("{0:?} is no port from 1 to 65535")]
    Port(String),
    #[error("{0:?} is no transport: it is `ssh` or `local`")]
    Transport(String),
    #[error("a local host has a root, and any other has none")]
    Root,
}

/// What an import means.
#[derive(Clone, Debug, PartialEq)]
pub struct Sought {
    /// Of the cluster that it belongs to, where it does to one.
    cluster: Option<String>,
    name: String,
    host: HostModel,
}

impl Sought {
    /// From what the user has written for an import of the type `of`.
    ///
    /// # Errors
    /// It has another form.
    pub fn new(of: &str, key: ImportKey<HostedIdentity>) -> Result<Self, Diagnostic> {
        match key {
            ImportKey::Id(id) => Self::parse(&id).map_err(|err| {
                let detail = format!("{id:?}: {err}.");
                Diagnostic::error(format!("This is no id of {of}"), detail).hint(FORMS)
            }),
            ImportKey::Identity(identity) => Self::from_identity(identity).map_err(|err| {
                let detail = format!("{err}.");
                Diagnostic::error(format!("This is no identity of {of}"), detail)
            }),
        }
    }

    /// The same of what belongs to a cluster: before its name stand that of the cluster and a `/`.
    ///
    /// # Errors
    /// It has another form.
    pub fn within(of: &str, mut key: ImportKey<HostedIdentity>) -> Result<Self, Diagnostic> {
        let whole = match &mut key {
            ImportKey::Id(id) => Some(id),
            ImportKey::Identity(HostedIdentity { name: Value::Known(name), .. }) => Some(name),
            ImportKey::Identity(_) => None,
        };
        let cluster = whole.and_then(|it| {
            let name = it.split('@').next().unwrap_or_default();
            let cluster = name.split_once('/')?.0.to_owned();
            it.drain(..=cluster.len());
            Some(cluster)
        });
        let Some(cluster) = cluster.filter(|it| is_name(it)) else {
            let detail = "It does not begin with the name of a cluster and a `/`.";
            let hint = "The name is `<cluster>/<name>`, and the id `<cluster>/<name>@[user@]<address>[:port]` of any one of its hosts.";
            return Err(Diagnostic::error(format!("This names no {of}"), detail).hint(hint));
        };
        Ok(Self { cluster: Some(cluster), ..Self::new(of, key)? })
    }

    /// Its own name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// That of the cluster that it belongs to.
    pub fn cluster(&self) -> &str {
        self.cluster.as_deref().unwrap_or_default()
    }

    fn parse(id: &str) -> Result<Self, KeyError> {
        let (name, place) = id.split_once('@').ok_or(KeyError::NoHost)?;
        Self { cluster: None, name: name.to_owned(), host: place_of(place)? }.checked()
    }

    fn from_identity(identity: HostedIdentity) -> Result<Self, KeyError> {
        let HostedIdentity { name, address, port, user, connection, transport, root } = identity;
        let host_key = Value::Null;
        let transport = if transport.is_null() { "ssh".into() } else { transport };
        let host = HostModel { address, port, user, connection, host_key, transport, root };
        Self { cluster: None, name: name.into_known().unwrap_or_default(), host }.checked()
    }

    fn checked(self) -> Result<Self, KeyError> {
        if !is_name(&self.name) {
            return Err(KeyError::Name(self.name));
        }
        let HostModel { address, user, root, transport, .. } = &self.host;
        let part = |value: &Value<String>, check: &Check| match value.known() {
            Some(it) if !check.accepts(&Datum::from(it.as_str())) => {
                Err(KeyError::Part(it.clone(), check.wanted().to_owned()))
            }
            _ => Ok(()),
        };
        part(user, &checks::user())?;
        part(root, &checks::root())?;
        let is_local = match transport.known().map(String::as_str) {
            Some("local") => true,
            Some("ssh") => false,
            other => return Err(KeyError::Transport(other.unwrap_or_default().to_owned())),
        };
        if is_local != root.is_known() {
            return Err(KeyError::Root);
        }
        if self.host.port == Value::Known(0) {
            return Err(KeyError::Port("0".to_owned()));
        }
        if !is_local {
            part(address, &checks::address())?;
        }
        Ok(self)
    }

    /// What the identity of the object is, as long as this host is one of its own.
    pub fn identity(&self) -> HostedIdentity {
        let name = match &self.cluster {
            Some(cluster) => format!("{cluster}/{}", self.name),
            None => self.name.clone(),
        };
        HostedIdentity::at(&name.into(), &self.host)
    }

    /// What the host remembers of the object that records call `name`, and its type `kind`.
    ///
    /// # Errors
    /// It cannot be reached, or has no record of a whole object that this provider can read.
    pub async fn record(
        &self,
        kind: &str,
        name: &str,
        client: &Client,
    ) -> Result<Record, Diagnostic> {
        let shown = self.shown();
        // A zone in an address has no place in the name of a host.
        let is_name = |it: &&str| it.parse::<HostName>().is_ok();
        let address = self.host.address.known().map(String::as_str).filter(is_name);
        let called = address.unwrap_or(&self.name);
        let way = target(&self.host, called, &Path::default(), client, None);
        let way = way.map_err(Gap::into_error)?;
        let found = match client.hosts.connect(&way, Patience::Once).await {
            Ok(host) => recorded(&host, kind, name).await,
            Err(error) => Err(Unrecorded::Unasked(error)),
        };
        found.map_err(|err| {
            let of = format!("the {kind} {name:?}");
            let (summary, hint) = match &err {
                Unrecorded::Unasked(_) => (
                    format!("The host of {of} does not answer"),
                    "Name another of its hosts, or mend what is said above.",
                ),
                Unrecorded::Absent(_) => (
                    format!("The host does not know {of}"),
                    "Check the name and the host; what does not exist yet is created by an apply.",
                ),
                Unrecorded::Unreadable(_) => (
                    format!("The record of {of} cannot be read"),
                    "Use the provider that wrote it or a later one, or name another of its hosts.",
                ),
                Unrecorded::Unfinished(_) => (
                    format!("The creation of {of} has not come to its end"),
                    "Do not import it: an apply with this name and these hosts goes on from there.",
                ),
            };
            Diagnostic::error(summary, format!("{shown}: {}.", crate::engine::chain(&err)))
                .hint(hint)
        })
    }

    /// The host for people.
    fn shown(&self) -> String {
        place(&self.host)
    }
}

/// Whether an object may be called so.
fn is_name(name: &str) -> bool {
    let is_fine = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    let ends = name.starts_with('-') || name.ends_with('-');
    (1..=40).contains(&name.len()) && !ends && name.bytes().all(is_fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(user: &str, address: &str, port: Option<u16>) -> HostModel {
        let user = if user.is_empty() { Value::Null } else { user.into() };
        let (address, transport) = (address.into(), "ssh".into());
        HostModel { address, port: port.into(), user, transport, ..HostModel::default() }
    }

    fn local(root: &str) -> HostModel {
        let (transport, root) = ("local".into(), root.into());
        HostModel { transport, root, ..HostModel::default() }
    }

    #[test]
    fn an_id_leads_to_one_host() {
        let check = |id: &str, name: &str, host: HostModel| {
            let sought = Sought::parse(id).unwrap_or_else(|err| panic!("{id}: {err}"));
            assert_eq!(sought, Sought { cluster: None, name: name.to_owned(), host }, "{id}");
        };
        check("prod@192.0.2.1", "prod", ssh("", "192.0.2.1", None));
        check(
            "a-1@ops@node-1.example.com:2222",
            "a-1",
            ssh("ops", "node-1.example.com", Some(2222)),
        );
        check("prod@ops@corp.example@h:22", "prod", ssh("ops@corp.example", "h", Some(22)));
        check("prod@CORP\\ops@h", "prod", ssh("CORP\\ops", "h", None));
        check("prod@2001:db8::1", "prod", ssh("", "2001:db8::1", None));
        check("prod@root@[2001:db8::1]:22", "prod", ssh("root", "2001:db8::1", Some(22)));
        check("prod@[2001:db8::1]", "prod", ssh("", "2001:db8::1", None));
        // Without brackets the last group is one of the address.
        check("prod@2001:db8::1:22", "prod", ssh("", "2001:db8::1:22", None));
        check("prod@fe80::1%eth0", "prod", ssh("", "fe80::1%eth0", None));
        check("prod@[fe80::1%eth0]:2200", "prod", ssh("", "fe80::1%eth0", Some(2200)));
        check("prod@local:/srv/a@b c:1", "prod", local("/srv/a@b c:1"));
        // A host may be called so.
        check("prod@local", "prod", ssh("", "local", None));
        check("prod@local:22", "prod", ssh("", "local", Some(22)));
        check("prod@root@local:22", "prod", ssh("root", "local", Some(22)));
    }

    #[test]
    fn what_is_no_id_is_refused_with_its_part() {
        let check = |id: &str, said: &str| {
            let err = Sought::parse(id).expect_err(id).to_string();
            assert!(err.starts_with(said), "{id}: {err}");
        };
        check("", "it names no host");
        check("prod", "it names no host");
        check("prod@", "it names no host");
        check("prod@root@", "it names no host");
        check("prod@:22", "it names no host");
        check("@192.0.2.1", "\"\" is no name");
        check("Prod@192.0.2.1", "\"Prod\" is no name");
        check("-a@192.0.2.1", "\"-a\" is no name");
        check("prod@@192.0.2.1", "\"\" must be one word");
        check("prod@a b@192.0.2.1", "\"a b\" must be one word");
        check("prod@-oProxyCommand=x", "\"-oProxyCommand=x\" must be a name or an IP address");
        check("prod@h:", "\"\" is no port");
        check("prod@h:0", "\"0\" is no port");
        check("prod@h:+1", "\"+1\" is no port");
        check("prod@h:65536", "\"65536\" is no port");
        check("prod@h:ssh", "\"ssh\" is no port");
        check("prod@h:1:2", "\"h:1:2\" must be a name or an IP address");
        check("prod@[::1", "\"[::1\" must be a name or an IP address");
        check("prod@[::1]22", "\"[::1]22\" must be a name or an IP address");
        check("prod@local:", "\"\" must be an absolute path");
        check("prod@local:srv", "\"srv\" must be an absolute path");
        check("prod@local:/", "\"/\" must be an absolute path");
        check("prod@local:/a/../b", "\"/a/../b\" must be an absolute path");
    }

    #[test]
    fn what_belongs_to_a_cluster_is_found_by_both_names() {
        let within = |key| Sought::within("ha_x", key);
        let found = within(ImportKey::Id("prod/nightly@root@192.0.2.1:22".to_owned())).unwrap();
        assert_eq!((found.cluster(), found.name()), ("prod", "nightly"));
        assert_eq!(found.shown(), "root@192.0.2.1:22");
        let again = within(ImportKey::Identity(found.identity())).unwrap();
        assert_eq!(again, found);
        let local = within(ImportKey::Id("prod/nightly@local:/srv/a".to_owned())).unwrap();
        assert_eq!(local.shown(), "local:/srv/a");
        for id in ["nightly@local:/srv/a", "/nightly@192.0.2.1", "Prod/nightly@192.0.2.1"] {
            let said = within(ImportKey::Id(id.to_owned())).unwrap_err();
            assert_eq!(said.summary(), "This names no ha_x", "{id}");
        }
    }

    #[test]
    fn an_identity_leads_to_the_same_hosts() {
        let check = |identity: HostedIdentity, said: &str| {
            let found = match Sought::from_identity(identity) {
                Ok(found) => found.shown(),
                Err(err) => err.to_string(),
            };
            assert!(found.starts_with(said), "{found}");
        };
        let one = |address: &str| HostedIdentity {
            name: "prod".into(),
            address: address.into(),
            ..HostedIdentity::default()
        };
        check(one("192.0.2.1"), "192.0.2.1");
        check(HostedIdentity { port: 22.into(), ..one("2001:db8::1") }, "[2001:db8::1]:22");
        let root: Value<String> = "/srv/a".into();
        let local =
            HostedIdentity { transport: "local".into(), root: root.clone(), ..one("127.0.0.2") };
        check(local.clone(), "local:/srv/a");
        check(HostedIdentity { root: Value::Null, ..local }, "a local host has a root");
        check(HostedIdentity { root, ..one("192.0.2.1") }, "a local host has a root");
        check(
            HostedIdentity { transport: "x".into(), ..one("192.0.2.1") },
            "\"x\" is no transport",
        );
        check(HostedIdentity { port: 0.into(), ..one("192.0.2.1") }, "\"0\" is no port");
        check(one("a b"), "\"a b\" must be");
    }

    #[test]
    fn an_identity_stays_until_its_host_leaves() {
        let name: Value<String> = "prod".into();
        let check = |known: Option<&HostModel>, hosts: &[HostModel], expected: &str| {
            let known = known.map(|it| HostedIdentity::at(&name, it));
            let found = HostedIdentity::of(&name, hosts, known.as_ref()).unwrap();
            let shown = Sought::from_identity(found).unwrap().shown();
            assert_eq!(shown, expected);
        };
        let (a, b) = (ssh("root", "192.0.2.1", Some(22)), ssh("", "b.example.com", None));
        check(None, &[a.clone(), b.clone()], "root@192.0.2.1:22");
        check(Some(&b), &[a.clone(), b.clone()], "b.example.com");
        check(Some(&b), std::slice::from_ref(&a), "root@192.0.2.1:22");
        // As it was written, though it is the same in other words.
        let other = ssh("ops", "B.example.com.", Some(2222));
        check(Some(&other), &[a.clone(), b], "ops@B.example.com.:2222");
        check(Some(&ssh("", "192.0.2.1", Some(1))), &[other.clone(), a], "ops@B.example.com.:2222");
        // The id of a local host has no address: the record has it.
        let recorded = HostModel { address: "127.0.0.2".into(), ..local("/srv/a") };
        let known = HostedIdentity::at(&name, &local("/srv/a/"));
        let found = HostedIdentity::of(&name, [&other, &recorded], Some(&known)).unwrap();
        assert_eq!((found.address, found.root), ("127.0.0.2".into(), "/srv/a".into()));
        assert!(HostedIdentity::of(&name, [], Some(&known)).is_none());
    }

    #[test]
    fn the_way_in_is_one_that_is_understood() {
        let check = |host: HostModel, expected: &str| {
            let way = way_in("ha_etcd_cluster", "prod", &host);
            assert!(way.contains(expected), "{way}");
            if host.connection.is_null() {
                let id = format!("prod@{}", place(&host));
                assert_eq!(Sought::parse(&id).unwrap().host, host);
            }
        };
        check(ssh("", "192.0.2.1", None), "`terraform import ha_etcd_cluster.NAME prod@192.0.2.1`");
        check(ssh("root", "::1", Some(22)), " 'prod@root@[::1]:22'`");
        check(local("/srv/it's"), r" 'prod@local:/srv/it'\''s'`");
        let edge = HostModel { connection: "edge".into(), ..ssh("", "h", None) };
        check(edge, "address = \"h\", connection = \"edge\"");
    }
}
