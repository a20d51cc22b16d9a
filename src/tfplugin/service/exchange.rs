//! Values in and out of messages, with diagnostics for what does not fit.

use bytes::Bytes;

use crate::proto::tfplugin6::{DynamicValue, ResourceIdentityData};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::gate::{self, Breach, Rule};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::value::Datum;
use crate::tfplugin::wire::{self, WireError};

/// A block from a message.
pub(super) fn read(value: Option<&DynamicValue>, schema: &Schema) -> Result<Datum, Diagnostic> {
    wire::decode(value, schema.ty()).map_err(|err| unreadable(&err))
}

/// An identity from a message. One that does not fit the schema is none: it is made anew.
pub(super) fn read_identity(data: Option<&ResourceIdentityData>, schema: Option<&Schema>) -> Datum {
    let value = data.and_then(|it| it.identity_data.as_ref());
    schema.and_then(|schema| wire::decode(value, schema.ty()).ok()).unwrap_or_default()
}

/// A block for a message; a breach when it does not have the type of the schema.
pub(super) fn write(datum: &Datum, schema: &Schema) -> Result<DynamicValue, Breach> {
    wire::encode(datum, schema.ty())
        .map_err(|err| Breach { path: err.path().clone(), rule: Rule::Conforms })
}

/// An identity for a message; none for a type without one.
pub(super) fn write_identity(
    identity: &Datum,
    schema: Option<&Schema>,
) -> Result<Option<ResourceIdentityData>, Breach> {
    let Some(schema) = schema.filter(|_| !identity.is_null()) else { return Ok(None) };
    if !identity.is_wholly_known() {
        return Err(Breach { path: Path::default(), rule: Rule::KnownIdentity });
    }
    let identity_data = Some(write(identity, schema)?);
    Ok(Some(ResourceIdentityData { identity_data }))
}

/// An object to be stored, for a message: what breaks a rule is told and mended.
pub(super) fn write_stored(
    saved: &Datum,
    prior: &Datum,
    schema: &Schema,
    diags: &mut Diagnostics,
    mut breaches: Vec<Breach>,
) -> DynamicValue {
    breaches.extend(gate::stored_breaks(&schema.attributes, saved));
    let as_it_is = write(saved, schema).map_err(|breach| breaches.push(breach)).ok();
    let written = as_it_is.filter(|_| breaches.is_empty()).unwrap_or_else(|| {
        let mended = gate::mend(&schema.attributes, saved, prior);
        // What is mended has the type of the schema.
        write(&mended, schema).unwrap_or_else(|_| null())
    });
    diags.extend(gate::explain(&breaches));
    written
}

/// An identity for a message; the one that was sent, and an error, when it breaks a rule.
pub(super) fn write_identity_or(
    sent: Option<&ResourceIdentityData>,
    identity: &Datum,
    schema: Option<&Schema>,
    diags: &mut Diagnostics,
) -> Option<ResourceIdentityData> {
    write_identity(identity, schema).unwrap_or_else(|breach| {
        diags.extend(gate::explain(&[breach]));
        sent.cloned()
    })
}

/// The message of a null value. An absent one means the same, but is refused in some places.
pub(super) fn null() -> DynamicValue {
    // MessagePack's nil.
    DynamicValue { msgpack: Bytes::from_static(&[0xc0]), json: Bytes::new() }
}

fn unreadable(err: &WireError) -> Diagnostic {
    Diagnostic::error("The provider was sent a value that it cannot read", err)
        .at(err.path().clone())
        .hint("State and configuration must come from this or an older version of the provider.")
}
