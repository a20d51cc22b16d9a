//! Hosts as an id of an import has them.

use super::KeyError;
use crate::resources::host::HostModel;
use crate::tfplugin::value::Value;

/// Before the root of a local host in an id.
const LOCAL: &str = "local:";

/// What a host is called in an id.
pub(super) fn place_of(text: &str) -> Result<HostModel, KeyError> {
    let is_port = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    if let Some(root) = text.strip_prefix(LOCAL).filter(|it| !is_port(it) || it.is_empty()) {
        let (transport, root) = ("local".into(), root.into());
        return Ok(HostModel { transport, root, ..HostModel::default() });
    }
    // Some directories have users with an `@`.
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (user.into(), rest),
        None => (Value::Null, text),
    };
    let (address, port) = match rest.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((inside, "")) => (inside, None),
        Some((inside, after)) => match after.strip_prefix(':') {
            Some(port) => (inside, Some(port)),
            None => (rest, None),
        },
        // More than one colon is an IPv6 address, or nothing.
        None => match rest.split_once(':') {
            Some((address, port)) if !port.contains(':') => (address, Some(port)),
            _ => (rest, None),
        },
    };
    if address.is_empty() {
        return Err(KeyError::NoHost);
    }
    let port = port.map(|it| match it.parse() {
        Ok(port) if is_port(it) => Ok(port),
        _ => Err(KeyError::Port(it.to_owned())),
    });
    let (address, port) = (address.into(), port.transpose()?.into());
    Ok(HostModel { address, port, user, transport: "ssh".into(), ..HostModel::default() })
}

/// The part of an id that leads to the host.
pub(super) fn place(host: &HostModel) -> String {
    if host.is_local() == Some(true) {
        return format!("{LOCAL}{}", host.root.known().map_or("", String::as_str));
    }
    let user = host.user.known().map(|it| format!("{it}@")).unwrap_or_default();
    let address = host.address.known().map_or("", String::as_str);
    match host.port.known() {
        Some(port) if address.contains(':') && !address.starts_with('[') => {
            format!("{user}[{address}]:{port}")
        }
        Some(port) => format!("{user}{address}:{port}"),
        None => format!("{user}{address}"),
    }
}

/// How to bring an object into a state that has lost it, by one of its hosts: a part of a sentence.
pub fn way_in(of: &str, name: &str, host: &HostModel) -> String {
    if let Some(connection) = host.connection.known() {
        // No id names a connection.
        let address = host.address.known().map_or("", String::as_str);
        return format!(
            "an `import` block with `identity = {{ name = {name:?}, address = {address:?}, connection = {connection:?} }}`"
        );
    }
    let id = format!("{name}@{}", place(host));
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "@:./_-".contains(it);
    let id = if id.chars().all(is_plain) { id } else { format!("'{}'", id.replace('\'', r"'\''")) };
    format!("`terraform import {of}.NAME {id}`, where NAME is that of this block")
}
