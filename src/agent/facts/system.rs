//! The operating system and the machine.
#![expect(
    clippy::disallowed_methods,
    reason = "reads what the kernel and the distribution say about themselves"
)]

use std::fs;
use std::thread::available_parallelism;

use rustix::system::uname;

use crate::agent::fault::Fault;
use crate::proto::agent::{FactsReply, Memory, OperatingSystem};

/// The part of the facts that has no subject.
pub(super) fn look() -> Result<FactsReply, Fault> {
    let kernel = uname();
    let text = |it: &std::ffi::CStr| it.to_string_lossy().into_owned();
    Ok(FactsReply {
        // Absent in a bare container; then there is nothing to say about it.
        os: Some(release()?),
        architecture: text(kernel.machine()),
        kernel: text(kernel.release()),
        hostname: text(kernel.nodename()),
        boot_id: read("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
        memory: Some(memory(&read("/proc/meminfo")?)),
        user: rustix::process::geteuid().as_raw(),
        selinux: selinux(&optional("/sys/fs/selinux/enforce")?).to_owned(),
        processors: available_parallelism().map_or(1, |it| u32::try_from(it.get()).unwrap_or(1)),
        ..FactsReply::default()
    })
}

/// What the distribution says about itself.
pub(crate) fn release() -> Result<OperatingSystem, Fault> {
    Ok(operating_system(&optional("/etc/os-release")?))
}

pub(in crate::agent) fn read(path: &str) -> Result<String, Fault> {
    let bytes = fs::read(path).map_err(Fault::failed(format!("read {path}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Empty when there is no such file.
pub(in crate::agent) fn optional(path: &str) -> Result<String, Fault> {
    match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Fault::failed(format!("read {path}"))(error)),
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn operating_system(text: &str) -> OperatingSystem {
    let value = |name: &str| {
        let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
    };
    OperatingSystem {
        id: value("ID"),
        version: value("VERSION_ID"),
        name: value("PRETTY_NAME"),
        like: value("ID_LIKE").split_whitespace().map(str::to_owned).collect(),
    }
}

fn selinux(enforce: &str) -> &'static str {
    match enforce.trim() {
        "" => "",
        "0" => "permissive",
        _ => "enforcing",
    }
}

fn memory(text: &str) -> Memory {
    let value = |name: &str| {
        let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|it| it.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        number.unwrap_or_default().saturating_mul(1024)
    };
    Memory { total: value("MemTotal"), available: value("MemAvailable") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_file() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\nID_LIKE='a b'\n";
        let os = operating_system(text);
        assert_eq!((os.id.as_str(), os.version.as_str()), ("debian", "12"));
        assert_eq!(os.name, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(os.like, ["a", "b"]);
        assert_eq!(operating_system(""), OperatingSystem::default());
    }

    #[test]
    fn the_memory_file() {
        let text = "MemTotal:       16 kB\nMemFree:   1 kB\nMemAvailable:    8 kB\n";
        assert_eq!(memory(text), Memory { total: 16384, available: 8192 });
    }

    #[test]
    fn the_file_of_selinux() {
        assert_eq!(["", "0", "1"].map(selinux), ["", "permissive", "enforcing"]);
    }

    #[test]
    fn this_machine() {
        let facts = look().unwrap();
        assert!(!facts.boot_id.is_empty() && !facts.architecture.is_empty());
        assert!(facts.processors > 0 && facts.memory.unwrap().total > 0);
    }
}
