//! The files that components read beside certificates.

use std::fmt;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::arguments::Component;
use super::desired::Desired;
use super::flags::{EVENT_RATE_LIMIT, plugins};
use super::layout::Layout;
use crate::domain::artifacts::Digest;
use crate::domain::host::Place;

/// A file and who reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// As the component is told it.
    pub path: String,
    /// Whole.
    pub content: String,
    /// Nobody else may read it.
    pub is_secret: bool,
}

/// The key that Secrets are encrypted with in etcd: the same on all nodes, made once.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey(String);

impl EncryptionKey {
    /// 32 bytes in base64. None: it is something else.
    pub fn new(base64: &str) -> Option<Self> {
        let signs = base64.strip_suffix('=')?;
        let is_fine = |it: u8| it.is_ascii_alphanumeric() || it == b'+' || it == b'/';
        (signs.len() == 43 && signs.bytes().all(is_fine)).then(|| Self(base64.to_owned()))
    }

    /// 32 bytes in base64.
    pub fn base64(&self) -> &str {
        &self.0
    }

    /// Tells keys from each other, and nothing of them: half a digest, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(format!("fingerprint of {}", self.0));
        let mut text = Digest::new(digest.into()).to_string();
        text.truncate(32);
        text
    }

    /// What a file that [`files`] made holds. None: nobody of us made it.
    pub fn of_file(content: &str) -> Option<Self> {
        let line = content.lines().find_map(|it| it.trim().strip_prefix("secret: "))?;
        Self::new(line).filter(|it| encryption(it) == content)
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(…)")
    }
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = if self.is_secret { "…" } else { &self.content };
        f.debug_struct("ConfigFile").field("path", &self.path).field("content", &content).finish()
    }
}

/// What a component reads when it starts. Without a `key` the file that holds it is left out.
pub fn files(
    desired: &Desired,
    component: Component,
    place: Place,
    at: &Layout,
    key: Option<&EncryptionKey>,
) -> Vec<ConfigFile> {
    let file = |path: String, content: String| ConfigFile { path, content, is_secret: false };
    if component != Component::ApiServer {
        return vec![file(at.kubeconfig(component), kubeconfig(desired, component, place, at))];
    }
    let mut found = Vec::new();
    if !desired.anonymous_paths.is_empty() {
        found.push(file(at.config("authentication.yaml"), authentication(desired)));
    }
    if plugins(desired).contains(&EVENT_RATE_LIMIT) {
        found.push(file(at.config("admission.yaml"), ADMISSION.to_owned()));
    }
    if let Some(audit) = &desired.audit {
        let policy = audit.policy.as_ref().map_or(AUDIT_POLICY, |it| it.as_str());
        found.push(file(at.config("audit-policy.yaml"), policy.to_owned()));
    }
    if desired.needs_key(component)
        && let Some(key) = key
    {
        let (path, content) = (at.config("encryption.yaml"), encryption(key));
        found.push(ConfigFile { path, content, is_secret: true });
    }
    found
}

/// Whoever asks for these paths needs no credentials: balancers and whoever looks after them.
fn authentication(desired: &Desired) -> String {
    let mut text = "\
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions:
"
    .to_owned();
    for path in &desired.anonymous_paths {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  - path: {path}");
    }
    text
}

/// Events are the one thing that everybody may write without end. The limits are those of RKE, per server.
const ADMISSION: &str = "\
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: EventRateLimit
  configuration:
    apiVersion: eventratelimit.admission.k8s.io/v1alpha1
    kind: Configuration
    limits:
    - type: Server
      qps: 5000
      burst: 20000
";

/// Who did what to which object, without what was in it: a body may hold a Secret.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages:
- RequestReceived
rules:
- level: None
  nonResourceURLs:
  - /healthz
  - /livez
  - /readyz
- level: Metadata
";

/// The key is first, so new Secrets are written with it; what was written before is still read.
fn encryption(key: &EncryptionKey) -> String {
    format!(
        "\
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources:
  - secrets
  providers:
  - secretbox:
      keys:
      - name: k1
        secret: {}
  - identity: {{}}
",
        key.0
    )
}

/// The API server of the same node, never a balancer. Certificates are named, not held: they are read anew when they
/// change.
fn kubeconfig(desired: &Desired, component: Component, place: Place, at: &Layout) -> String {
    let (leaf, user) = match component {
        Component::Scheduler => ("scheduler", "system:kube-scheduler"),
        _ => ("controller-manager", "system:kube-controller-manager"),
    };
    let (name, server) = (&desired.name, desired.socket(place));
    let pki = |file: &str| at.pki(file);
    format!(
        "\
apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    certificate-authority: {}
    server: https://{server}
contexts:
- name: {user}@{name}
  context:
    cluster: {name}
    user: {user}
current-context: {user}@{name}
users:
- name: {user}
  user:
    client-certificate: {}
    client-key: {}
",
        pki("ca.crt"),
        pki(&format!("{leaf}.crt")),
        pki(&format!("{leaf}.key")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kubernetes::notation::wish;
    use crate::domain::kubernetes::{Encryption, Wish};

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    fn rendered(component: Component, edit: impl Fn(&mut Wish)) -> Vec<ConfigFile> {
        let mut wish = wish("a b", "1.34");
        edit(&mut wish);
        let desired = Desired::new(wish).unwrap();
        let layout = Layout::new(&desired.name, "").unwrap();
        let place = desired.nodes[&"a".parse().unwrap()];
        files(&desired, component, place, &layout, EncryptionKey::new(KEY).as_ref())
    }

    #[test]
    fn the_api_server_reads_these_files() {
        let found = rendered(Component::ApiServer, |_| ());
        let names: Vec<_> =
            found.iter().map(|it| it.path.trim_start_matches("/etc/kubernetes-prod/")).collect();
        let expected =
            ["authentication.yaml", "admission.yaml", "audit-policy.yaml", "encryption.yaml"];
        assert_eq!(names, expected);
        let authentication = "\
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions:
  - path: /healthz
  - path: /livez
  - path: /readyz
";
        assert_eq!(found[0].content, authentication);
        assert_eq!(
            (found[1].content.as_str(), found[2].content.as_str()),
            (ADMISSION, AUDIT_POLICY)
        );
        let encryption = "\
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources:
  - secrets
  providers:
  - secretbox:
      keys:
      - name: k1
        secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
  - identity: {}
";
        assert_eq!(found[3].content, encryption);
        let secret: Vec<_> = found.iter().map(|it| it.is_secret).collect();
        assert_eq!(secret, [false, false, false, true]);
    }

    #[test]
    fn what_is_switched_off_has_no_file() {
        let found = rendered(Component::ApiServer, |it| {
            it.audit = None;
            it.encryption = Encryption::None;
            it.anonymous_paths.clear();
            it.admission.disabled.insert("EventRateLimit".parse().unwrap());
        });
        assert_eq!(found, []);
    }

    #[test]
    fn a_policy_of_the_user_takes_the_place_of_ours() {
        let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Request}]\n";
        let found = rendered(Component::ApiServer, |it| {
            it.audit.as_mut().unwrap().policy = Some(policy.parse().unwrap());
        });
        assert_eq!(found[2].content, policy);
    }

    #[test]
    fn a_controller_manager_asks_the_api_server_of_its_node() {
        let found = rendered(Component::ControllerManager, |_| ());
        let expected = "\
apiVersion: v1
kind: Config
clusters:
- name: prod
  cluster:
    certificate-authority: /etc/kubernetes-prod/pki/ca.crt
    server: https://192.0.2.1:6443
contexts:
- name: system:kube-controller-manager@prod
  context:
    cluster: prod
    user: system:kube-controller-manager
current-context: system:kube-controller-manager@prod
users:
- name: system:kube-controller-manager
  user:
    client-certificate: /etc/kubernetes-prod/pki/controller-manager.crt
    client-key: /etc/kubernetes-prod/pki/controller-manager.key
";
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "/etc/kubernetes-prod/controller-manager.conf");
        assert_eq!(found[0].content, expected);
        let found = rendered(Component::Scheduler, |_| ());
        assert!(found[0].content.contains("    user: system:kube-scheduler\n"));
    }

    #[test]
    fn a_key_is_read_back_and_never_printed() {
        let key = EncryptionKey::new(KEY).unwrap();
        assert_eq!(EncryptionKey::of_file(&encryption(&key)), Some(key.clone()));
        assert_eq!(EncryptionKey::of_file(&format!("{}\n", encryption(&key))), None);
        assert_eq!(format!("{key:?}"), "EncryptionKey(…)");
        let found = rendered(Component::ApiServer, |_| ());
        assert!(!format!("{found:?}").contains(KEY));
        for text in ["", "MDEy", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZW==", &KEY[..43]] {
            assert_eq!(EncryptionKey::new(text), None, "{text}");
        }
    }
}
