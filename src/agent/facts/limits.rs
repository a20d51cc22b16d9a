//! What the system grants to services.

use super::system;
use crate::agent::fault::Fault;
use crate::agent::place::Root;
use crate::agent::services;

/// `CAP_SYS_RESOURCE`: who has it may raise limits (`capabilities(7)`).
const MAY_RAISE: u64 = 1 << 24;

/// The most open files that a service may be given: whoever starts it may not have more than its own hard limit, unless it
/// may raise that, up to what the kernel has at all.
pub(super) fn open_files(root: &Root) -> Result<u64, Fault> {
    let starter = if services::are_systemd(root) { "1" } else { "self" };
    let all = system::read("/proc/sys/fs/nr_open")?;
    let limits = system::read(&format!("/proc/{starter}/limits"))?;
    let status = system::read(&format!("/proc/{starter}/status"))?;
    Ok(most(&all, &limits, &status))
}

fn most(all: &str, limits: &str, status: &str) -> u64 {
    let all = all.trim().parse().unwrap_or(u64::MAX);
    let line = |text: &str, name: &str| {
        text.lines().find_map(|it| it.strip_prefix(name).map(str::to_owned)).unwrap_or_default()
    };
    let may = u64::from_str_radix(line(status, "CapEff:").trim(), 16).unwrap_or_default();
    if may & MAY_RAISE != 0 {
        return all;
    }
    let hard = line(limits, "Max open files");
    hard.split_whitespace().nth(1).and_then(|it| it.parse().ok()).map_or(all, |it: u64| it.min(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_raise_limits_has_what_the_kernel_has() {
        let limits = "Limit   Soft Limit   Hard Limit   Units\n\
                      Max processes             7823                 7823                 processes\n\
                      Max open files            1024                 20000                files\n";
        let status =
            |capabilities: &str| format!("Name:\tsystemd\nCapEff:\t{capabilities}\nX:\t1\n");
        assert_eq!(most("1048576\n", limits, &status("000001ffffffffff")), 1_048_576);
        assert_eq!(most("1048576\n", limits, &status("00000000fdecafff")), 1_048_576);
        assert_eq!(most("1048576\n", limits, &status("00000000fcecafff")), 20_000);
        assert_eq!(most("10000\n", limits, &status("0")), 10_000);
        let unlimited = limits.replace("20000", "unlimited");
        assert_eq!(most("1048576\n", &unlimited, &status("0")), 1_048_576);
    }
}
