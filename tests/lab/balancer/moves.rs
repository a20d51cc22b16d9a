//! When hosts got and lost an address, as their kernels tell it. All hosts have one clock, that of this machine.

use std::time::Duration;

use crate::lab::Lab;

/// Notes what happens to the addresses of some hosts.
pub(crate) struct Moves<'a> {
    lab: &'a Lab,
    hosts: Vec<usize>,
    address: String,
}

/// What a kernel has told.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Event {
    /// Seconds of the day.
    at: f64,
    host: usize,
    has: bool,
}

impl<'a> Moves<'a> {
    pub(crate) fn watch(lab: &'a Lab, hosts: &[usize], address: String) -> Self {
        for host in hosts {
            lab.ssh(
                *host,
                "systemctl stop moves 2>/dev/null; rm -f /root/moves; \
                 systemd-run --quiet --unit=moves -p StandardOutput=file:/root/moves ip -ts monitor address && \
                 until pgrep -x ip >/dev/null; do :; done",
            );
        }
        Self { lab, hosts: hosts.to_vec(), address }
    }

    /// The longest time for which two of the hosts had it, and how often one got it, since the watch began. `first` has it
    /// at the beginning.
    pub(crate) fn since(&self, first: usize) -> (Duration, usize) {
        let mut events = Vec::new();
        for host in &self.hosts {
            let told = self.lab.ssh(*host, "cat /root/moves");
            events.extend(read(&told, *host, &self.address));
        }
        judge(events, first)
    }
}

/// `[2026-11-29T18:02:03.123456] Deleted 2: host0    inet 10.77.0.200/24 …`
fn read(told: &str, host: usize, address: &str) -> Vec<Event> {
    let event = |line: &str| {
        if !line.contains(&format!(" {address}/")) {
            return None;
        }
        let (_, rest) = line.split_once('T')?;
        let (time, rest) = rest.split_once(']')?;
        let mut parts = time.split(':').map(|it| it.parse::<f64>().ok());
        let mut next = || parts.next().flatten();
        let at = next()? * 3600.0 + next()? * 60.0 + next()?;
        Some(Event { at, host, has: !rest.trim_start().starts_with("Deleted") })
    };
    told.lines().filter_map(event).collect()
}

fn judge(mut events: Vec<Event>, first: usize) -> (Duration, usize) {
    events.sort_by(|a, b| a.at.total_cmp(&b.at));
    let (mut holders, mut both_since) = (std::collections::BTreeSet::from([first]), None);
    let (mut longest, mut gained) = (0.0_f64, 0);
    for event in events {
        if event.has {
            // An address that is refreshed is told of, too.
            gained += usize::from(holders.insert(event.host));
        } else {
            holders.remove(&event.host);
        }
        match (1 < holders.len(), both_since) {
            (true, None) => both_since = Some(event.at),
            (false, Some(since)) => {
                longest = longest.max(event.at - since);
                both_since = None;
            }
            _ => {}
        }
    }
    let is_open = both_since.is_some();
    assert!(!is_open, "two hosts still have it");
    (Duration::from_secs_f64(longest), gained)
}

#[test]
fn the_time_with_two_holders_is_found() {
    let told = "[2026-11-29T18:02:03.100000] 2: host0    inet 10.77.0.200/24 scope global secondary host0\n       \
                valid_lft forever preferred_lft forever\n\
                [2026-11-29T18:02:05.000000] 2: host0    inet 10.77.0.20/24 scope global host0\n";
    let mut events = read(told, 1, "10.77.0.200");
    let deleted = "[2026-11-29T18:02:03.400000] Deleted 2: host0    inet 10.77.0.200/24 scope global secondary host0\n";
    events.extend(read(deleted, 0, "10.77.0.200"));
    let (both, gained) = judge(events, 0);
    assert_eq!((both.as_millis(), gained), (300, 1));
}
