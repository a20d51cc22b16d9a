//! The bridge of a lab, and what gets lost on it.
//!
//! Packets are dropped by nftables between the ports of the bridge, so nobody is told: no FIN, no ICMP. The rules name
//! ports, not addresses, so they hold for virtual addresses and ARP too, and outlive a restart of a host.

use crate::claim::Claim;
use crate::program::run;

/// One end of a way through the network.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// The machine of the test.
    Here,
    /// The host with this number.
    Host(usize),
    /// All of them, and the machine of the test.
    Anyone,
}

/// Makes the bridge with its address and the table without rules.
pub(crate) fn create(of: &Claim) -> Result<(), String> {
    let name = of.name();
    run("ip", &["link", "add", &name, "type", "bridge"])?;
    run("ip", &["address", "add", &format!("{}/24", of.address(1)), "dev", &name])?;
    run("ip", &["link", "set", &name, "up"])?;
    run("nft", &[&table(&name)])?;
    Ok(())
}

fn table(name: &str) -> String {
    let chains = ["forward", "input", "output"]
        .map(|it| format!("chain {it} {{ type filter hook {it} priority 0; }}"))
        .join("\n");
    format!("table bridge {name} {{\n{chains}\n}}")
}

/// The port of a machine on the bridge, as systemd-nspawn calls it.
pub(crate) fn port(machine: &str) -> String {
    format!("vb-{machine}")
}

/// Drops that share of the packets on the one way.
pub(crate) fn drop_some(lab: &str, percent: u8, from: End, to: End) {
    let share =
        if percent < 100 { format!("numgen random mod 100 < {percent} ") } else { String::new() };
    for (chain, ports) in ways(lab, from, to) {
        run("nft", &[&format!("add rule bridge {lab} {chain} {ports} {share}drop")]).unwrap();
    }
}

/// Where such packets pass, and how they are told from others.
fn ways(lab: &str, from: End, to: End) -> Vec<(&'static str, String)> {
    let port = |host| port(&format!("{lab}-h{host}"));
    let enters = |host| format!("iifname {}", port(host));
    let leaves = |host| format!("oifname {}", port(host));
    match (from, to) {
        (End::Host(from), End::Host(to)) => {
            vec![("forward", format!("{} {}", enters(from), leaves(to)))]
        }
        (End::Host(from), End::Here) => vec![("input", enters(from))],
        (End::Host(from), End::Anyone) => vec![("forward", enters(from)), ("input", enters(from))],
        (End::Here, End::Host(to)) => vec![("output", leaves(to))],
        (End::Anyone, End::Host(to)) => vec![("forward", leaves(to)), ("output", leaves(to))],
        (End::Here | End::Anyone, End::Here | End::Anyone) => panic!("a way has a host at one end"),
    }
}

/// Forgets every rule.
pub(crate) fn heal(lab: &str) {
    run("nft", &[&format!("flush table bridge {lab}")]).unwrap();
}

/// Pulls the cable of a machine, or plugs it in again.
pub(crate) fn cable(machine: &str, plugged: bool) {
    let state = if plugged { "up" } else { "down" };
    run("ip", &["link", "set", &port(machine), state]).unwrap();
}

/// Takes the port away, and with it the network card of the machine.
pub(crate) fn remove(machine: &str) {
    run("ip", &["link", "delete", &port(machine)]).unwrap();
}
