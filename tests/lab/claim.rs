//! What a lab has on this machine outside its own process, and how all of it goes again.
//!
//! Everything carries the name of the lab: a bridge, an nftables table, cgroups with the processes, and a directory with
//! the mounts. So nothing needs to be written down before it is made, and nothing is missed after a kill. A lab holds
//! a lock on its directory as long as its process lives; whoever gets that lock may clean.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup;
use crate::program::{run, within};

/// More labs at once than any machine bears.
const MOST_LABS: u8 = 100;

/// Of one lab: a name, a directory and a /24.
pub(crate) struct Claim {
    number: u8,
    directory: PathBuf,
    _lock: File,
}

impl Claim {
    /// Cleans what dead predecessors left under `home`, then takes the first free name.
    pub(crate) fn new(home: &Path) -> Result<Self, String> {
        fs::create_dir_all(home).map_err(|err| format!("{}: {err}", home.display()))?;
        let turn = lock_file(&home.join("lock"))?;
        turn.lock().map_err(|err| format!("cannot lock {}: {err}", home.display()))?;

        clean_the_dead(home)?;
        for number in 0..MOST_LABS {
            let directory = home.join(name_of(number));
            // Another user of this machine may have the name or the network without a directory here.
            if directory.exists() || !is_free(number)? {
                continue;
            }
            fs::create_dir(&directory).map_err(|err| format!("{}: {err}", directory.display()))?;
            let lock = lock_file(&directory.join("lock"))?;
            lock.try_lock().map_err(|err| format!("cannot lock a new directory: {err}"))?;
            return Ok(Self { number, directory, _lock: lock });
        }
        Err(format!("{MOST_LABS} labs are there already"))
    }

    /// The name of the bridge, and the beginning of every other name.
    pub(crate) fn name(&self) -> String {
        name_of(self.number)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The address with this last number.
    pub(crate) fn address(&self, last: usize) -> String {
        format!("10.77.{}.{last}", self.number)
    }

    /// Ends and removes everything.
    pub(crate) fn clean(&self) -> Result<(), String> {
        clean(&self.directory, &self.name())
    }
}

fn name_of(number: u8) -> String {
    format!("halab{number}")
}

fn network_of(number: u8) -> String {
    format!("10.77.{number}.0/24")
}

fn is_free(number: u8) -> Result<bool, String> {
    let bridge = Path::new("/sys/class/net").join(name_of(number)).exists();
    let routes = run("ip", &["route", "show", "root", &network_of(number)])?;
    Ok(!bridge && routes.trim().is_empty())
}

fn lock_file(path: &Path) -> Result<File, String> {
    let file = File::options().create(true).append(true).open(path);
    file.map_err(|err| format!("{}: {err}", path.display()))
}

fn clean_the_dead(home: &Path) -> Result<(), String> {
    let entries = fs::read_dir(home).map_err(|err| format!("{}: {err}", home.display()))?;
    for directory in entries.flatten().map(|it| it.path()).filter(|it| it.is_dir()) {
        let Some(name) = directory.file_name().and_then(|it| it.to_str()) else { continue };
        let lock = lock_file(&directory.join("lock"))?;
        if lock.try_lock().is_ok() {
            clean(&directory, name)?;
        }
    }
    Ok(())
}

/// In the order of dependence: processes use mounts and links. Each part may be gone already.
fn clean(directory: &Path, name: &str) -> Result<(), String> {
    let hosts = cgroup::names(&format!("{name}-"));
    for host in &hosts {
        cgroup::kill(host)?;
    }
    for point in mounts_below(directory) {
        // A mount namespace that is being torn down may hold it for a moment.
        let mut said = String::new();
        let gone = within(Duration::from_secs(5), || {
            run("umount", &[&point]).map_err(|it| said = it).is_ok() || !is_mounted(&point)
        });
        if !gone {
            return Err(said);
        }
    }
    for host in &hosts {
        // Where systemd-nspawn lets mounts through. It stays when that is killed.
        let _ = fs::remove_dir(Path::new("/run/systemd/nspawn/propagate").join(host));
        cgroup::remove(host)?;
    }
    // A connection that waits for its last answer holds a network namespace, and so the link into it, for minutes.
    for link in links_with(&format!("vb-{name}-")) {
        // It may go by itself meanwhile.
        run("ip", &["link", "delete", &link]).or_else(|err| {
            if links_with(&link).is_empty() { Ok(String::new()) } else { Err(err) }
        })?;
    }
    if Path::new("/sys/class/net").join(name).exists() {
        run("ip", &["link", "delete", name])?;
    }
    let tables = run("nft", &["list", "tables", "bridge"])?;
    if tables.lines().any(|it| it == format!("table bridge {name}")) {
        run("nft", &["delete", "table", "bridge", name])?;
    }
    fs::remove_dir_all(directory).map_err(|err| format!("{}: {err}", directory.display()))
}

/// The network interfaces of this machine whose names begin so.
pub(crate) fn links_with(prefix: &str) -> Vec<String> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let names = entries.filter_map(|it| it.file_name().into_string().ok());
    names.filter(|it| it.starts_with(prefix)).collect()
}

/// Mount points below a directory, the deepest first.
pub(crate) fn mounts_below(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = text.lines().filter_map(|it| it.split(' ').nth(4));
    let mut found: Vec<_> =
        points.filter(|it| Path::new(it).starts_with(directory)).map(String::from).collect();
    found.reverse();
    found
}

fn is_mounted(point: &str) -> bool {
    mounts_below(Path::new(point)).iter().any(|it| it == point)
}
