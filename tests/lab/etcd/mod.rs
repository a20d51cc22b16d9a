//! etcd clusters on real hosts, through real engines: what no local host can show, for it has no systemd, no other
//! machine, and no network that breaks. Most stories have a client that writes all the time.

mod amid;
mod certificates;
pub(crate) mod client;
pub(crate) mod cluster;

mod guide;
mod interrupted;
mod life;
mod restores;
mod secrets;
mod suffering;
mod sweep;
mod upgrade;
