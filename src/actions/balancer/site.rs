//! Where things lie on a node, and what they are to say.

use crate::domain::balancer::{
    Desired, Files, Interface, Network, Place, Protocol, Proxy, keepalived, proxy, proxy_service,
    proxy_unit, vrrp,
};
use crate::domain::name::{ClusterName, Name, TextFault};
use crate::domain::service::{self, Definition, Service};
use crate::host::messages::Address;
use crate::host::{File, HostName};

/// A host of the balancer.
#[derive(Clone, Debug)]
pub struct Site {
    /// The key of its node.
    pub key: Name,
    /// How errors call it.
    pub host: HostName,
    /// Where its node is to be.
    pub place: Place,
    name: ClusterName,
    /// As programs find them.
    told: Files,
    /// As the agent finds them.
    files: Files,
}

/// What a node is to have.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) proxy: Proxy,
    /// Whom checks believe.
    pub(super) authority: Option<File>,
    /// The file of HAProxy.
    pub(super) config: File,
    /// That of keepalived.
    pub(super) vrrp: Option<File>,
    /// The units.
    pub(super) units: Vec<File>,
    /// Where the virtual IP is to be.
    pub(super) interface: Option<Interface>,
}

impl Wanted {
    pub(super) fn files(&self) -> impl Iterator<Item = &File> {
        let some = self.authority.iter().chain([&self.config]).chain(&self.vrrp);
        some.chain(&self.units)
    }
}

impl Site {
    /// The host of the node `key`.
    ///
    /// # Errors
    /// A path below `root` is none that a file could hold.
    pub fn new(
        desired: &Desired,
        key: Name,
        host: HostName,
        place: Place,
        root: &str,
    ) -> Result<Self, TextFault> {
        let (name, is_local) = (desired.name.clone(), place.is_local);
        let files = Files::new(&name, "", is_local)?;
        let told = Files::new(&name, root, is_local)?;
        Ok(Self { key, host, place, name, told, files })
    }

    pub(super) fn told(&self) -> &Files {
        &self.told
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    pub(super) fn proxy_unit(&self) -> String {
        format!("{}.service", proxy_unit(&self.name))
    }

    pub(super) fn keepalived_unit(&self) -> String {
        format!("keepalived-{}.service", self.name)
    }

    pub(super) fn unit_paths(&self) -> [String; 2] {
        [self.proxy_unit(), self.keepalived_unit()].map(|it| format!("/etc/systemd/system/{it}"))
    }

    /// Where the virtual IP is to be: as it is written, otherwise the interface that has the address of the node and
    /// the network of the virtual IP. None: there is no such interface.
    pub(super) fn interface(&self, desired: &Desired, addresses: &[Address]) -> Option<Interface> {
        let virtual_ip = desired.virtual_ip.as_ref()?;
        let named = self.place.interface.as_ref().or(virtual_ip.interface.as_ref());
        if let Some(named) = named {
            let is_there = addresses.iter().any(|it| it.interface == named.as_str());
            return is_there.then(|| named.clone());
        }
        let at = virtual_ip.address.address();
        let fits = |it: &&Address| {
            let own = it.address.parse().ok()?;
            let network = Network::new(own, u8::try_from(it.prefix).ok()?)?;
            (own == self.place.address && network.has(at)).then_some(())
        };
        addresses.iter().find(|it| fits(it).is_some())?.interface.parse().ok()
    }

    /// Without an interface for the virtual IP there is nothing that moves it. None: no unit can hold what is wished.
    pub(super) fn wanted(&self, desired: &Desired, addresses: &[Address]) -> Option<Wanted> {
        let file = |path: String, content: String| File {
            path,
            content: content.into_bytes(),
            mode: 0o644,
            ..File::default()
        };
        let unit = |service: Service| {
            let definition = Definition::new(service).ok()?;
            let path = format!("/etc/systemd/system/{}", definition.unit());
            Some(file(path, service::render(&definition)))
        };
        let proxy = proxy(desired, &self.place, &self.told);
        let authority = match &desired.check.protocol {
            Protocol::Https { authority, .. } => {
                Some(file(self.files.authority(authority), authority.pem().to_owned()))
            }
            Protocol::Tcp => None,
        };
        let mut units = vec![unit(proxy_service(desired, &self.told))?];
        let mut moves = None;
        // A host that is to leave has none.
        let interface = self.interface(desired, addresses);
        if let Some(interface) = &interface
            && let Some(text) = vrrp(desired, &self.key, interface, &self.told)
        {
            moves = Some(file(self.files.vrrp(), text));
            units.push(unit(keepalived(desired, interface, &self.told)?)?);
        }
        let config = file(self.files.proxy(), proxy.text.clone());
        Some(Wanted { proxy, authority, config, vrrp: moves, units, interface })
    }
}
