//! Where backups go and restores come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gap::{Gap, Named, Unknown};
use super::reading::{Environment, Reading, check_name};
use super::settings::Settings;
use crate::domain::backup::{Bucket, Keys, ObjectStore};
use crate::model;
use crate::resources::checks;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Check, text};
use crate::tfplugin::value::{Secret, Value};

model! {
    /// A store for objects, exactly one kind.
    pub struct ObjectStoreSettings {
        /// A bucket of S3, or of a service that speaks its protocol.
        s3: Value<S3Settings> = optional(),
    }
}

model! {
    /// A bucket. `access_key` with `secret_key`, or `instance_role`.
    pub struct S3Settings {
        /// Name of the bucket.
        bucket: Value<String> = required().check(word()),
        /// Region of the bucket.
        region: Value<String> = optional().check(word()),
        /// URL of the service. That of AWS for the region when left out.
        endpoint: Value<String> = optional().check(checks::url()),
        /// Whether the bucket is named in the path, and not in the name of the server. `false` when left out.
        path_style: Value<bool> = optional(),
        /// What the names of all objects begin with.
        prefix: Value<String> = optional().check(text("visible ASCII letters and signs, without `%`, an empty part, `.` and `..`", is_prefix)),
        /// Certificates in PEM that are trusted beside those of the system.
        ca_certificate: Value<String> = optional().check(checks::certificates()),
        /// Access key. The environment variable `AWS_ACCESS_KEY_ID` when left out.
        access_key: Value<Secret<String>> = optional().sensitive().check(not_empty()),
        /// Secret key. The environment variable `AWS_SECRET_ACCESS_KEY` when left out. Hosts keep both in a file that only root
        /// reads.
        secret_key: Value<Secret<String>> = optional().sensitive().check(not_empty()),
        /// Whether hosts use the role of their machine instead of keys. `false` when left out.
        instance_role: Value<bool> = optional(),
    }
}

const OBJECT_STORES: &str = "object_stores";

pub(super) fn read(
    settings: &Settings,
    environment: Environment<'_>,
    told: &mut Diagnostics,
) -> Named<ObjectStore> {
    let none = BTreeMap::new();
    let stores = settings.object_stores.known().unwrap_or(&none);
    let mut entries = BTreeMap::new();
    for (name, store) in stores {
        let at = Path::root(OBJECT_STORES).key(name);
        check_name("An object store", name, &at, told);
        let read = match store {
            // As one that is left out.
            Value::Null => continue,
            Value::Unknown => Err(Gap::Unknown(Unknown::Provider(at))),
            Value::Known(store) => s3(name, &store.s3, at, environment, told),
        };
        entries.insert(name.clone(), read.map(Arc::new));
    }
    let is_open = settings.object_stores.is_unknown();
    Named { attribute: OBJECT_STORES, entries, is_open }
}

fn s3(
    name: &str,
    settings: &Value<S3Settings>,
    at: Path,
    environment: Environment<'_>,
    told: &mut Diagnostics,
) -> Result<ObjectStore, Gap> {
    let inside = at.attribute("s3");
    let settings = match settings {
        Value::Known(settings) => settings,
        Value::Unknown => return Err(Gap::Unknown(Unknown::Provider(inside))),
        Value::Null => {
            let summary = format!("`{at}` has no kind");
            let fault =
                Diagnostic::error(summary, "Exactly one is needed.").hint("Set `s3`.").at(at);
            told.push(fault.clone());
            return Err(Gap::Fault(fault));
        }
    };
    let mut reading = Reading::new(inside, environment);
    let keys = keys(settings, &mut reading);
    let bucket = Bucket {
        name: reading.known("bucket", &settings.bucket).unwrap_or_default(),
        region: reading.known("region", &settings.region),
        endpoint: reading.known("endpoint", &settings.endpoint),
        path_style: reading.known("path_style", &settings.path_style).unwrap_or(false),
        prefix: reading.known("prefix", &settings.prefix).unwrap_or_default(),
        ca_certificate: reading.known("ca_certificate", &settings.ca_certificate),
    };
    reading.end(told)?;
    Ok(ObjectStore { name: name.to_owned(), bucket, keys: keys? })
}

/// None: the role of the machine.
fn keys(settings: &S3Settings, reading: &mut Reading<'_>) -> Result<Option<Keys>, Gap> {
    let role = reading.known("instance_role", &settings.instance_role);
    let written = [("access_key", &settings.access_key), ("secret_key", &settings.secret_key)];
    if role == Some(true) {
        let Some((name, _)) = written.iter().find(|(_, it)| it.is_known()) else {
            return Ok(None);
        };
        let detail = format!("`instance_role` and `{name}` are both set.");
        let fault = Diagnostic::error("An object store has two kinds of credentials", detail);
        return Err(reading.fault(name, fault.hint("Remove one of them.")));
    }
    let access_key = reading.secret("access_key", &settings.access_key, "AWS_ACCESS_KEY_ID");
    let secret_key = reading.secret("secret_key", &settings.secret_key, "AWS_SECRET_ACCESS_KEY");
    if let Some(gap) = reading.gap() {
        return Err(gap);
    }
    let missing = match (access_key, secret_key) {
        (Some(access_key), Some(secret_key)) => {
            let text = |it: Secret<String>| it.expose().clone();
            let keys = Keys { access_key: text(access_key), secret_key: text(secret_key) };
            return Ok(Some(keys));
        }
        (None, _) => ("access_key", "AWS_ACCESS_KEY_ID"),
        (Some(_), None) => ("secret_key", "AWS_SECRET_ACCESS_KEY"),
    };
    let (name, variable) = missing;
    let detail = format!("Neither `{name}` nor {variable} is set.");
    let fault = Diagnostic::error("An object store has no credentials", detail).hint(
        "Set one of them, or `instance_role = true` where the machines of the hosts have a role.",
    );
    Err(reading.fault(name, fault))
}

/// A `/` at the end is no part of its own.
fn is_prefix(it: &str) -> bool {
    let is_part = |it: &str| !it.is_empty() && it != "." && it != "..";
    let is_visible = it.bytes().all(|it| it.is_ascii_graphic() && it != b'%');
    is_visible && it.strip_suffix('/').unwrap_or(it).split('/').all(is_part)
}

fn word() -> Check {
    text("one word", |it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_graphic()))
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::tests::{check, client};
    use super::*;

    #[test]
    fn a_store_has_one_kind_of_credentials() {
        let store = |s3: Json| json!({"object_stores": {"a": {"s3": s3}}});
        let at = |name: &str, summary: &str| {
            format!("object_stores[\"a\"].s3.{name}: An object store has {summary}")
        };
        let aws = [("AWS_ACCESS_KEY_ID", "hunter4"), ("AWS_SECRET_ACCESS_KEY", "hunter5")];
        let bucket = json!({"bucket": "b"});
        check(store(bucket.clone()), &[], &[&at("access_key", "no credentials")]);
        check(store(bucket.clone()), &aws[..1], &[&at("secret_key", "no credentials")]);
        check(
            store(json!({"bucket": "b", "instance_role": true, "secret_key": "x"})),
            &[],
            &[&at("secret_key", "two kinds of credentials")],
        );
        let found = |s3: Json| {
            client(store(s3), &aws).object_store("a", &Path::default()).unwrap().keys.clone()
        };
        let keys = |access: &str, secret: &str| {
            Some(Keys { access_key: access.to_owned(), secret_key: secret.to_owned() })
        };
        assert_eq!(found(bucket), keys("hunter4", "hunter5"));
        let written = json!({"bucket": "b", "access_key": "x", "secret_key": "y"});
        assert_eq!(found(written), keys("x", "y"));
        assert_eq!(found(json!({"bucket": "b", "instance_role": true})), None);
    }

    #[test]
    fn a_prefix_names_folders_in_one_way() {
        for (text, is_fine) in [
            ("etcd/prod/", true),
            ("etcd-", true),
            ("a.b/c", true),
            ("", false),
            ("/", false),
            ("/etcd", false),
            ("etcd//", false),
            ("a/../b", false),
            ("a%20b", false),
            ("a b", false),
        ] {
            assert_eq!(is_prefix(text), is_fine, "{text}");
        }
    }
}
