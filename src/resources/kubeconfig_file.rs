//! `ha_kubeconfig_file`: credentials for a control plane in a file of the machine that runs Terraform.
#![expect(clippy::disallowed_methods, reason = "judges a certificate by the clock")]

use std::collections::BTreeSet;
use std::io;
use std::path::Path as FilePath;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::control_plane_access::ControlPlaneAccessModel;
use super::kubeconfig::{Person, credentials, file};
use super::moment::timestamp;
use super::provider::{Client, Ha};
use crate::actions::kubernetes::ADMINISTRATORS;
use crate::actions::local_file::{create_file, read_file, remove_file, replace_file};
use crate::model;
use crate::tfplugin::api::{
    Applied, Context, Created, Deleted, Object, Planning, Read, Resource, Wanted,
};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::{Nothing, Timeouts, same_duration};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::{Datum, Value};

model! {
    /// A kubeconfig on the machine that runs Terraform, with a key and a certificate of its own.
    ///
    /// The file is for its owner alone (0600). The key is in this file and nowhere else: not in the state, and not on a
    /// host. Any node that answers signs the certificate, which Kubernetes has no way to take back before it expires; the
    /// next apply after two thirds of its time makes another. Where a run is all that needs credentials, use the ephemeral
    /// resource `ha_kubeconfig` instead.
    pub(crate) struct KubeconfigFileModel {
        /// The path.
        id: Value<String> = computed(),
        /// The control plane: `access` of an `ha_control_plane`.
        control_plane: Value<ControlPlaneAccessModel> = required().changes("another endpoint, authority or id makes the file anew; anything else is recorded"),
        /// Where the file is to be. Nothing that is there already is overwritten; missing directories are made.
        path: Value<String> = required().replaces().check(not_empty()),
        /// Who that is, in the words of Kubernetes.
        user: Value<String> = optional().default("admin").changes_online().check(crate::resources::client_certificate::user()),
        /// Groups of the user. Those of `ha:cluster-admins` may do everything; `system:masters` is refused.
        groups: Value<BTreeSet<String>> = optional().default(crate::resources::kubeconfig::administrators()).changes_online().check(crate::resources::kubeconfig::groups()),
        /// How long the certificate is valid, from `10m` to `24h`.
        ttl: Value<Duration> = optional().default("24h").same_when(same_duration).changes_online().check(crate::resources::client_certificate::ttl()),
        /// When the certificate expires, like `2027-02-03T04:05:06Z`.
        expires_at: Value<String> = computed(),
        /// What an apply would mend, in sentences. Empty: all is as planned.
        drift: Value<Vec<String>> = computed().planned_as(Datum::List(Vec::new())),
        /// How long each operation may take.
        timeouts: Value<Timeouts> = timeouts(300, 300, 30, 30),
    }
}

/// The resource.
pub(super) struct KubeconfigFile;

/// What stands beside the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// SHA-256 of the whole file in base64. The file holds too much of chance to be guessed.
    digest: String,
    /// Of the certificate, in seconds since 1970.
    since: i64,
    until: i64,
}

impl Resource for KubeconfigFile {
    const NAME: &'static str = "ha_kubeconfig_file";
    type Provider = Ha;
    type Model = KubeconfigFileModel;
    type Identity = Nothing;
    type Private = Kept;

    async fn plan(&self, _: &Client, change: &mut Planning<Self>, _: &Context) -> Diagnostics {
        change.planned.id = change.planned.path.clone();
        if let Some(prior) = &change.prior {
            let is_new = is_anew(&prior.state, &change.planned);
            let same = prior.state.expires_at.clone();
            change.planned.expires_at = if is_new { Value::Unknown } else { same };
        }
        Diagnostics::new()
    }

    async fn create(
        &self,
        client: &Client,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Created<Self> {
        match write(client, wanted.planned, context, create_file).await {
            Ok((state, private)) => {
                Created::Made(Applied { state, private, diags: Diagnostics::new() })
            }
            Err(diags) => Created::Nothing(diags),
        }
    }

    async fn read(&self, _: &Client, object: Object<Self>, _: &Context) -> Read<Self> {
        let Object { mut state, private, .. } = object;
        let path = state.path.or_default();
        match read_file(FilePath::new(&path)) {
            Ok(None) => Read::Gone,
            Ok(Some(file)) => {
                let is_edited = file.is_open || digest(&file.content) != private.digest;
                let now = OffsetDateTime::from(SystemTime::now()).unix_timestamp();
                state.drift = Value::Known(drift(&path, &private, is_edited, now));
                Read::Present(Applied { state, private, diags: Diagnostics::new() })
            }
            Err(err) => Read::Failed(unusable("The kubeconfig cannot be read", &path, &err).into()),
        }
    }

    async fn update(
        &self,
        client: &Client,
        prior: Object<Self>,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Applied<Self> {
        let Object { state: before, private, .. } = prior;
        if !is_anew(&before, &wanted.planned) {
            return Applied { state: wanted.planned, private, diags: Diagnostics::new() };
        }
        match write(client, wanted.planned, context, replace_file).await {
            Ok((state, private)) => Applied { state, private, diags: Diagnostics::new() },
            Err(diags) => Applied { state: before, private, diags },
        }
    }

    async fn delete(&self, _: &Client, object: Object<Self>, _: &Context) -> Deleted<Self> {
        let Object { state, private, .. } = object;
        let text = state.path.or_default();
        let path = FilePath::new(&text);
        let removed = read_file(path).and_then(|found| match found {
            Some(file) if digest(&file.content) != private.digest => Ok(false),
            _ => remove_file(path).map(|()| true),
        });
        match removed {
            Ok(true) => Deleted::Gone(Diagnostics::new()),
            Ok(false) => {
                let detail = format!("{text} was edited, and may hold what is of use to you.");
                let kept = Diagnostic::warning("The kubeconfig was left where it is", detail);
                Deleted::Gone(kept.hint("Remove it when you do not need it any more.").into())
            }
            Err(err) => {
                let diags = unusable("The kubeconfig was not removed", &text, &err).into();
                Deleted::Remains(Applied { state, private, diags })
            }
        }
    }
}

/// Whether the file has to be made anew.
fn is_anew(before: &KubeconfigFileModel, planned: &KubeconfigFileModel) -> bool {
    let told = |it: &KubeconfigFileModel| {
        let access = it.control_plane.known();
        access.map(|it| (it.endpoint.clone(), it.ca_certificate.clone(), it.id.clone()))
    };
    before.drift.known().is_some_and(|it| !it.is_empty())
        || before.user != planned.user
        || before.groups != planned.groups
        || before.ttl != planned.ttl
        || told(before) != told(planned)
}

/// What an apply would mend. All times are seconds since 1970.
fn drift(path: &str, kept: &Kept, is_edited: bool, now: i64) -> Vec<String> {
    let mut found = Vec::new();
    if is_edited {
        found.push(format!("{path} was edited"));
    }
    if kept.until - now <= (kept.until - kept.since) / 3 {
        let until = OffsetDateTime::from_unix_timestamp(kept.until).map(timestamp);
        found.push(format!("{path} expires on {}", until.unwrap_or_default()));
    }
    found
}

async fn write(
    client: &Client,
    planned: KubeconfigFileModel,
    context: &Context,
    put: fn(&FilePath, &[u8]) -> io::Result<()>,
) -> Result<(KubeconfigFileModel, Kept), Diagnostics> {
    let summary = "The kubeconfig was not written";
    let path = planned.path.or_default();
    let groups = planned.groups.or_default();
    let (user, ttl) = (planned.user.or_default(), planned.ttl.or_default());
    let group = groups.first().map_or(ADMINISTRATORS, |it| it);
    let person = Person { user: &user, group, ttl };
    let credentials = credentials(client, &planned.control_plane, person, context).await?;
    let access = planned.control_plane.or_default();
    let [name, endpoint, authority] =
        [&access.name, &access.endpoint, &access.ca_certificate].map(Value::or_default);
    let text = file(&name, &endpoint, &authority, (&user, &credentials));
    put(FilePath::new(&path), text.as_bytes()).map_err(|err| {
        let diag = unusable(summary, &path, &err);
        if err.kind() == io::ErrorKind::AlreadyExists {
            return diag.hint("Choose another `path`, or move away what is there.");
        }
        diag
    })?;
    let kept = Kept {
        digest: digest(text.as_bytes()),
        since: credentials.begins.unix_timestamp(),
        until: credentials.expires.unix_timestamp(),
    };
    let expires_at = Value::Known(timestamp(credentials.expires));
    Ok((KubeconfigFileModel { id: planned.path.clone(), expires_at, ..planned }, kept))
}

fn unusable(summary: &str, path: &str, err: &io::Error) -> Diagnostic {
    Diagnostic::error(summary, format!("{path}: {err}.")).at(Path::root("path"))
}

fn digest(content: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::tfplugin::model::configured;

    fn model(edit: &Json, access: &Json) -> KubeconfigFileModel {
        let host = json!({"host": {"address": "192.0.2.1"}, "address": "192.0.2.1"});
        let mut control_plane = json!({
            "id": "1", "name": "prod", "endpoint": "a:1", "hosts": {"a": host}, "port": 6443,
            "ca_certificate": "-----BEGIN CERTIFICATE-----\n",
        });
        for (key, value) in access.as_object().unwrap() {
            control_plane[key] = value.clone();
        }
        let mut all = json!({"control_plane": control_plane, "path": "config"});
        for (key, value) in edit.as_object().unwrap() {
            all[key] = value.clone();
        }
        configured(&all).unwrap()
    }

    #[test]
    fn what_is_in_the_file_makes_it_anew_and_nothing_else_does() {
        let before = model(&json!({}), &json!({}));
        let check = |edit: Json, access: Json, expected: bool| {
            assert_eq!(is_anew(&before, &model(&edit, &access)), expected, "{edit} {access}");
        };
        check(json!({}), json!({}), false);
        check(json!({"ttl": "12h"}), json!({}), true);
        check(json!({"user": "b"}), json!({}), true);
        check(json!({"groups": ["b"]}), json!({}), true);
        check(json!({}), json!({"endpoint": "b:1"}), true);
        check(json!({}), json!({"id": "2"}), true);
        check(json!({}), json!({"ca_certificate": "-----BEGIN CERTIFICATE-----\nB"}), true);
        let other = json!({"host": {"address": "192.0.2.2"}, "address": "192.0.2.2"});
        check(json!({}), json!({"hosts": {"b": other}}), false);
        check(json!({"timeouts": {"create": "1m"}}), json!({}), false);
        let mut drifted = before.clone();
        drifted.drift = Value::Known(vec!["config was edited".to_owned()]);
        assert!(is_anew(&drifted, &before));
    }

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_time_is_left() {
        let kept = Kept { digest: String::new(), since: 0, until: 900 };
        assert_eq!(drift("config", &kept, false, 599), [""; 0]);
        let expires = "config expires on 1970-01-01T00:15:00Z";
        assert_eq!(drift("config", &kept, false, 600), [expires]);
        assert_eq!(drift("config", &kept, true, 0), ["config was edited"]);
    }
}
