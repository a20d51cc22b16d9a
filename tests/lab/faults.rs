//! What can happen to a host, on demand. Each fault lasts until it is undone; what undoes it stands beside it.

use std::time::Duration;

use crate::cgroup;
use crate::lab::Lab;
use crate::network::{self, End};
use crate::program::within;

/// A shutdown or a reboot that systemd is content with.
const ORDERLY: Duration = Duration::from_mins(1);

impl Lab {
    /// Power loss: processes end at once, connections stay open at the other end.
    pub(crate) fn cut_power(&self, host: usize) {
        // The kernel closes the connections of a process that is killed; no packet of that may get out.
        network::remove(&self.hosts[host].machine);
        self.hosts[host].kill();
    }

    /// An orderly shutdown, by the host itself.
    pub(crate) fn shut_down(&self, host: usize) {
        // It may go before SSH has an answer.
        self.ssh_as("root", host, "systemctl poweroff");
        assert!(self.hosts[host].ends_within(ORDERLY), "h{host} does not shut down");
    }

    /// Switches on a host that is off, and waits for SSH. Rules of the network hold on; a pulled cable is plugged in.
    pub(crate) fn start(&self, host: usize) {
        self.hosts[host].start(&self.site);
        self.answers(host).unwrap();
    }

    /// An orderly reboot, by the host itself; waits for SSH.
    pub(crate) fn reboot(&self, host: usize) {
        let before = self.boot_id(host);
        self.ssh_as("root", host, "systemctl reboot");
        let again = within(ORDERLY, || {
            let now = self.ssh_as("root", host, BOOT_ID);
            now.status.success() && String::from_utf8_lossy(&now.stdout) != before
        });
        assert!(again, "h{host} does not reboot");
        self.answers(host).unwrap();
    }

    /// Another value after each boot.
    pub(crate) fn boot_id(&self, host: usize) -> String {
        self.ssh(host, BOOT_ID)
    }

    /// Another machine with the same name and address: empty disk, new machine-id and host keys. Waits for SSH.
    /// The host must be off.
    pub(crate) fn rebuild(&self, host: usize) {
        self.hosts[host].wipe();
        self.hosts[host].build(&self.site).unwrap();
        self.write_known_hosts();
        self.start(host);
    }

    /// Stops every process of the host where it is. The kernel still accepts connections for it.
    pub(crate) fn freeze(&self, host: usize) {
        let all = self.payload(host);
        assert!(cgroup::stop(&all, true), "h{host} does not freeze");
    }

    /// Undoes `freeze`.
    pub(crate) fn thaw(&self, host: usize) {
        let all = self.payload(host);
        assert!(cgroup::stop(&all, false), "h{host} does not thaw");
    }

    /// The cgroup into which systemd-nspawn puts what runs on the host, beside itself.
    fn payload(&self, host: usize) -> String {
        format!("{}/payload", self.hosts[host].machine)
    }

    /// Cuts the host off: nothing gets in or out, and nobody is told.
    pub(crate) fn isolate(&self, host: usize) {
        self.block(End::Host(host), End::Anyone);
        self.block(End::Anyone, End::Host(host));
    }

    /// Cuts between two groups of hosts; all are still reached from here.
    pub(crate) fn partition(&self, one: &[usize], other: &[usize]) {
        for (a, b) in one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b))) {
            self.block(End::Host(a), End::Host(b));
            self.block(End::Host(b), End::Host(a));
        }
    }

    /// Drops everything on this way, in this direction only.
    pub(crate) fn block(&self, from: End, to: End) {
        self.lose(100, from, to);
    }

    /// Drops that share of the packets on this way, in this direction only.
    pub(crate) fn lose(&self, percent: u8, from: End, to: End) {
        network::drop_some(self.name(), percent, from, to);
    }

    /// Undoes `isolate`, `partition`, `block` and `lose`.
    pub(crate) fn heal(&self) {
        network::heal(self.name());
    }

    /// Pulls the network cable: the host sees it.
    pub(crate) fn unplug(&self, host: usize) {
        network::cable(&self.hosts[host].machine, false);
    }

    /// Undoes `unplug`.
    pub(crate) fn plug(&self, host: usize) {
        network::cable(&self.hosts[host].machine, true);
    }

    /// Puts an empty file system of that size at a directory of the host; it is gone after a boot.
    pub(crate) fn small_disk(&self, host: usize, directory: &str, mebibytes: u32) {
        let options = format!("size={mebibytes}m,mode=0755");
        self.ssh(
            host,
            &format!("mkdir -p {directory} && mount -t tmpfs -o {options} lab {directory}"),
        );
    }

    /// Fills the file system at the directory to the last byte.
    pub(crate) fn fill(&self, host: usize, directory: &str) {
        // Only a file system made for it: the layers of a host lie on the disk of this machine.
        let fill = format!("mountpoint -q {directory} && ! cat /dev/zero >{directory}/{FILLER}");
        self.ssh(host, &fill);
    }

    /// Undoes `fill`.
    pub(crate) fn free(&self, host: usize, directory: &str) {
        self.ssh(host, &format!("rm {directory}/{FILLER}"));
    }
}

const BOOT_ID: &str = "cat /proc/sys/kernel/random/boot_id";

const FILLER: &str = ".lab-filler";
