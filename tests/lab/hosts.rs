//! The lab itself: its hosts are there, and each fault does what it says, seen from here and from another host.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cgroup;
use crate::claim::{links_with, mounts_below};
use crate::lab::{Lab, PASSWORD};
use crate::network::End;
use crate::program::{text, within};

/// Whether a host gets an answer from another.
fn pings(lab: &Lab, from: usize, to: usize) -> bool {
    let ping = format!("ping -q -c 1 -W 1 {}", lab.address(to));
    lab.ssh_as("root", from, &ping).status.success()
}

/// A session that lasts until something ends it.
fn session(lab: &Lab, host: usize) -> Child {
    let mut command = lab.ssh_command("root", host, "echo ready; sleep 600");
    let mut session = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(session.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    session
}

fn ends_within(bound: Duration, session: &mut Child) -> bool {
    within(bound, || session.try_wait().unwrap().is_some())
}

const SOON: Duration = Duration::from_secs(2);

#[test]
fn five_hosts_answer_within_a_bound() {
    let began = Instant::now();
    let Some(lab) = Lab::with_hosts(5) else { return };
    let took = began.elapsed();
    eprintln!("five hosts answered after {took:?}");
    assert!(took < Duration::from_mins(1), "{took:?}");

    let mut identities: Vec<_> = (0..5).map(|it| lab.ssh(it, "cat /etc/machine-id")).collect();
    for host in 0..5 {
        assert_eq!(lab.ssh(host, "systemctl is-system-running --wait").trim(), "running");
        assert_eq!(lab.ssh(host, "hostname").trim(), format!("h{host}"));
        assert_eq!(lab.ssh(host, "which haproxy keepalived").lines().count(), 2);
        assert!(pings(&lab, host, (host + 1) % 5));
    }
    identities.sort();
    identities.dedup();
    assert_eq!(identities.len(), 5);

    let memory: u64 = (0..5).map(|it| lab.memory(it)).sum();
    eprintln!("their processes have {} MiB of their own", memory / 1024);
}

#[test]
fn sudo_asks_one_user_for_a_password_and_the_other_for_nothing() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let try_as = |user, command: &str| lab.ssh_as(user, 0, command);

    assert_eq!(String::from_utf8_lossy(&try_as("ops", "sudo -n id -u").stdout), "0\n");
    assert!(text(&try_as("opspw", "sudo -n id -u")).contains("a password is required"));
    let told = try_as("opspw", &format!("echo {PASSWORD} | sudo -S -p '' id -u"));
    assert_eq!(String::from_utf8_lossy(&told.stdout), "0\n");
    assert!(!try_as("ops", "which haproxy").status.success());
}

/// A service that leaves a file behind when it is asked to stop.
const WITNESS: &str = "systemd-run --quiet --unit=witness --property='ExecStop=touch /root/stopped' sleep infinity; \
                       touch /root/before; sync";

#[test]
fn without_power_a_host_is_gone_at_once_and_closes_nothing() {
    let Some(lab) = Lab::with_plain_hosts(2) else { return };
    lab.ssh(0, WITNESS);
    let mut session = session(&lab, 0);

    lab.cut_power(0);
    assert!(!ends_within(SOON, &mut session), "somebody closed the connection");
    assert!(!pings(&lab, 1, 0));
    assert!(!lab.is_reachable(0));
    assert!(lab.is_reachable(1));
    assert!(ends_within(Duration::from_secs(20), &mut session), "keepalive should notice");

    lab.start(0);
    assert_eq!(lab.ssh(0, "ls /root").trim(), "before");
    assert!(pings(&lab, 1, 0));
}

#[test]
fn a_host_that_is_shut_down_stops_its_services_first() {
    let Some(lab) = Lab::with_plain_hosts(2) else { return };
    lab.ssh(0, WITNESS);
    let mut session = session(&lab, 0);

    lab.shut_down(0);
    assert!(ends_within(SOON, &mut session), "an orderly end closes connections");
    assert!(!lab.is_reachable(0));
    assert!(!pings(&lab, 1, 0));

    lab.start(0);
    assert_eq!(lab.ssh(0, "ls /root"), "before\nstopped\n");
}

#[test]
fn a_host_reboots_by_itself() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let (before, identity) = (lab.boot_id(0), lab.ssh(0, "cat /etc/machine-id"));
    lab.reboot(0);
    assert_ne!(lab.boot_id(0), before);
    assert_eq!(lab.ssh(0, "cat /etc/machine-id"), identity);
}

#[test]
fn an_isolated_host_is_reached_by_nobody_and_nobody_is_told() {
    let Some(lab) = Lab::with_plain_hosts(3) else { return };
    let mut session = session(&lab, 0);

    lab.isolate(0);
    assert!(!ends_within(SOON, &mut session), "somebody closed the connection");
    let refused = lab.ssh_as("root", 0, "true");
    assert!(text(&refused).contains("timed out"), "{}", text(&refused));
    assert!(!pings(&lab, 1, 0));
    assert!(pings(&lab, 1, 2));
    assert!(lab.is_reachable(1) && lab.is_reachable(2));

    lab.heal();
    assert!(lab.is_reachable(0));
    assert!(pings(&lab, 0, 2));
}

#[test]
fn isolation_outlives_a_power_loss() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    lab.isolate(0);
    lab.cut_power(0);
    lab.hosts[0].start(&lab.site);
    assert!(!within(Duration::from_secs(8), || lab.is_reachable(0)));
    lab.heal();
    lab.answers(0).unwrap();
}

#[test]
fn an_isolated_host_can_be_rebooted() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let before = lab.boot_id(0);
    let mut session = session(&lab, 0);
    lab.ssh(0, "systemd-run --quiet sh -c 'sleep 1; systemctl reboot'");
    lab.isolate(0);
    assert!(!ends_within(2 * SOON, &mut session), "somebody closed the connection");
    lab.heal();
    lab.answers(0).unwrap();
    assert_ne!(lab.boot_id(0), before);
}

#[test]
fn a_partition_parts_groups_and_hides_no_host_from_here() {
    let Some(lab) = Lab::with_plain_hosts(3) else { return };
    lab.partition(&[0], &[1, 2]);
    assert!(!pings(&lab, 0, 1));
    assert!(!pings(&lab, 2, 0));
    assert!(pings(&lab, 1, 2));
    assert!((0..3).all(|it| lab.is_reachable(it)));
    lab.heal();
    assert!(pings(&lab, 0, 1));
}

/// Echo requests that the host received since it booted.
fn echo_requests(lab: &Lab, host: usize) -> u32 {
    let both = lab.ssh(host, "grep ^Icmp: /proc/net/snmp");
    let (names, values) = both.trim().split_once('\n').unwrap();
    let at = names.split(' ').position(|it| it == "InEchos").unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

#[test]
fn a_way_can_be_blocked_in_one_direction() {
    let Some(lab) = Lab::with_plain_hosts(2) else { return };
    // Both know where the other is, so that requests need no answer to be sent.
    assert!(pings(&lab, 0, 1) && pings(&lab, 1, 0));
    let before = (echo_requests(&lab, 0), echo_requests(&lab, 1));

    lab.block(End::Host(0), End::Host(1));
    assert!(!pings(&lab, 0, 1));
    assert!(!pings(&lab, 1, 0));
    let after = (echo_requests(&lab, 0), echo_requests(&lab, 1));
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 0));

    lab.heal();
    lab.block(End::Here, End::Host(0));
    assert!(!lab.is_reachable(0));
    assert!(pings(&lab, 1, 0));
    lab.heal();
    assert!(lab.is_reachable(0));
}

#[test]
fn a_share_of_the_packets_is_lost() {
    let Some(lab) = Lab::with_plain_hosts(2) else { return };
    // Both know where the other is: a lost ARP request would take the echo requests behind it along.
    assert!(pings(&lab, 0, 1) && pings(&lab, 1, 0));
    lab.lose(30, End::Host(0), End::Host(1));
    let ping = format!("ping -q -c 400 -i 0.004 -W 1 {} || true", lab.address(1));
    let said = lab.ssh(0, &ping);
    let received: u32 =
        said.split(", ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    // 280 are expected; seven standard deviations to either side.
    assert!((216..=344).contains(&received), "{said}");
}

#[test]
fn an_unplugged_host_sees_it() {
    let Some(lab) = Lab::with_plain_hosts(2) else { return };
    let watch = "while [ $(cat /sys/class/net/host0/carrier) = 1 ]; do sleep 0.1; done; touch /root/unplugged";
    lab.ssh(0, &format!("systemd-run --quiet sh -c '{watch}'"));
    lab.unplug(0);
    assert!(!lab.is_reachable(0));
    assert!(!pings(&lab, 1, 0));
    lab.plug(0);
    lab.answers(0).unwrap();
    lab.ssh(0, "test -e /root/unplugged");
}

#[test]
fn a_frozen_host_takes_connections_and_says_nothing() {
    let Some(lab) = Lab::with_plain_hosts(2) else { return };
    lab.freeze(0);
    let mut stream = TcpStream::connect((lab.address(0), 22)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut banner = [0; 4];
    let silence = stream.read(&mut banner).unwrap_err();
    assert_eq!(silence.kind(), ErrorKind::WouldBlock);
    assert!(!lab.is_reachable(0));
    assert!(lab.is_reachable(1));
    let greeting = format!("timeout 2 bash -c 'read -r line </dev/tcp/{}/22'", lab.address(0));
    assert_eq!(lab.ssh_as("root", 1, &greeting).status.code(), Some(124));

    lab.thaw(0);
    stream.read_exact(&mut banner).unwrap();
    assert_eq!(&banner, b"SSH-");
    lab.answers(0).unwrap();
}

#[test]
fn a_full_disk_refuses_writes_until_it_is_freed() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let write = "echo something >/var/lib/data/file";
    lab.small_disk(0, "/var/lib/data", 8);
    lab.ssh(0, write);
    lab.fill(0, "/var/lib/data");
    let full = lab.ssh_as("root", 0, "cat /etc/passwd >/var/lib/data/other");
    assert!(text(&full).contains("No space left on device"), "{}", text(&full));
    lab.ssh(0, "echo something >/var/lib/elsewhere");
    lab.free(0, "/var/lib/data");
    lab.ssh(0, write);
    let elsewhere = lab.ssh_as("root", 0, "mountpoint /var/lib");
    assert!(!elsewhere.status.success(), "only what was asked for is a file system");
}

#[test]
fn a_rebuilt_host_is_another_machine_of_the_same_name() {
    let Some(lab) = Lab::with_plain_hosts(2) else { return };
    lab.ssh(0, "touch /root/before");
    let look = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub";
    let (before, known) = (lab.ssh(0, look), fs::read_to_string(lab.known_hosts()).unwrap());

    lab.cut_power(0);
    lab.rebuild(0);
    let after = lab.ssh(0, look);
    for (old, new) in before.lines().zip(after.lines()) {
        assert_ne!(old, new);
    }
    assert_eq!(lab.ssh(0, "hostname; ls /root").trim(), "h0");
    assert!(pings(&lab, 1, 0));

    fs::write(lab.known_hosts(), known).unwrap();
    let refused = lab.ssh_as("root", 0, "true");
    assert!(text(&refused).contains("Host key verification failed"), "{}", text(&refused));
    assert!(lab.is_reachable(1));
}

/// What a lab of that name has on this machine.
fn traces(name: &str, directory: &Path) -> Vec<String> {
    let mut found = mounts_below(directory);
    found.extend(links_with(&format!("vb-{name}-")));
    found.extend(links_with(name));
    let traces = Path::new("/run/systemd/nspawn/propagate");
    let traces = fs::read_dir(traces).into_iter().flatten().flatten();
    let traces = traces.map(|it| it.path().display().to_string());
    found.extend(traces.filter(|it| it.contains(&format!("/{name}-"))));
    for host in cgroup::names(&format!("{name}-")) {
        found.extend(cgroup::processes(&host).iter().map(|it| format!("process {it}")));
        found.push(host);
    }
    let tables = crate::program::run("nft", &["list", "tables", "bridge"]).unwrap();
    found.extend(
        tables.lines().filter(|it| *it == format!("table bridge {name}")).map(String::from),
    );
    if directory.exists() {
        found.push(directory.display().to_string());
    }
    found
}

#[test]
fn a_lab_that_ends_leaves_nothing() {
    let Some(lab) = Lab::with_plain_hosts(2) else { return };
    let (name, directory) = (lab.name().to_owned(), lab.directory().to_owned());
    lab.freeze(0);
    lab.isolate(1);
    assert!(8 <= traces(&name, &directory).len());
    drop(lab);
    assert_eq!(traces(&name, &directory), [""; 0]);
}

/// A lab in a process of its own: its name, and the directory.
fn lab_elsewhere() -> (Child, String, String) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "hosts::a_lab_of_another_process"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let (name, directory) = line.trim().split_once(' ').unwrap();
    (child, name.to_owned(), directory.to_owned())
}

#[test]
#[ignore = "started by the test of leftovers"]
fn a_lab_of_another_process() {
    let lab = Lab::with_plain_hosts(1).unwrap();
    eprintln!("{} {}", lab.name(), lab.directory().display());
    // Until the parent lets go, or is gone itself.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn what_a_killed_lab_left_is_cleaned_and_a_living_one_is_left_alone() {
    let Some(own) = Lab::with_plain_hosts(1) else { return };
    let (mut killed, name, directory) = lab_elsewhere();
    assert_ne!(name, own.name());
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = traces(&name, Path::new(&directory));
    assert!(left.iter().any(|it| it.starts_with("process")), "{left:?}");

    // The next one takes the name again, so its own traces are told by their age.
    let (mut next, next_name, _) = lab_elsewhere();
    let now = traces(&name, Path::new(&directory));
    assert_eq!(next_name, name);
    let is_old = |it: &&String| it.starts_with("process") && left.contains(it);
    assert_eq!(now.iter().find(is_old), None);
    assert!(own.is_reachable(0));

    drop(next.stdin.take());
    assert!(next.wait().unwrap().success());
    assert_eq!(traces(&name, Path::new(&directory)), [""; 0]);
    assert!(own.is_reachable(0));
}
