//! What benches on local hosts share with tests and with each other. A bench imports all of it at its root, for the parts
//! name each other from there.

#[path = "../tests/support/binaries.rs"]
pub(crate) mod binaries;
#[path = "../tests/cli/directory.rs"]
pub(crate) mod directory;
#[path = "../tests/cli/engine.rs"]
#[allow(unused_imports, unused_macros, reason = "shared with tests")]
pub(crate) mod engine;
#[path = "floor.rs"]
pub(crate) mod floor;
#[path = "../tests/support/local_hosts.rs"]
pub(crate) mod local_hosts;
#[path = "../tests/control_plane/plane.rs"]
pub(crate) mod plane;
#[path = "../tests/cli/processes.rs"]
pub(crate) mod processes;
#[path = "report.rs"]
pub(crate) mod report;
#[path = "../tests/cli/run.rs"]
pub(crate) mod run;
#[path = "stack.rs"]
pub(crate) mod stack;
#[path = "turns.rs"]
pub(crate) mod turns;
