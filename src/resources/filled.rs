//! What stands in for values that are not known yet, so that the rest can be judged before anything is built.

use std::net::IpAddr;

use super::host::HostModel;
use crate::tfplugin::value::Value;

/// Whether all was known so far.
pub(super) struct Fill(pub(super) bool);

impl Fill {
    /// A value, and what is taken for it when it was left out or is not known.
    pub(super) fn value<T>(&mut self, value: &mut Value<T>, otherwise: T) {
        self.0 &= !value.is_unknown();
        if !value.is_known() {
            *value = Value::Known(otherwise);
        }
    }

    /// The same for a text.
    pub(super) fn text(&mut self, value: &mut Value<String>, otherwise: &str) {
        self.value(value, otherwise.to_owned());
    }

    /// A host and its address, which is `free` when it is not known: one that nobody else has.
    pub(super) fn place(
        &mut self,
        host: &mut Value<HostModel>,
        address: &mut Value<String>,
        free: IpAddr,
    ) {
        let is_open = host.known().is_none_or(|it| it.address.is_unknown());
        self.value(host, HostModel::default());
        if address.is_unknown() || is_open && address.is_null() {
            (self.0, *address) = (false, Value::Known(free.to_string()));
        }
        if let Value::Known(host) = host
            && host.transport.is_unknown()
        {
            // Then a loopback address is not refused.
            (self.0, host.transport) = (false, Value::Known("local".to_owned()));
        }
    }
}
