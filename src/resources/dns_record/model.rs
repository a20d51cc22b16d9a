//! What is written about a record set.

use std::collections::BTreeSet;

use crate::domain::dns::{Key, KeyError, Name, Records};
use crate::model;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::Timeouts;
use crate::tfplugin::path::Path;
use crate::tfplugin::value::{Datum, Value};

model! {
    /// All records of one name and type in a zone, changed by dynamic updates (RFC 2136) on the server that the
    /// provider names under `dns`.
    ///
    /// Every update has a prerequisite: a record set that somebody else made is neither merged into nor overwritten,
    /// and records and time to live change in one message, so that no question is answered by less than one of the two.
    pub(crate) struct DnsRecordModel {
        /// `zone/name/type` in lower case.
        id: Value<String> = computed(),
        /// Zone that the name is in. A dot at the end and upper case mean nothing.
        zone: Value<String> = required().replaces().same_when(same_name).check(text("a name of the DNS", is_name)),
        /// Name without the zone; `@` is the zone itself.
        name: Value<String> = required().replaces().same_when(same_name).check(text("`@`, or a name of the DNS", |it| it == "@" || is_name(it))),
        /// Type of the records.
        r#type: Value<String> = required().replaces().check(one_of(&["A", "AAAA", "CNAME", "TXT"])),
        /// How long others may keep the records, in seconds. Addresses that are to move within a minute need a short one.
        ttl: Value<i64> = optional().default(30).changes_online().check(between(0, i64::from(i32::MAX))),
        /// Addresses, the one name of a CNAME, or texts. They are compared as the DNS does, and keep their spelling.
        records: Value<BTreeSet<String>> = required().changes_online().check(not_empty()),
        /// What to do about a record set of this name and type that exists already: `fail`, or `adopt` and replace it.
        /// One that is already exactly the wanted one is taken over with a warning.
        on_conflict: Value<String> = optional().default("fail").records_change().check(one_of(&["fail", "adopt"])),
        /// Who must show a change before it is done: the `primary` that took it, or `all` name servers of the zone,
        /// within `timeouts`. One that cannot be asked is a warning. They are asked at port 53, or at the port where
        /// `dns.rfc2136.servers` lists their address.
        wait_for: Value<String> = optional().default("primary").records_change().check(one_of(&["primary", "all"])),
        /// The whole name, in lower case and without a dot at the end.
        fqdn: Value<String> = computed(),
        /// How long each operation may take. An apply tries until then; a read tries as often as
        /// `dns.rfc2136.retries` says.
        timeouts: Value<Timeouts> = timeouts(180, 180, 30, 180),
    }
}

model! {
    /// What identifies a record set.
    pub(crate) struct DnsRecordIdentity {
        /// Zone that the name is in.
        zone: Value<String> = required(),
        /// Name without the zone; `@` is the zone itself.
        name: Value<String> = required(),
        /// Type of the records: `A`, `AAAA`, `CNAME` or `TXT`.
        r#type: Value<String> = required(),
    }
}

/// Times to live of addresses outside of these are told, in seconds: shorter ones load the servers, longer ones delay
/// every move.
const USUAL_TTL: std::ops::RangeInclusive<i64> = 5..=300;

/// The place that the model names, if it is known and there is such a place.
pub(super) fn key(model: &DnsRecordModel) -> Option<Key> {
    place(model)?.ok()
}

fn place(model: &DnsRecordModel) -> Option<Result<Key, KeyError>> {
    Some(Key::new(model.zone.known()?, model.name.known()?, model.r#type.known()?))
}

/// Zone, name and type together.
pub(super) fn check_place(model: &DnsRecordModel) -> Diagnostics {
    let fault = |err: &KeyError| {
        let attribute = if matches!(err, KeyError::AliasOfZone) { "type" } else { "name" };
        Diagnostic::error("There can be no such DNS record", err).at(Path::root(attribute))
    };
    match place(model) {
        Some(Err(err)) => fault(&err).into(),
        Some(Ok(key)) => whole_name(&key).into_iter().collect(),
        None => Diagnostics::new(),
    }
}

/// `api.example.test` in the zone `example.test` is possible, and nearly always a mistake.
fn whole_name(key: &Key) -> Option<Diagnostic> {
    let relative: Name = key.relative().parse().ok()?;
    let shorter = relative.relative_to(&key.zone)?;
    let detail = format!(
        "`name` is without the zone, so this record is {}. For {relative} write `{shorter}`.",
        key.name
    );
    let summary = "The name of a DNS record ends with its zone";
    Some(Diagnostic::warning(summary, detail).at(Path::root("name")))
}

pub(super) fn check_ttl(model: &DnsRecordModel) -> Option<Diagnostic> {
    let ttl = model.ttl.known()?;
    let is_address = model.r#type.known().is_some_and(|it| it == "A" || it == "AAAA");
    if !is_address || USUAL_TTL.contains(ttl) {
        return None;
    }
    let detail = if *ttl < *USUAL_TTL.start() {
        "Clients will ask for it all the time, and some keep it longer anyway."
    } else {
        "When the address moves, clients will go to the old one for that long."
    };
    let summary = format!("A time to live of {ttl} s is unusual for an address");
    Some(Diagnostic::warning(summary, detail).hint("30 to 60 s are usual.").at(Path::root("ttl")))
}

/// An import: what is not on the server is as the defaults say.
pub(super) fn imported(key: &Key, records: &Records) -> DnsRecordModel {
    DnsRecordModel {
        id: key.to_string().into(),
        zone: key.zone.to_string().into(),
        name: key.relative().to_owned().into(),
        r#type: key.ty.to_string().into(),
        ttl: i64::from(records.ttl).into(),
        records: records.data.iter().map(ToString::to_string).collect::<BTreeSet<_>>().into(),
        on_conflict: "fail".into(),
        wait_for: "primary".into(),
        fqdn: key.name.to_string().into(),
        timeouts: Value::Null,
    }
}

fn is_name(text: &str) -> bool {
    text.parse::<Name>().is_ok()
}

fn same_name(one: &Datum, other: &Datum) -> bool {
    let name = |it: &Datum| it.as_str().and_then(|it| it.parse::<Name>().ok());
    one == other || name(one).is_some_and(|it| Some(it) == name(other))
}
