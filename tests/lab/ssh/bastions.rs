//! Ways through other hosts, and sessions that are lost.

use std::fs;
use std::time::{Duration, Instant};

use terraform_provider_ha::host::ssh::{Connection, Target};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{as_user, bastion, chain, configure, connection, fails, hello, now, target, try_open};
use crate::lab::Lab;
use crate::network::End;
use crate::program::within;

#[test]
fn bastions_are_verified_like_hosts_and_a_peer_that_stalls_is_noticed() {
    let Some(lab) = Lab::with_plain_hosts(3) else { return };
    let ops = || as_user(&lab, "ops");
    let way = |bastions| target(&lab, 2, Connection { bastions, ..connection(&lab) });
    // Only the second bastion can reach the target.
    lab.block(End::Here, End::Host(2));
    lab.block(End::Host(0), End::Host(2));
    let both = vec![bastion(&lab, 0, ops()), bastion(&lab, 1, ops())];
    let began = Instant::now();
    now(async {
        let opened =
            try_open(&way(both.clone())).await.unwrap_or_else(|it| panic!("{}", chain(&it)));
        assert_eq!(opened.bastion_host_keys.len(), 2);
        assert!(!opened.bastion_host_keys.contains(&opened.host_key));
        hello(opened.stream).await;
    });
    eprintln!("two bastions: {:?}", began.elapsed());
    no_agent_is_left_behind(&lab, 2);

    let wrong = lab.directory().join("wrong");
    let lines = fs::read_to_string(lab.known_hosts()).unwrap();
    let (of_0, of_1) = (lab.address(0), lab.address(1));
    let swapped = lines.replace(of_0, "@").replace(of_1, of_0).replace('@', of_1);
    fs::write(&wrong, swapped).unwrap();
    let distrusts = || Connection { known_hosts_file: wrong.clone(), ..ops() };
    let said = fails(
        &way(vec![bastion(&lab, 0, ops()), bastion(&lab, 1, distrusts())]),
        false,
        "the host key has changed",
    );
    assert!(said.starts_with(&format!("bastion ops@{of_1}: ")), "{said}");
    let said = fails(&way(vec![bastion(&lab, 0, distrusts())]), false, "the host key has changed");
    assert!(said.starts_with(&format!("bastion ops@{of_0}: ")), "{said}");

    configure(&lab, 1, "AllowTcpForwarding no");
    fails(&way(both.clone()), false, "forwards nothing");
    lab.ssh(1, "sed -i /AllowTcpForwarding/d /etc/ssh/sshd_config && systemctl restart ssh");
    let closed = Target { port: 2222, ..way(both.clone()) };
    fails(&closed, true, "cannot reach it");
    lab.heal();

    // Nobody says goodbye, whether packets are dropped, a machine is frozen, or a bastion is cut off.
    // With and without something to send, which then waits in the buffers.
    let stalls = |target: &Target, bytes: usize, stall: &dyn Fn()| {
        now(async {
            let opened = try_open(target).await.unwrap_or_else(|it| panic!("{}", chain(&it)));
            let (mut read, mut write) = tokio::io::split(opened.stream);
            // The greeting of HTTP/2.
            read.read_u8().await.unwrap();
            stall();
            let began = Instant::now();
            tokio::spawn(async move { write.write_all(&vec![0; bytes]).await });
            let ended = read.read_to_end(&mut Vec::new()).await.unwrap_err().to_string();
            eprintln!("noticed after {:?}: {ended}", began.elapsed());
            assert!(began.elapsed() <= Duration::from_secs(15));
            assert!(ended.contains("the SSH session was lost"), "{ended}");
        });
    };
    stalls(&way(Vec::new()), 0, &|| lab.isolate(2));
    let began = Instant::now();
    fails(&way(Vec::new()), true, "");
    assert!(began.elapsed() < Duration::from_secs(12));
    lab.heal();
    stalls(&way(Vec::new()), 16 << 20, &|| lab.isolate(2));
    lab.heal();
    stalls(&way(both), 0, &|| lab.isolate(0));
    lab.heal();
    stalls(&way(Vec::new()), 16 << 20, &|| lab.freeze(2));
    fails(&way(Vec::new()), true, "no login within 10s");
    lab.thaw(2);
}

/// As `no_agent_is_left`, seen without SSH.
fn no_agent_is_left_behind(lab: &Lab, host: usize) {
    let processes = || crate::cgroup::processes(&lab.hosts[host].machine);
    let is_agent = |it: &rustix::process::Pid| {
        fs::read_to_string(format!("/proc/{it}/comm")).is_ok_and(|it| it.trim() == "ha-agent")
    };
    assert!(within(Duration::from_secs(10), || !processes().iter().any(is_agent)));
}
