//! etcd clusters on real hosts, through real engines: what no local host can show, for it has no systemd, no other
//! machine, and no network that breaks. Most stories have a client that writes all the time.

mod certificates;
mod client;
mod cluster;

mod life;
mod secrets;
mod upgrade;
