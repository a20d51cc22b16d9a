//! Files of the host. Works on open directories, so a path that changes meanwhile leads nowhere else.

pub(super) mod aside;
pub(super) mod calls;
pub(super) mod directory;
pub(super) mod look;
pub(super) mod owner;
pub(super) mod put;
pub(super) mod remove;
