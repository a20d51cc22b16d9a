//! Records as the user spells them.

use std::collections::{BTreeMap, BTreeSet};

use super::DnsRecordModel;
use crate::domain::dns::{Data, Records, Type};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// Bytes of all records together: a message has 65535, of which some are for names and the signature.
const MOST_BYTES: usize = 60_000;

/// Every record that is none of its type, or is there twice.
pub(super) fn check(config: &DnsRecordModel) -> Diagnostics {
    let mut told = Diagnostics::new();
    let mut fault = |summary: &str, detail: String| {
        told.push(Diagnostic::error(summary, detail).at(Path::root("records")));
    };
    let ty = config.r#type.known().and_then(|it| it.parse::<Type>().ok());
    let (Some(ty), Some(texts)) = (ty, config.records.known()) else { return told };
    let mut seen: BTreeMap<Data, &String> = BTreeMap::new();
    for text in texts {
        match Data::parse(ty, text) {
            Err(err) => {
                let mut detail = format!("{err}");
                if let Some(source) = std::error::Error::source(&err) {
                    detail = format!("{detail}: {source}");
                }
                fault(&format!("A record is none of type {ty}"), format!("{detail}."));
            }
            Ok(data) => {
                if let Some(other) = seen.insert(data, text) {
                    let detail = format!("{other:?} and {text:?} are the same record.");
                    fault("A record is there twice", format!("{detail} Leave one of them out."));
                }
            }
        }
    }
    if ty == Type::Cname && 1 < texts.len() {
        let detail = format!("A CNAME is one other name, and there are {}.", texts.len());
        fault("An alias has several names", detail);
    }
    if MOST_BYTES < texts.iter().map(String::len).sum() {
        let detail = format!("Together they may have {MOST_BYTES} bytes.");
        fault("The records do not fit into one message", detail);
    }
    told
}

/// Whether two sets mean the same. What is not known or no record is different.
pub(super) fn are_same(
    ty: Type,
    one: &Value<BTreeSet<String>>,
    other: &Value<BTreeSet<String>>,
) -> bool {
    let read = |it: &Value<BTreeSet<String>>| -> Option<BTreeSet<Data>> {
        it.known()?.iter().map(|it| Data::parse(ty, it).ok()).collect()
    };
    read(one).is_some_and(|it| Some(it) == read(other))
}

/// What was seen, in the spelling of `own` where that means the same.
pub(super) fn in_words_of(own: &BTreeSet<String>, seen: &Records, ty: Type) -> BTreeSet<String> {
    let own: BTreeMap<_, _> =
        own.iter().filter_map(|it| Some((Data::parse(ty, it).ok()?, it))).collect();
    let word = |it: &Data| own.get(it).map_or_else(|| it.to_string(), |it| (*it).clone());
    seen.data.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &str) -> BTreeSet<String> {
        texts.split(' ').map(str::to_owned).collect()
    }

    fn check_of(ty: &str, texts: &str) -> Vec<String> {
        let config = DnsRecordModel {
            r#type: ty.into(),
            records: set(texts).into(),
            ..DnsRecordModel::default()
        };
        check(&config).iter().map(|it| it.detail().to_owned()).collect()
    }

    #[test]
    fn each_wrong_record_is_told() {
        let check = |ty, texts: &str, wanted: &[&str]| {
            let told = check_of(ty, texts);
            assert_eq!(told.len(), wanted.len(), "{told:?}");
            for (told, wanted) in told.iter().zip(wanted) {
                assert!(told.contains(wanted), "{told}");
            }
        };
        check("A", "10.0.0.1 10.0.0.2", &[]);
        check("A", "10.0.0.1 ::1 x", &["\"::1\" is no IPv4", "\"x\" is no IPv4"]);
        check("AAAA", "::1 0::1", &["\"0::1\" and \"::1\" are the same record"]);
        check("CNAME", "a.b A.b.", &["are the same", "there are 2"]);
        check("CNAME", "a_b..c", &["is no name: a label is empty"]);
        check("TXT", &"x".repeat(60_001), &["60000 bytes"]);
    }

    #[test]
    fn what_is_seen_keeps_the_spelling_of_the_user() {
        let own = set("2001:DB8:0::1 ::2");
        let data = ["2001:db8::1", "::3"].map(|it| Data::parse(Type::Aaaa, it).unwrap());
        let seen = Records { ttl: 30, data: data.into() };
        assert_eq!(in_words_of(&own, &seen, Type::Aaaa), set("2001:DB8:0::1 ::3"));
    }

    #[test]
    fn sets_are_the_same_in_any_spelling() {
        let check = |ty, one: &str, other: &str, same: bool| {
            assert_eq!(are_same(ty, &set(one).into(), &set(other).into()), same, "{one} {other}");
        };
        check(Type::Aaaa, "::1 ::2", "0::2 0::1", true);
        check(Type::Aaaa, "::1", "::1 ::2", false);
        check(Type::Cname, "A.test.", "a.test", true);
        check(Type::Txt, "A", "a", false);
        assert!(!are_same(Type::A, &Value::Unknown, &Value::Unknown));
    }
}
