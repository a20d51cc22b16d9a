//! Configurations in the records of hosts: written as they are planned, and read back by an import. None has a secret.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::host::HostModel;
use crate::engine::record::Record;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::{Model, Timeouts, configured, format_duration};
use crate::tfplugin::value::Value;

/// The way to a host.
pub(super) fn host(way: &Value<HostModel>) -> Json {
    let host = way.or_default();
    json!({
        "address": host.address.known(), "port": host.port.known(),
        "user": host.user.known(), "connection": host.connection.known(),
        "host_key": host.host_key.known(), "transport": host.transport.known(),
        "root": host.root.known(),
    })
}

/// As it is written.
pub(super) fn duration(it: &Value<Duration>) -> Option<String> {
    it.known().map(|it| format_duration(*it))
}

/// Those of a resource.
pub(super) fn timeouts(it: &Value<Timeouts>) -> Option<Json> {
    it.known().map(|it| {
        json!({
            "create": duration(&it.create), "update": duration(&it.update),
            "read": duration(&it.read), "delete": duration(&it.delete),
        })
    })
}

/// What `json!` made of braces.
pub(super) fn object(applied: Json) -> Map<String, Json> {
    match applied {
        Json::Object(applied) => applied,
        _ => Map::new(),
    }
}

/// The model that a record tells of, but for what is computed. `what` is how people call such an object, `parts` what it
/// consists of, `has_parts` whether there are any.
pub(super) fn restored<M: Model>(
    record: &Record,
    what: &str,
    parts: &str,
    has_parts: impl Fn(&M) -> bool,
) -> Result<M, Diagnostics> {
    let unfit = |faults: &Diagnostics| {
        let none = format!("it has no {parts}.");
        let why = faults.iter().next().map_or(none.as_str(), Diagnostic::detail);
        let detail = format!("The {} {:?}: {why}", record.kind, record.name);
        let hint = "Use the provider that wrote it or a later one, or name another host of it.";
        let summary = format!("The record makes no {what}");
        Diagnostics::from(Diagnostic::error(summary, detail).hint(hint))
    };
    let mut applied = record.applied.clone();
    applied.insert("name".to_owned(), record.name.as_str().into());
    let model = configured::<M>(&Json::Object(applied)).map_err(|faults| unfit(&faults))?;
    if has_parts(&model) { Ok(model) } else { Err(unfit(&Diagnostics::new())) }
}
