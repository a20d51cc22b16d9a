//! What to do about what name servers say.

use crate::actions::dns::Stopped;
use crate::domain::dns::{Key, Refusal};
use crate::remote::dns::{Code, Failed, Fault};
use crate::tfplugin::diagnostics::Diagnostic;

/// What is kept of a run that stopped.
const STATE_STAYS: &str = "The state keeps what it had.";

/// Why the servers did not, with the way out of the first thing that has one.
pub(in crate::resources) fn explain(diagnostic: Diagnostic, failed: &Failed) -> Diagnostic {
    let fixes = failed.faults.iter().map(|(_, fault)| fix_for(fault));
    let mut told = Vec::new();
    fixes.fold(diagnostic, |diagnostic, fix| {
        if told.contains(&fix) {
            return diagnostic;
        }
        told.push(fix);
        diagnostic.hint(fix)
    })
}

/// The one error of a run that was stopped. `is_new`: there is no state yet.
pub(in crate::resources) fn stopped(
    summary: &str,
    key: &Key,
    stopped: &Stopped,
    is_new: bool,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(summary, format!("{key}: {stopped}."));
    let may_be_there = |may_have_run: bool| match (is_new, may_have_run) {
        (false, false) => STATE_STAYS,
        (false, true) => {
            "An update may have been done whose answer was lost. The state keeps what it had; the next plan looks again."
        }
        (true, false) => "Nothing was created, and nothing is recorded.",
        (true, true) => {
            "The record set may have been created although no answer came. Nothing is recorded; apply again: a record set that is already exactly the wanted one is taken over."
        }
    };
    match stopped {
        Stopped::Refused(refusal) => diagnostic.hint(&way_out(refusal, key)),
        Stopped::Failed { source, may_have_run } => {
            explain(diagnostic, source).hint(may_be_there(*may_have_run))
        }
        Stopped::NoEffect { .. } => diagnostic.hint(
            "Look into the log of the server: a rule of its own may have changed the update, or the signing of the zone lags behind. Then apply again.",
        ),
        Stopped::Cancelled { may_have_run } => {
            diagnostic.hint(may_be_there(*may_have_run)).hint("Apply again to go on.")
        }
    }
}

fn way_out(refusal: &Refusal, key: &Key) -> String {
    match refusal {
        Refusal::Foreign(_) => format!(
            "Nothing was changed. If it is to be managed here, import it with the id `{key}`, or set `on_conflict = \"adopt\"` to replace it. Otherwise choose another name."
        ),
        Refusal::Changed(_) => "Nothing was changed. Plan again: the new plan shows what it holds now. If it is somebody else's, remove it from the state with `terraform state rm`.".to_owned(),
        Refusal::Alias(_) => "Nothing was changed. Remove the alias, or choose another name.".to_owned(),
        Refusal::Occupied => "Nothing was changed. Remove the other records, or choose another name.".to_owned(),
    }
}

/// What to do about it, as full sentences.
pub(in crate::resources) fn fix_for(fault: &Fault) -> &'static str {
    match fault {
        Fault::Unresolved(_) => {
            "Check `dns.rfc2136.servers` of the provider, or write IP addresses there."
        }
        Fault::Unreachable(_) | Fault::Silent(_) | Fault::Broken(_) => {
            "Check that the server runs and that port and firewall let messages through; `dns.rfc2136.timeout` sets how long it may take."
        }
        Fault::Malformed => "Check that a name server listens at that address and port.",
        Fault::Unsendable(_) => "Use fewer or shorter records.",
        Fault::Unsigned => {
            "Somebody else may have answered. Check that the server knows the key for questions as well as for updates."
        }
        Fault::BadSignature => {
            "Somebody else may have answered, or both sides have different keys. Compare `dns.rfc2136.key_secret` with the key of the server."
        }
        Fault::Stale(_) => {
            "Set the clocks of this machine and of the server; an old answer may also have been sent once more."
        }
        Fault::NotAuthoritative => {
            "Name a server in `dns.rfc2136.servers` that has the zone itself, and check the name of the `zone`."
        }
        Fault::Answered(code) => fix_for_code(*code),
    }
}

fn fix_for_code(code: Code) -> &'static str {
    match code {
        Code::ServFail => {
            "Look into the log of the server: the zone may be frozen, expired or not writable."
        }
        Code::Refused => {
            "Allow the key what it needs on the server: in BIND `allow-update` or `update-policy`, and `allow-query`."
        }
        Code::NotAuth => {
            "Check the name of the `zone`, that the server is its primary, and that the key is allowed to change it."
        }
        Code::NotZone => "Check `zone` and `name`: the name must be in the zone.",
        Code::BadKey => {
            "Check `dns.rfc2136.key_name` and `key_algorithm` against the key of the server."
        }
        Code::BadSig => {
            "Check `dns.rfc2136.key_secret` and `key_algorithm` against the key of the server."
        }
        Code::BadTime { .. } => {
            "Set the clocks of this machine and of the server: they may differ by five minutes at most."
        }
        Code::NotImp => "Name a server that takes dynamic updates (RFC 2136).",
        Code::FormErr | Code::NxDomain | Code::Other(_) => "Look into the log of the server.",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::remote::dns::Server;

    fn failed(faults: Vec<Fault>) -> Failed {
        let server = |port| Server { address: "10.0.0.53".to_owned(), port };
        let faults = faults.into_iter().enumerate();
        Failed { faults: faults.map(|(at, it)| (server(u16::try_from(at).unwrap()), it)).collect() }
    }

    #[test]
    fn each_refusal_has_a_sentence_and_a_way_out_of_its_own() {
        let codes = [
            Code::Refused,
            Code::NotAuth,
            Code::NotZone,
            Code::BadSig,
            Code::BadKey,
            Code::BadTime { ahead: Some(3600) },
            Code::ServFail,
            Code::NotImp,
        ];
        let sentences: BTreeSet<_> = codes.iter().map(ToString::to_string).collect();
        let fixes: BTreeSet<_> = codes.iter().map(|it| fix_for_code(*it)).collect();
        assert_eq!((sentences.len(), fixes.len()), (codes.len(), codes.len()));
    }

    #[test]
    fn an_error_names_servers_codes_what_is_kept_and_what_to_do() {
        let key: Key = "example.test/api/a".parse().unwrap();
        let faults = vec![
            Fault::Silent(Duration::from_secs(3)),
            Fault::Answered(Code::BadKey),
            Fault::Answered(Code::BadKey),
        ];
        let why = Stopped::Failed { source: failed(faults), may_have_run: true };
        let detail = stopped("It is not created", &key, &why, true).detail().to_owned();
        for part in [
            "example.test/api/a: no server takes the update: 10.0.0.53:0: it did not answer within 3s; 10.0.0.53:1: it answered BADKEY",
            "Check `dns.rfc2136.key_name`",
            "Check that the server runs",
            "Nothing is recorded; apply again",
        ] {
            assert!(detail.contains(part), "{part:?} is missing: {detail}");
        }
        assert_eq!(detail.matches("`dns.rfc2136.key_name`").count(), 1);
        let kept = stopped("It is not changed", &key, &why, false).detail().to_owned();
        assert!(kept.contains("The state keeps what it had"), "{kept}");
    }
}
