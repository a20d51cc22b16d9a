//! The recovery bundle of a control plane, and the way back with one.

use std::collections::{BTreeMap, BTreeSet};

use super::Kept;
use super::model::{ControlPlaneModel, nodes};
use crate::actions::kubernetes::{Look, Recovery, RecoveryFault};
use crate::domain::kubernetes::Desired;
use crate::domain::recovery::{Identity, OpenFault, open};
use crate::resources::provider::{Client, Gap};
use crate::tfplugin::diagnostics::Diagnostic;
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

const SUMMARY: &str = "The keys of the control plane cannot be recovered";

/// Whether no node has the keys any more, as far as the last read could tell. With a bundle at hand a node that did not
/// answer has none either: a machine that was built anew does not until the plan agrees to its key. An apply looks again,
/// and takes nothing from a bundle while somebody may have the keys.
pub(super) fn is_lost(
    prior: &ControlPlaneModel,
    planned: &ControlPlaneModel,
    private: &Kept,
) -> bool {
    let has_bundle = !planned.recover_from.is_null();
    let is_bare =
        |key: &String| private.bare.contains(key) || has_bundle && private.silent.contains(key);
    let mut keys = nodes(prior).map(|(key, _)| key).peekable();
    keys.peek().is_some() && keys.all(is_bare)
}

/// It is random, so it is made only when it has to be another one.
pub(super) fn plan_bundle(
    prior: Option<&ControlPlaneModel>,
    planned: &mut ControlPlaneModel,
    is_lost: bool,
) {
    let set = |it: &ControlPlaneModel| -> BTreeSet<String> {
        it.recovery_recipients.known().into_iter().flatten().cloned().collect()
    };
    let wanted = set(planned);
    let before = prior.filter(|it| !is_lost && set(it) == wanted);
    planned.recovery_bundle = match before.map(|it| &it.recovery_bundle) {
        _ if planned.recovery_recipients.is_unknown() => Value::Unknown,
        _ if wanted.is_empty() => Value::Null,
        Some(Value::Known(text)) => Value::Known(text.clone()),
        _ => Value::Unknown,
    };
}

/// The bundle that the hosts keep, where the state does not have it. Once the hosts have lost the keys too, the state may
/// be the last to have it.
pub(super) fn read_bundle(
    state: &mut ControlPlaneModel,
    looks: &BTreeMap<String, Look>,
    are_all: bool,
) {
    let mut kept = looks.values().filter_map(Look::bundle).peekable();
    let first = kept.peek().map(|it| (*it).to_owned());
    if state.recovery_bundle.known().is_some_and(|it| kept.any(|kept| kept == it)) {
        return;
    }
    if let Some(text) = first {
        state.recovery_bundle = Value::Known(text);
    } else if are_all && looks.values().all(Look::has_keys) {
        state.recovery_bundle = Value::Null;
    }
}

/// Remembers which nodes have answered, and which of them have no keys.
pub(super) fn remember_keys(private: &mut Kept, looks: &BTreeMap<String, Look>) {
    for (key, look) in looks {
        private.silent.remove(key);
        if look.has_keys() {
            private.bare.remove(key);
        } else {
            private.bare.insert(key.clone());
        }
    }
}

/// The keys in `recover_from`, for this control plane. None: it is not set.
pub(super) fn keys(
    client: &Client,
    planned: &ControlPlaneModel,
    prior: Option<&ControlPlaneModel>,
    desired: &Desired,
) -> Result<Option<Recovery>, Gap> {
    let at = Path::root("recover_from");
    let fault = |why: String, hint: &str| {
        Gap::Fault(Diagnostic::error(SUMMARY, why).at(at.clone()).hint(hint))
    };
    if planned.recover_from.is_null() {
        return Ok(None);
    }
    let Some(text) = planned.recover_from.known() else {
        return Err(Gap::Unknown(crate::resources::provider::Unknown::Own(at)));
    };
    let identity = client.recovery_identity().map_err(|gap| match gap {
        Gap::Fault(fault) => Gap::Fault(fault.at(at.clone())),
        unknown @ Gap::Unknown(_) => unknown,
    })?;
    let opened = identity.expose().parse::<Identity>().and_then(|it| open(text, &it));
    let bundle = opened.map_err(|why| {
        let hint = match why {
            OpenFault::Identity => "Set `recovery_identity` of the provider, or HA_RECOVERY_IDENTITY, to the whole line.",
            OpenFault::OtherRecipients => "Set `recovery_identity` of the provider to the private key of one of `recovery_recipients`.",
            OpenFault::Malformed | OpenFault::Damaged | OpenFault::OtherContent => "Use the whole text of `recovery_bundle` as it was, from another copy if there is one.",
        };
        fault(why.to_string(), hint)
    })?;
    let recovery = Recovery::new(bundle, desired).map_err(|why| match why {
        RecoveryFault::WithSecrets | RecoveryFault::WithoutSecrets => {
            let why = format!("The bundle does not fit: {why}");
            Gap::Fault(Diagnostic::error(SUMMARY, why).at(Path::root("encryption_at_rest")))
        }
        why => fault(why.to_string(), "Use the bundle of this control plane."),
    })?;
    let before = prior.and_then(|it| it.ca_certificate.known());
    if before.is_some_and(|it| it.trim() != recovery.authority().trim()) {
        let why = "its authority is another one than the `ca_certificate` of this control plane";
        return Err(fault(why.to_owned(), "Use the bundle of this control plane."));
    }
    Ok(Some(recovery))
}

#[cfg(test)]
mod tests {
    use rcgen::KeyPair;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::domain::recovery::{Bundle, Share, seal};
    use crate::resources::control_plane::tests::planned_model;
    use crate::resources::control_plane::wish;
    use crate::resources::planned::edited;
    use crate::resources::provider::tests::{USUAL, client};

    /// Of [`identity`].
    const SECRET: &str =
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";

    fn files(edit: &Json) -> Json {
        let key = || KeyPair::generate().unwrap().serialize_pem();
        let files = json!({
            "ca/ca.key": key(), "ca/ca.crt": AUTHORITY, "front-proxy-ca/ca.key": key(),
            "front-proxy-ca/ca.crt": AUTHORITY, "sa.key": key(),
            "secretbox.key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n",
        });
        edited(files, edit)
    }

    fn bundle(name: &str, edit: &Json) -> String {
        let files = files(edit);
        let texts = files.as_object().unwrap().iter();
        let texts = texts.filter_map(|(name, it)| Some((name.clone(), it.as_str()?.to_owned())));
        let (kind, id) = ("control_plane".to_owned(), "1".to_owned());
        let plain = Bundle::new(kind, name.to_owned(), id, texts).print().unwrap();
        let (own, theirs) = (Identity::of([7; 32]).unwrap(), SECRET.parse::<Identity>().unwrap());
        let to = theirs.recipient();
        let secret = own.agree(to.bytes()).unwrap();
        let shares = [Share::new(to, *own.recipient().bytes(), &secret)];
        seal(&plain, &[1; 16], &[2; 16], &shares).unwrap()
    }

    /// What comes of a bundle: the path of the fault and its words, or nothing.
    fn opened(text: &str, secret: Option<&str>, more: &Json, before: Option<&str>) -> String {
        let config = secret.map_or(json!({}), |it| json!({"recovery_identity": it}));
        let more = edited(more.clone(), &json!({"recover_from": text}));
        let planned = planned_model(&more);
        let desired = wish::desired(&planned).unwrap().unwrap();
        let prior =
            before.map(|it| ControlPlaneModel { ca_certificate: it.into(), ..planned.clone() });
        match keys(&client(config, USUAL), &planned, prior.as_ref(), &desired) {
            Ok(Some(found)) => format!("{} bytes", found.authority().len()),
            Ok(None) => "none".to_owned(),
            Err(Gap::Unknown(unknown)) => unknown.to_string(),
            Err(Gap::Fault(fault)) => format!("{}: {}", fault.path(), fault.detail()),
        }
    }

    #[test]
    fn a_bundle_is_opened_for_the_control_plane_that_it_is_of() {
        let good = bundle("prod", &json!({}));
        let check = |found: String, expected: &str| {
            assert!(found.starts_with(expected), "{found}");
        };
        let of_this = format!("{} bytes", AUTHORITY.len());
        check(opened(&good, Some(SECRET), &json!({}), None), &of_this);
        check(opened(&good, Some(SECRET), &json!({}), Some(AUTHORITY)), &of_this);
        let other = "recover_from: its authority is another one than the `ca_certificate`";
        check(opened(&good, Some(SECRET), &json!({}), Some("x")), other);
        let unset = "recover_from: Neither `recovery_identity` of the provider block nor";
        check(opened(&good, None, &json!({}), None), unset);
        let malformed = "recover_from: the identity is no private key of age";
        check(opened(&good, Some("AGE-SECRET-KEY-1X"), &json!({}), None), malformed);
        let later = "`recovery_identity` of the provider block";
        check(opened(&good, Some("?"), &json!({}), None), later);
        let cut = &good[..good.len() / 2];
        check(opened(cut, Some(SECRET), &json!({}), None), "recover_from: it is no bundle");
        let theirs = "AGE-SECRET-KEY-1TXRCGUKQQ0X49LJ9RNEH2KFRHPEDWCX76TNC04UJZ6JN426ATHSSUNGQ9L";
        let not_ours = "recover_from: it is not encrypted to this identity";
        check(opened(&good, Some(theirs), &json!({}), None), not_ours);
        let of_other = "recover_from: it is of the control_plane \"test\"";
        check(opened(&bundle("test", &json!({})), Some(SECRET), &json!({}), None), of_other);
        let lacks = bundle("prod", &json!({"sa.key": null}));
        let lacking = "recover_from: its sa.key is not what it should be";
        check(opened(&lacks, Some(SECRET), &json!({}), None), lacking);
        let without = json!({"encryption_at_rest": "none"});
        let had = "encryption_at_rest: The bundle does not fit: it holds a key for Secrets";
        check(opened(&good, Some(SECRET), &without, None), had);
        let bare = bundle("prod", &json!({"secretbox.key": null}));
        check(opened(&bare, Some(SECRET), &without, None), &of_this);
        let lacked = "encryption_at_rest: The bundle does not fit: it holds no key for Secrets";
        check(opened(&bare, Some(SECRET), &json!({}), None), lacked);
    }
}
