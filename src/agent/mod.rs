//! What runs on a host: a small program that the provider starts there and speaks to over its standard input and output.
//!
//! `proto/agent.proto` is the whole list of what it can do. It listens on no port, keeps nothing running, and ends with
//! its client; so do its locks. Each call that changes something shows a lock, is noted in a journal before and after,
//! and goes on to its end even when the client is gone.
//!
//! Reading order: `serve` brings it up and ends it; `rpc` is the table of calls; `change` is what all mutating calls
//! have in common; the rest does the work, one module for each kind.

mod change;
mod clock;
mod facts;
mod fault;
mod files;
mod forward;
mod journal;
mod life;
mod line;
mod lock;
mod machine;
mod name;
mod options;
mod pki;
mod place;
mod program;
mod record;
mod rpc;
mod run;
mod serve;
mod services;
mod state;
mod stdio;
mod users;

pub use serve::run;
