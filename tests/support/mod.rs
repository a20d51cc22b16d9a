//! What tests of the process share.

pub(crate) mod identity;
pub(crate) mod plugin_client;
