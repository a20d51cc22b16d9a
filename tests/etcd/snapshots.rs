//! A snapshot that was kept before a cluster shrank: what it holds by the words of etcd, and whether damage is found.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use terraform_provider_ha::domain::backup::pages::{Facts, Source, check};
use terraform_provider_ha::remote::etcd::Proof;

use crate::local::Local;

const DIGEST: usize = 32;
/// Each of so many has another fault.
const FAULTS: usize = 1000;

/// A page.
const PAGE: usize = 4096;

struct Pages<'a>(&'a [u8]);

impl Source for Pages<'_> {
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let found = self.0.get(start..start + into.len());
        into.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What makes a database have branches and long pages.
pub(crate) fn fill(on: &Local, node: &str) {
    on.etcdctl(node, &["put", "long", &"x".repeat(100_000)]);
    let mut child =
        on.command_of(node, &["txn"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let puts: Vec<_> = (0..128).map(|it| format!("put k{it} {}", "v".repeat(200))).collect();
    // No comparisons, these, and nothing else.
    child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("\n{}\n\n\n", puts.join("\n")).as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}

/// One, which is whole by the words of etcd itself, and damaged is not.
pub(crate) fn holds_one(on: &Local, node: &str) {
    let folder = on.root(node).join("var/lib/ha/etcd-prod/snapshots");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("prod-3.6.16-revision-"), "{name}");
    assert_eq!(file.extension().unwrap(), "db");
    let found = fs::metadata(file).unwrap();
    assert_eq!((found.permissions().mode() & 0o7777, found.len() % 512), (0o600, 32));

    let whole = fs::read(file).unwrap();
    let facts = read(&whole[..whole.len() - DIGEST]).unwrap();
    let told = status(on, file);
    assert_eq!(facts.revision, told["revision"].as_u64().unwrap());
    assert_eq!(facts.version, Some((3, 6)));
    assert_eq!(facts.size, told["totalSize"].as_u64().unwrap());
    assert!(129 <= facts.changes, "{facts:?}");
    each_fault_is_found(&whole, &facts);
}

fn status(on: &Local, file: &Path) -> Value {
    let status = Command::new(on.programs.join("etcdutl"))
        .args(["snapshot", "status", "--write-out=json"])
        .arg(file)
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    serde_json::from_slice(&status.stdout).unwrap()
}

fn read(pages: &[u8]) -> Result<Facts, String> {
    check(&Pages(pages), pages.len() as u64).map_err(|it| it.to_string())
}

/// With the digest that the member made, any change is seen. With a digest made after the change, as a member with a
/// damaged disk would, the pages must tell; of a byte that no restore reads they do not.
fn each_fault_is_found(whole: &[u8], facts: &Facts) {
    let body = whole.len() - DIGEST;
    let mut found = 0;
    for fault in 0..FAULTS {
        // Over all of the file, and never twice at one place.
        let at = whole.len() / FAULTS * fault + fault % 7;
        let mut damaged = whole.to_vec();
        if fault % 10 == 0 {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1 << (fault % 8);
        }
        let mut proof = Proof::default();
        proof.push(&damaged);
        assert!(proof.finish().is_err(), "fault {fault}, at {at}");
        let pages = &damaged[..body.min(damaged.len())];
        match read(pages) {
            Err(_) => found += 1,
            Ok(read) => assert_eq!(&read, facts, "fault {fault}, at {at}"),
        }
    }
    assert!(FAULTS / 10 <= found, "{found} of {FAULTS}");
    // The head of every page that is read.
    let (mut heads, mut free) = (0, 0);
    for page in (0..body).step_by(PAGE) {
        let mut damaged = whole[..body].to_vec();
        damaged[page..page + 16].iter_mut().for_each(|it| *it ^= 0x55);
        match read(&damaged) {
            Err(_) => heads += 1,
            Ok(read) => {
                assert_eq!(&read, facts, "page {}", page / PAGE);
                free += 1;
            }
        }
    }
    assert!(4 <= heads, "{heads} of {}", heads + free);
}
