//! What identifies an object on hosts.

use crate::model;
use crate::resources::host::HostModel;
use crate::resources::hosts::{plain_address, plain_root};
use crate::tfplugin::value::Value;

model! {
    /// An object on hosts, found by any one of them.
    pub struct HostedIdentity {
        /// Name of the object.
        name: Value<String> = required(),
        /// Where SSH connects to the host. With `transport = "local"`: its address, which is not contacted.
        address: Value<String> = required(),
        /// Port of its SSH server. That of the connection when left out.
        port: Value<u16> = optional(),
        /// Who logs in. The user of the connection when left out.
        user: Value<String> = optional(),
        /// Name in `connections` of the provider. Its `ssh` when left out.
        connection: Value<String> = optional(),
        /// `ssh`, or `local` for a directory of the machine that runs Terraform. `ssh` when left out.
        transport: Value<String> = optional(),
        /// Absolute path that comes before every path of a local host.
        root: Value<String> = optional(),
    }
}

impl HostedIdentity {
    pub(super) fn at(name: &Value<String>, host: &HostModel) -> Self {
        let transport = if host.is_local() == Some(true) { "local".into() } else { Value::Null };
        Self {
            name: name.clone(),
            address: host.address.clone(),
            port: host.port.clone(),
            user: host.user.clone(),
            connection: host.connection.clone(),
            transport,
            root: host.root.clone(),
        }
    }

    /// What identifies the object of this name on these hosts: what is known already, as long as it leads to one of them;
    /// otherwise the first.
    pub fn of<'a>(
        name: &Value<String>,
        hosts: impl IntoIterator<Item = &'a HostModel>,
        known: Option<&Self>,
    ) -> Option<Self> {
        let hosts: Vec<_> = hosts.into_iter().collect();
        let known = known.filter(|it| it.name == *name);
        let same = known.and_then(|it| Some((it, *hosts.iter().find(|host| it.leads_to(host))?)));
        match same {
            Some((known, _)) if known.address.is_known() => Some(known.clone()),
            Some((_, host)) => Some(Self::at(name, host)),
            None => hosts.first().map(|host| Self::at(name, host)),
        }
    }

    /// Whether it is that host as far as the words tell. What one of them leaves out is as the other has it.
    fn leads_to(&self, host: &HostModel) -> bool {
        let is_local = self.transport.known().is_some_and(|it| it == "local");
        if Some(is_local) != host.is_local() {
            return false;
        }
        let same = |one: Option<&String>, other: Option<&String>, plain: fn(&str) -> String| {
            one.zip(other).is_some_and(|(one, other)| plain(one) == plain(other))
        };
        if is_local {
            return same(self.root.known(), host.root.known(), plain_root);
        }
        let ports = self.port.known().zip(host.port.known());
        same(self.address.known(), host.address.known(), plain_address)
            && ports.is_none_or(|(one, other)| one == other)
    }
}
