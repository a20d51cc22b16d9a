//! One host: its layers, its identity, and its life in systemd-nspawn.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use crate::cgroup;
use crate::network::port;
use crate::program::{run, within};

/// Enters the cgroups, then runs the host until it ends by anything but a reboot, for which systemd-nspawn exits with 133.
/// The port of an earlier life may still be there: a connection that never got its last answer holds a network namespace.
const LIFE: &str = "
for procs in $LAB_CGROUPS; do echo $$ >\"$procs\" || exit; done
while ip link delete \"$LAB_PORT\" 2>/dev/null; systemd-nspawn \"$@\"; [ $? -eq 133 ]; do :; done";

/// The users of the image that may log in, with their numbers.
const USERS: [(&str, u32); 3] = [("root", 0), ("home/ops", 1001), ("home/opspw", 1002)];

/// What a host is told about the lab it is in.
pub(crate) struct Site {
    /// The lower layers of the image, as overlay names them.
    pub(crate) layers: String,
    /// The public key that may log in.
    pub(crate) public_key: String,
    /// The text of /etc/hosts.
    pub(crate) names: String,
    /// The name of the lab, and of its bridge.
    pub(crate) lab: String,
    pub(crate) gateway: String,
}

pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) address: String,
    /// The name of its cgroup, which systemd-nspawn takes for the machine as well.
    pub(crate) machine: String,
    directory: PathBuf,
    life: Mutex<Option<Child>>,
}

impl Host {
    pub(crate) fn new(number: usize, lab: &str, address: String, directory: &Path) -> Self {
        let name = format!("h{number}");
        let machine = format!("{lab}-{name}");
        Self { address, machine, directory: directory.join(&name), name, life: Mutex::new(None) }
    }

    /// Where its file system is seen from this machine.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// Files and links on its disk that are not those of the image.
    pub(crate) fn own_files(&self) -> BTreeSet<String> {
        let upper = self.directory.join("upper").display().to_string();
        let found =
            run("find", &[&upper, "(", "-type", "f", "-o", "-type", "l", ")", "-printf", "/%P\\n"]);
        found.unwrap().lines().map(str::to_owned).collect()
    }

    /// What it wrote to its console.
    pub(crate) fn console(&self) -> PathBuf {
        self.directory.join("console")
    }

    /// A fresh disk with an identity of its own. Refused where this machine cannot stack file systems.
    pub(crate) fn build(&self, site: &Site) -> Result<(), String> {
        for layer in ["upper", "work", "root"] {
            let path = self.directory.join(layer);
            fs::create_dir_all(&path).map_err(|err| format!("{}: {err}", path.display()))?;
        }
        let (upper, work) = (self.directory.join("upper"), self.directory.join("work"));
        let (upper, work) = (upper.display(), work.display());
        let options = format!("lowerdir={},upperdir={upper},workdir={work}", site.layers);
        let root = self.root().display().to_string();
        run("mount", &["-t", "overlay", "overlay", "-o", &options, &root])?;
        self.identify(site).unwrap();
        Ok(())
    }

    fn identify(&self, site: &Site) -> std::io::Result<()> {
        let root = self.root();
        let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        fs::write(root.join("etc/machine-id"), uuid.replace('-', ""))?;
        fs::write(root.join("etc/hostname"), format!("{}\n", self.name))?;
        // sudo waits for 20 s when it cannot resolve its own host.
        fs::write(root.join("etc/hosts"), &site.names)?;
        let (address, gateway) = (&self.address, &site.gateway);
        fs::write(
            root.join("etc/systemd/network/10-host0.network"),
            format!(
                "[Match]\nName=host0\n[Network]\nAddress={address}/24\nGateway={gateway}\nLinkLocalAddressing=no\n"
            ),
        )?;
        for kind in ["ed25519", "ecdsa"] {
            let file = root.join(format!("etc/ssh/ssh_host_{kind}_key")).display().to_string();
            run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", &self.name, "-f", &file])
                .map_err(std::io::Error::other)?;
        }
        for (home, user) in USERS {
            let directory = root.join(home).join(".ssh");
            fs::create_dir_all(&directory)?;
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
            let keys = directory.join("authorized_keys");
            fs::write(&keys, &site.public_key)?;
            for path in [&directory, &keys] {
                chown(path, Some(user), Some(user))?;
            }
        }
        Ok(())
    }

    /// The line by which SSH knows the host.
    pub(crate) fn known_hosts_line(&self) -> String {
        let file = self.root().join("etc/ssh/ssh_host_ed25519_key.pub");
        format!("{} {}", self.address, fs::read_to_string(file).unwrap())
    }

    /// Takes the disk away for good.
    pub(crate) fn wipe(&self) {
        assert!(!self.is_running(), "{} must be off", self.name);
        run("umount", &[&self.root().display().to_string()]).unwrap();
        fs::remove_dir_all(&self.directory).unwrap();
    }

    /// Switches it on; does not wait for anything.
    pub(crate) fn start(&self, site: &Site) {
        assert!(!self.is_running(), "{} is on already", self.name);
        let cgroups = cgroup::create(&self.machine);
        let cgroups: Vec<_> = cgroups.iter().map(|it| it.display().to_string()).collect();
        let console = File::options().create(true).append(true).open(self.console()).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", LIFE, "sh", "--quiet", "--boot", "--register=no", "--keep-unit"]);
        // Nothing of this machine is to be seen on a host.
        command.args(["--resolv-conf=off", "--timezone=off", "--link-journal=no"]);
        command.args(["--network-veth", "--capability=CAP_NET_ADMIN"]);
        command.arg(format!("--network-bridge={}", site.lab));
        command.arg(format!("--directory={}", self.root().display()));
        command.arg(format!("--machine={}", self.machine));
        command.arg(format!("--hostname={}", self.name));
        command.env("LAB_CGROUPS", cgroups.join(" ")).env("LAB_PORT", port(&self.machine));
        // Its lock files stay behind when it is killed; a name is claimed in another way here.
        command.env("SYSTEMD_NSPAWN_LOCK", "0");
        if !cgroup::unified() {
            command.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "0");
        }
        command.stdin(Stdio::null()).stdout(console.try_clone().unwrap()).stderr(console);
        *self.life.lock().unwrap() = Some(command.spawn().unwrap());
    }

    /// Whether it is on, be it frozen, booting or in the middle of a reboot.
    pub(crate) fn is_running(&self) -> bool {
        let mut life = self.life.lock().unwrap();
        let running = life.as_mut().is_some_and(|it| it.try_wait().unwrap().is_none());
        if !running {
            *life = None;
        }
        running
    }

    /// Every process ends at once. What was written to files stays, also what was not synced.
    pub(crate) fn kill(&self) {
        cgroup::kill(&self.machine).unwrap();
        assert!(self.ends_within(Duration::from_secs(10)), "{} is still on", self.name);
    }

    pub(crate) fn ends_within(&self, bound: Duration) -> bool {
        within(bound, || !self.is_running())
    }
}
