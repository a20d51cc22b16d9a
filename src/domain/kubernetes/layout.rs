//! Where a node keeps what its components read and write. Names of files are those of upstream (kubeadm).

use super::arguments::Component;
use super::version::Version;
use crate::domain::name::{ClusterName, Folder, TextFault};

/// The folders of a control plane on a host. On a local host each has its `root` in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    name: ClusterName,
    root: String,
    config: Folder,
    log: Folder,
}

/// Where releases lie side by side.
const PROGRAMS: &str = "/usr/local/lib/ha/kubernetes/";

/// The leaves whose keys belong to the user of the API server; those of the others are named after their components.
pub const API_SERVER_LEAVES: [&str; 4] =
    ["apiserver", "apiserver-kubelet-client", "front-proxy-client", "apiserver-etcd-client"];

impl Layout {
    /// On a host whose paths begin with `root`, which is empty for the whole machine.
    ///
    /// # Errors
    /// A path below `root` is none that a unit could hold.
    pub fn new(name: &ClusterName, root: &str) -> Result<Self, TextFault> {
        Ok(Self {
            name: name.clone(),
            root: root.to_owned(),
            config: format!("{root}/etc/kubernetes-{name}").parse()?,
            log: format!("{root}/var/log/kubernetes-{name}").parse()?,
        })
    }

    /// `kube-apiserver-prod`: of the unit, without its type.
    pub fn service(&self, component: Component) -> String {
        format!("{}-{}", component.program(), self.name)
    }

    /// Where the program of this version lies.
    pub fn program(&self, component: Component, version: Version) -> String {
        format!("{}{PROGRAMS}{version}/{component}", self.root)
    }

    /// The version whose program this is. None: it is another program.
    pub fn version(&self, component: Component, program: &str) -> Option<Version> {
        let rest = program.strip_prefix(&self.root)?.strip_prefix(PROGRAMS)?;
        let version: Version = rest.split('/').next()?.parse().ok()?;
        (self.program(component, version) == program).then_some(version)
    }

    /// A file that components read.
    pub fn config(&self, file: &str) -> String {
        format!("{}/{file}", self.config)
    }

    /// A certificate or a key: `apiserver.crt`.
    pub fn pki(&self, file: &str) -> String {
        format!("{}/pki/{file}", self.config)
    }

    /// The folder that the API server logs requests into.
    pub fn log(&self) -> &Folder {
        &self.log
    }

    /// The credentials of a component, and how it finds the API server of its own node.
    pub fn kubeconfig(&self, component: Component) -> String {
        let name = match component {
            Component::ApiServer => "apiserver",
            Component::ControllerManager => "controller-manager",
            Component::Scheduler => "scheduler",
        };
        self.config(&format!("{name}.conf"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_host_has_its_root_before_each_path() {
        let name = "prod".parse().unwrap();
        let check = |root: &str, expected: [&str; 4]| {
            let layout = Layout::new(&name, root).unwrap();
            let version = Version::new(34, 4);
            let found = [
                layout.pki("apiserver.crt"),
                layout.kubeconfig(Component::Scheduler),
                layout.log().to_string(),
                layout.program(Component::ApiServer, version),
            ];
            assert_eq!(found, expected);
        };
        check(
            "",
            [
                "/etc/kubernetes-prod/pki/apiserver.crt",
                "/etc/kubernetes-prod/scheduler.conf",
                "/var/log/kubernetes-prod",
                "/usr/local/lib/ha/kubernetes/1.34.4/kube-apiserver",
            ],
        );
        check(
            "/tmp/a",
            [
                "/tmp/a/etc/kubernetes-prod/pki/apiserver.crt",
                "/tmp/a/etc/kubernetes-prod/scheduler.conf",
                "/tmp/a/var/log/kubernetes-prod",
                "/tmp/a/usr/local/lib/ha/kubernetes/1.34.4/kube-apiserver",
            ],
        );
        Layout::new(&name, "/a b").unwrap_err();
    }
}
