//! Balancers on real hosts, through real engines: what no local host can show, for it has no systemd, no keepalived and no
//! address that moves. What stands behind them are small TLS servers that answer `/readyz`, no API servers.

pub(crate) mod faults;
mod front;
mod ipv6;
mod life;
pub(crate) mod load;
mod moves;
mod refusals;
mod servers;
mod sweep;
