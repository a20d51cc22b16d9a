//! What runs on a host: a small program that the provider starts there and speaks to over its standard input and output.
//!
//! `proto/agent.proto` is the whole list of what it can do. It listens on no port, and ends with its client; so do its
//! locks. What it leaves running are services: under systemd, or each under a process of `supervise`. Each call that changes something shows a lock, is noted in a journal before and after,
//! and goes on to its end even when the client is gone.
//!
//! Reading order: `serve` brings it up and ends it; `rpc` is the table of calls; `change` is what all mutating calls
//! have in common; the rest does the work, one module for each kind.

mod artifacts;
mod backup;
mod change;
mod clock;
mod dial;
mod facts;
mod fault;
mod files;
mod forward;
mod journal;
mod kubernetes;
mod life;
mod line;
mod listen;
mod lock;
mod machine;
mod mutex;
mod name;
mod options;
mod own;
mod packages;
mod part;
mod pki;
mod place;
mod probe;
mod program;
mod record;
mod recovery;
mod restore;
mod rpc;
mod run;
mod serve;
mod services;
mod snapshot;
mod state;
mod stdio;
mod supervise;
mod users;

pub use serve::run;
