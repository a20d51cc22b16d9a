//! Whether a host is the one that it should be.

use std::fs;
use std::path::Path;

use terraform_provider_ha::host::ssh::HostKeyPolicy::{AcceptNew, Strict};
use terraform_provider_ha::host::ssh::{Connection, Target};

use super::{configure, connection, fails, keygen, public, show, target, works};
use crate::lab::Lab;
use crate::program::run;

#[test]
fn a_host_is_known_or_refused() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let empty = lab.directory().join("empty");
    let file = lab.directory().join("file");
    let with = |file: &Path, policy, pin: Option<&str>| {
        let connection = Connection {
            known_hosts_file: file.to_owned(),
            host_key_policy: policy,
            ..connection(&lab)
        };
        Target { host_key: pin.map(String::from), ..target(&lab, 0, connection) }
    };
    let line = fs::read_to_string(lab.known_hosts()).unwrap();
    let key = line.trim().split_once(' ').unwrap().1.rsplit_once(' ').unwrap().0;

    assert_eq!(works(&with(&lab.known_hosts(), Strict, None)), key);
    let said = fails(&with(&empty, Strict, None), false, "is not known");
    assert!(said.contains("SHA256:") && said.contains(key), "{said}");
    assert_eq!(works(&with(&empty, AcceptNew, None)), key);
    assert!(!empty.exists(), "the file belongs to the user");
    assert_eq!(works(&with(&empty, Strict, Some(key))), key);
    fails(&with(&empty, Strict, Some("ssh-ed25519")), false, "is not of the form");

    fs::write(&file, &line).unwrap();
    keygen(&["-H", "-f", &show(&file)]);
    assert!(fs::read_to_string(&file).unwrap().starts_with("|1|"));
    works(&with(&file, Strict, None));

    // The file knows another kind of key than the host would show by itself.
    let root = lab.hosts[0].root();
    let ecdsa = fs::read_to_string(root.join("etc/ssh/ssh_host_ecdsa_key.pub")).unwrap();
    fs::write(&file, format!("{} {ecdsa}", lab.address(0))).unwrap();
    assert!(works(&with(&file, Strict, None)).starts_with("ecdsa-sha2-nistp256 "));

    // A certificate of the host, by an authority that the file trusts.
    let authority = lab.directory().join("authority");
    keygen(&["-t", "ed25519", "-N", "", "-f", &show(&authority)]);
    let host_key = root.join("etc/ssh/ssh_host_ed25519_key.pub");
    let signed =
        ["-s", &show(&authority), "-h", "-I", "h0", "-n", lab.address(0), &show(&host_key)];
    keygen(&signed);
    configure(&lab, 0, "HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub");
    fs::write(&file, format!("@cert-authority 10.77.* {}", public(&authority))).unwrap();
    assert_eq!(works(&with(&file, Strict, None)), key);
    fs::write(&file, format!("@cert-authority 10.78.* {}", public(&authority))).unwrap();
    fails(&with(&file, Strict, None), false, "is not known");
    works(&with(&lab.known_hosts(), Strict, None));

    // IPv6, written in both ways.
    run("ip", &["address", "add", "fd77::1/64", "dev", lab.name(), "nodad"]).unwrap();
    lab.ssh(0, "ip address add fd77::10/64 dev host0 nodad");
    fs::write(&file, format!("fd77::10 {key}\n")).unwrap();
    for address in ["fd77::10", "[fd77::10]"] {
        works(&Target { address: address.to_owned(), ..with(&file, Strict, None) });
    }

    // Another machine with the same address.
    fs::write(&file, &line).unwrap();
    lab.shut_down(0);
    fails(&with(&file, Strict, None), true, "");
    lab.rebuild(0);
    for policy in [Strict, AcceptNew] {
        let said = fails(&with(&file, policy, None), false, "the host key has changed");
        assert_eq!(said.matches("SHA256:").count(), 2, "{said}");
    }
    fails(&with(&lab.known_hosts(), AcceptNew, Some(key)), false, "is not the pinned one");
    works(&with(&lab.known_hosts(), Strict, None));
}
