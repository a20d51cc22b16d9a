//! The traits without their types: values as [`Datum`], private data as bytes. It is a thin
//! translation, so that the service is compiled once and not once per resource.

mod data_source;
mod ephemeral;
mod resource;

use std::future::Future;
use std::pin::Pin;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::error::Category;

pub(crate) use self::data_source::{AnyDataSource, erase_data_source};
pub(crate) use self::ephemeral::{AnyEphemeral, erase_ephemeral};
pub(crate) use self::resource::{AnyResource, erase_resource};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::Schema;
use crate::tfplugin::value::Datum;

type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A stored object without types. `identity` is null where there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saved {
    pub(crate) state: Datum,
    pub(crate) private: Bytes,
    pub(crate) identity: Datum,
}

/// The end of a write: what there is now, if anything.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) saved: Option<Saved>,
    pub(crate) diags: Diagnostics,
}

/// A plan without types.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub(crate) saved: Saved,
    pub(crate) replace: Vec<Path>,
    pub(crate) steps: Vec<String>,
    pub(crate) diags: Diagnostics,
}

/// An ephemeral result without types.
#[derive(Debug, Default)]
pub(crate) struct Leased {
    pub(crate) value: Datum,
    pub(crate) lease: Option<Bytes>,
    pub(crate) renew_at: Option<SystemTime>,
    pub(crate) diags: Diagnostics,
}

/// A typed implementation with its schemas.
struct Erased<T> {
    inner: T,
    schema: Schema,
    identity: Option<Schema>,
}

/// The value, or a return of what the diagnostics become.
macro_rules! or_return {
    ($result:expr, $otherwise:expr) => {
        match $result {
            Ok(value) => value,
            Err(diags) => return $otherwise(diags),
        }
    };
}
use or_return;

fn private<T: serde::de::DeserializeOwned>(bytes: &Bytes) -> Result<T, Diagnostics> {
    serde_json::from_slice(bytes).map_err(|err| {
        // The text of the error quotes what it found, and a lease may be a secret.
        let fault = match err.classify() {
            Category::Data => "no longer expected",
            Category::Syntax | Category::Eof | Category::Io => "not JSON",
        };
        let detail = format!("What stands in column {} is {fault}.", err.column());
        Diagnostic::error("The private data of the object cannot be read", detail)
            .hint(
                "It was written by another version of the provider; use that one, or a newer one.",
            )
            .into()
    })
}

/// Private data for a message; what was there before, and an error, when it cannot be written.
fn private_bytes<T: serde::Serialize>(
    private: &T,
    before: &Bytes,
    diags: &mut Diagnostics,
) -> Bytes {
    match serde_json::to_vec(private) {
        Ok(json) => json.into(),
        // Only a type whose own `Serialize` fails, as a map with keys that are no strings.
        Err(err) => {
            diags.push(
                Diagnostic::error("The private data of the object cannot be written", &err)
                    .hint("This is a bug in the provider; please report it."),
            );
            before.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_private_data_shows_nothing_of_it() {
        let told = private::<u32>(&Bytes::from("\"hunter2\"")).unwrap_err();
        let detail = told.iter().next().unwrap().detail();
        assert!(!detail.contains("hunter2"), "{detail}");
    }
}
