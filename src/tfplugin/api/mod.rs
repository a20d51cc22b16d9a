//! What a provider implements: the provider itself, its resources, data sources and ephemeral
//! resources, each with typed configuration, state and private data.

mod context;
mod data_source;
mod ephemeral;
mod erased;
mod provider;
mod resource;

pub use context::Context;
pub use data_source::{Answer, DataSource};
pub use ephemeral::{Ephemeral, Opened, Renewed};
pub(crate) use erased::{
    AnyDataSource, AnyEphemeral, AnyResource, Saved, Written, erase_data_source, erase_ephemeral,
    erase_resource,
};
pub use provider::{Client, Provider, Registry};
pub use resource::{
    Applied, Created, Deleted, ImportKey, Imported, Object, Planning, Read, Resource, Wanted,
};
