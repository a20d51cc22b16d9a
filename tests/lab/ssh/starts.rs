//! The start of an agent on hosts that make it hard.

use std::fs;

use tokio::io::AsyncReadExt as _;

use super::{
    PLACE, as_user, chain, connection, fails, hello, no_agent_is_left, now, target, try_open, works,
};
use crate::lab::Lab;

#[test]
fn what_a_host_does_to_a_start_is_borne_or_named() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let root = lab.hosts[0].root();
    let to = || target(&lab, 0, connection(&lab));
    let bashrc = root.join("root/.bashrc");
    let noise = "head -c 80000 /dev/zero | tr '\\0' x\nprintf 'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'\n\
                 printf 'noise on stderr: ' >&2\nprintf 'no end of line'\n";
    fs::write(&bashrc, noise).unwrap();
    works(&to());
    fs::write(&bashrc, "head -c 3000000 /dev/zero\n").unwrap();
    fails(&to(), false, "prints without end");
    fs::write(&bashrc, "echo before >&2\ncat >/dev/null\n").unwrap();
    let said = fails(&to(), false, "A login script");
    assert!(said.ends_with("before"), "{said}");
    fs::write(&bashrc, "exit 7\n").unwrap();
    fails(&to(), false, "shell ended with status 7, before anything of ours ran");
    fs::remove_file(&bashrc).unwrap();

    // An agent that is killed says how it ended.
    now(async {
        let mut stream = try_open(&to()).await.unwrap().stream;
        stream.read_u8().await.unwrap();
        lab.ssh(0, "pkill -KILL -x ha-agent");
        let ended = stream.read_to_end(&mut Vec::new()).await.unwrap_err().to_string();
        assert!(ended.contains("the agent ended by signal KILL"), "{ended}");
    });

    // Several at once, to a host that has no agent.
    lab.ssh(0, &format!("rm -r {PLACE}"));
    now(async {
        let to = to();
        let (a, b, c) = tokio::join!(try_open(&to), try_open(&to), try_open(&to));
        for opened in [a, b, c] {
            hello(opened.unwrap_or_else(|it| panic!("{}", chain(&it))).stream).await;
        }
    });
    assert_eq!(lab.ssh(0, &format!("find {PLACE} -type f")).lines().count(), 1);

    lab.ssh(0, &format!("rm -r {PLACE}"));
    lab.ssh(0, "mount -t tmpfs -o noexec lab /usr/local/lib");
    for _ in 0..2 {
        fails(&to(), false, "does not let programs run");
    }
    lab.ssh(0, "umount /usr/local/lib");

    lab.small_disk(0, "/usr/local/lib", 1);
    let said = fails(&to(), false, "the agent cannot be placed: it cannot be written");
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(lab.ssh(0, &format!("find {PLACE} -type f")), "", "something was left");
    lab.ssh(0, "umount /usr/local/lib");

    lab.ssh(0, "mv /usr/bin/sha256sum /usr/bin/gone");
    fails(&to(), false, "`sha256sum` is missing");
    lab.ssh(0, "printf '#!/bin/sh\\nexit 1\\n' >/usr/bin/sha256sum && chmod +x /usr/bin/sha256sum");
    fails(&to(), false, "its checksum is wrong");
    lab.ssh(0, "mv /usr/bin/gone /usr/bin/sha256sum");

    lab.ssh(0, "printf '#!/bin/sh\\necho riscv64\\n' >/usr/local/bin/uname && chmod +x /usr/local/bin/uname");
    fails(&to(), false, "machines of the kind `riscv64`");
    lab.ssh(0, "rm /usr/local/bin/uname");

    // A version that nobody has placed for long goes; a file with that name which is not ours is not run.
    lab.ssh(
        0,
        &format!(
            "mkdir -p {PLACE}/0123456789abcdef && touch -d '10 days ago' {PLACE}/0123456789abcdef"
        ),
    );
    works(&to());
    assert_eq!(lab.ssh(0, &format!("ls {PLACE}")).lines().count(), 1);
    lab.ssh(0, &format!("chown ops {PLACE}/*/ha-agent"));
    works(&to());
    let owner = lab.ssh(0, &format!("stat -c %U {PLACE}/*/ha-agent"));
    assert_eq!(owner, "root\n");

    // A host that boots, or goes down, lets only root in.
    lab.ssh(0, "echo down for repair >/run/nologin");
    fails(&target(&lab, 0, as_user(&lab, "ops")), true, "down for repair");
    lab.ssh(0, "rm /run/nologin");
    no_agent_is_left(&lab, 0);
}
