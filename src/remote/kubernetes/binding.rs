//! A cluster role for a group or a user.

/// Who gets a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// All in it.
    Group,
    /// One.
    User,
}

/// A `ClusterRoleBinding`, named after whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    subject: Subject,
    name: String,
    role: &'static str,
}

/// A name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} does not have 1 to 64 letters, digits, `:`, `.`, `_` and `-`, or belongs to Kubernetes"
)]
pub struct NameFault(String);

impl Binding {
    /// Where bindings are.
    pub(super) const COLLECTION: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

    /// Lets a group administrate the cluster.
    ///
    /// # Errors
    /// A name that could be read as something else, or that Kubernetes gives a meaning.
    pub fn administrators(group: &str) -> Result<Self, NameFault> {
        Self::new(Subject::Group, group, "cluster-admin")
    }

    /// Lets a user ask kubelets for whatever they know.
    ///
    /// # Errors
    /// As above.
    pub fn of_kubelet_client(user: &str) -> Result<Self, NameFault> {
        Self::new(Subject::User, user, "system:kubelet-api-admin")
    }

    fn new(subject: Subject, name: &str, role: &'static str) -> Result<Self, NameFault> {
        let is_fine = |it: u8| it.is_ascii_alphanumeric() || b":._-".contains(&it);
        let is_fine = (1..=64).contains(&name.len())
            && name.bytes().all(is_fine)
            && !name.starts_with("system:")
            && name != "."
            && name != "..";
        if is_fine {
            return Ok(Self { subject, name: name.to_owned(), role });
        }
        Err(NameFault(name.to_owned()))
    }

    /// Of the binding, and of whom it is for.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn path(&self) -> String {
        format!("{}/{}", Self::COLLECTION, self.name)
    }

    /// In JSON. No name has a sign that would have to be escaped.
    pub(super) fn object(&self) -> String {
        let Self { subject, name, role } = self;
        let kind = match subject {
            Subject::Group => "Group",
            Subject::User => "User",
        };
        let group = "rbac.authorization.k8s.io";
        format!(
            r#"{{"apiVersion":"{group}/v1","kind":"ClusterRoleBinding","metadata":{{"name":"{name}"}},"roleRef":{{"apiGroup":"{group}","kind":"ClusterRole","name":"{role}"}},"subjects":[{{"apiGroup":"{group}","kind":"{kind}","name":"{name}"}}]}}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_named_after_whom_it_is_for() {
        let binding = Binding::administrators("ha:cluster-admins").unwrap();
        let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/ha:cluster-admins";
        assert_eq!(binding.path(), path);
        let object = r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"ha:cluster-admins"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"ha:cluster-admins"}]}"#;
        assert_eq!(binding.object(), object);
        let user = Binding::of_kubelet_client("kube-apiserver-kubelet-client").unwrap();
        assert!(user.object().contains(r#""kind":"User","name":"kube-apiserver-kubelet-client""#));
    }

    #[test]
    fn a_name_cannot_say_more_than_one_thing() {
        for name in ["", "a b", "a\"b", "a/b", "..", "system:masters", "system:nodes", "a%2Fb"] {
            Binding::administrators(name).unwrap_err();
        }
        Binding::administrators(&"a".repeat(65)).unwrap_err();
    }
}
