//! What stands behind a balancer in the lab: TLS servers on a host, each a process of its own, so that one can be frozen
//! or killed. HAProxy plays them, for it is there: it answers everything with its name.

use std::fs;

use crate::backend::Trust;
use crate::lab::Lab;

/// The port of the first one.
const FIRST: usize = 7000;

/// Servers by their number, all on one host.
pub(crate) struct Servers {
    host: usize,
}

impl Servers {
    pub(crate) fn start(lab: &Lab, host: usize, trust: &Trust, count: usize) -> Self {
        let root = lab.hosts[host].root().join("root");
        fs::write(root.join("server.pem"), format!("{}{}", trust.pem, trust.key)).unwrap();
        for number in 0..count {
            let text = format!(
                "global\n    maxconn 2000\n    nbthread 1\n\
                 defaults\n    mode http\n    timeout client 1h\n    timeout server 1h\n    timeout connect 1s\n    \
                 timeout http-request 1h\n    timeout http-keep-alive 1h\n\
                 frontend front\n    bind {}:{} ssl crt /root/server.pem alpn http/1.1\n    \
                 http-request return status 200 content-type text/plain string cp{number}\n",
                lab.address(host),
                FIRST + number,
            );
            fs::write(root.join(format!("cp{number}.cfg")), text).unwrap();
        }
        let servers = Self { host };
        (0..count).for_each(|it| servers.revive(lab, it));
        servers
    }

    /// Where it listens.
    pub(crate) fn address(&self, lab: &Lab, number: usize) -> String {
        format!("{}:{}", lab.address(self.host), FIRST + number)
    }

    /// Undoes `kill`.
    pub(crate) fn revive(&self, lab: &Lab, number: usize) {
        let start = format!(
            "systemctl reset-failed cp{number} 2>/dev/null; \
             systemd-run --quiet --unit=cp{number} haproxy -db -f /root/cp{number}.cfg"
        );
        lab.ssh(self.host, &start);
    }

    /// The process ends at once; its kernel refuses new connections.
    pub(crate) fn kill(&self, lab: &Lab, number: usize) {
        self.signal(lab, number, "KILL");
    }

    /// The process does nothing any more; its kernel still accepts connections for it.
    pub(crate) fn freeze(&self, lab: &Lab, number: usize) {
        self.signal(lab, number, "STOP");
    }

    /// Undoes `freeze`.
    pub(crate) fn thaw(&self, lab: &Lab, number: usize) {
        self.signal(lab, number, "CONT");
    }

    fn signal(&self, lab: &Lab, number: usize, signal: &str) {
        let kill = format!("kill -{signal} $(systemctl show -p MainPID --value cp{number})");
        lab.ssh(self.host, &kill);
    }
}
