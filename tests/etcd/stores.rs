//! Backups that go to an object store: what it takes, and what becomes of what it does not take.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use terraform_provider_ha::proto::agent::FetchBackupRequest;
use tokio::runtime::Builder;

use crate::agent_client::Agent;
use crate::backups::{ABC, is_backup, wait_for};
use crate::engine::Engine;
use crate::gateway::{ACCESS, Gateway, SECRET, files};
use crate::local::{Local, VERSION, for_each_engine_with_etcd};
use crate::run::Run;

for_each_engine_with_etcd![
    a_store_has_what_was_taken;
    once what_a_store_does_not_take_waits, a_slot_is_in_the_store_once_even_if_it_was_away,
];

/// Once a year: only what is asked for is taken.
pub(crate) const YEARLY: &str = "0 0 1 1 *";
const KEYS: &str = "etc/etcd-backup/prod_x.keys";
const WAITING: &str = "var/lib/ha/backups/prod_x";

/// In MiB.
const LARGE: u32 = 300;
const MOST_KIB: u64 = 64 << 10;

/// A cluster of three with a backup that goes to a store.
pub(crate) struct Backed<'a> {
    on: &'a Local,
    pub(crate) store: Gateway,
}

impl<'a> Backed<'a> {
    pub(crate) fn new(on: &'a Local) -> Option<Self> {
        let store = Gateway::new(on)?;
        on.provider(&format!(
            "terraform {{\n  required_providers {{\n    ha = {{ source = \"terraform-ha/ha\" }}\n  }}\n}}\n\
             provider \"ha\" {{\n  artifacts = {{ directory = \"{}\" }}\n  object_stores = {{ s = {{ {} }} }}\n}}\n",
            on.programs.display(),
            store.settings()
        ));
        Some(Self { on, store })
    }

    fn wish(&self, schedule: &str, more: &str) {
        self.wish_of("", schedule, more);
    }

    /// With these arguments of the cluster.
    pub(crate) fn wish_of(&self, cluster: &str, schedule: &str, more: &str) {
        let member = |it: &&str| self.on.element(it, self.on.address(it));
        let members: String = ABC.iter().map(member).collect();
        self.on.config(&format!(
            "resource \"ha_etcd_cluster\" \"this\" {{\n  name = \"prod\"\n  version = \"{VERSION}\"\n  \
             deletion_protection = false\n  on_destroy = \"purge\"\n  {cluster}\n  members = {{\n{members}  }}\n}}\n\
             resource \"ha_etcd_backup\" \"this\" {{\n  name = \"x\"\n  cluster = ha_etcd_cluster.this.access\n  \
             schedule = \"{schedule}\"\n  store = \"s\"\n  {more}\n}}\n\
             data \"ha_etcd_snapshots\" \"x\" {{\n  cluster = ha_etcd_cluster.this.access\n  store = \"s\"\n  \
             name = \"x\"\n  depends_on = [ha_etcd_backup.this]\n}}\n\
             output \"newest\" {{\n  value = data.ha_etcd_snapshots.x.newest_verified\n}}\n"
        ));
    }

    /// With these keys in the environment; all that engine and provider log is in `trace.log`.
    pub(crate) fn run_as(&self, access: &str, secret: &str, arguments: &[&str]) -> Run {
        let mut command = self.on.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", access).env("AWS_SECRET_ACCESS_KEY", secret);
        command.env("TF_LOG", "TRACE").env("TF_LOG_PATH", self.on.path("trace.log"));
        self.on.output(&arguments.join(" "), command)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_as(ACCESS, SECRET, arguments)
    }

    #[track_caller]
    pub(crate) fn apply(&self) -> Run {
        self.run(&["apply", "-auto-approve"]).succeeds()
    }

    #[track_caller]
    pub(crate) fn apply_fails(&self) -> Run {
        self.run(&["apply", "-auto-approve"]).fails()
    }

    #[track_caller]
    pub(crate) fn plan(&self) -> Run {
        self.run(&["plan"]).succeeds()
    }

    /// Only outputs may change: what there is changes by itself.
    #[track_caller]
    pub(crate) fn changes_nothing(&self) {
        self.plan().never_says("will be updated").never_says("will be created");
    }

    /// What is in the store: manifests, the oldest first, each with its data.
    pub(crate) fn stored(&self) -> Vec<(Value, PathBuf)> {
        let manifest = |path: PathBuf| {
            let manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let (name, digest) = (manifest["name"].as_str()?, manifest["sha256"].as_str()?);
            let data = path.with_file_name(format!("{name}.{}.db.zst", &digest[..16]));
            Some((manifest, data))
        };
        let all = self.store.objects().into_iter();
        let is_manifest = |it: &PathBuf| it.extension().is_some_and(|it| it == "json");
        let mut all: Vec<_> = all.filter(is_manifest).filter_map(manifest).collect();
        all.sort_by_key(|it| it.0["taken"].as_i64());
        all
    }

    /// Snapshots that wait on a host, by their files.
    fn waiting(&self, node: &str) -> Vec<PathBuf> {
        let all = files(&self.on.root(node).join(WAITING)).into_iter();
        all.filter(|it| it.to_string_lossy().ends_with(".db.zst")).collect()
    }

    fn trigger(&self, number: u32) {
        let more = format!("retention = {{ last = 3 }}\n  triggers = {{ it = \"{number}\" }}");
        self.wish(YEARLY, &more);
    }

    /// So many MiB of random bytes in the database.
    fn fill(&self, mib: u32) {
        for key in 0..mib {
            let value: Vec<u8> = (0..32_000_u32)
                .flat_map(|it| Sha256::digest([key, it].map(u32::to_be_bytes).as_flattened()))
                .collect();
            let mut child = self
                .on
                .command_of("a", &["put", &format!("big{key}")])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(&value).unwrap();
            assert!(child.wait().unwrap().success());
        }
    }

    /// A snapshot comes to another host as it is in the store, and one that was changed there does not.
    fn comes_back(&self) {
        let (manifest, data) = self.stored().pop().unwrap();
        let name = manifest["name"].as_str().unwrap().to_owned();
        let root = self.on.root("d");
        fs::create_dir_all(&root).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut agent = Agent::start(&root).await;
            let claim = Some(agent.lock("restore").await);
            let request = |name: &str| FetchBackupRequest {
                claim: claim.clone(),
                store: Some(self.store.message()),
                name: name.to_owned(),
                directory: b"/restored".to_vec().into(),
            };
            let whole = fs::read(&data).unwrap();
            let mut changed = whole.clone();
            changed[100] ^= 1;
            fs::write(&data, changed).unwrap();
            let said = agent.client.fetch_backup(request(&name)).await.unwrap_err();
            assert_eq!(said.message(), format!("{name} is damaged: its digest is another"));
            fs::write(&data, &whole).unwrap();
            let reply = agent.client.fetch_backup(request(&name)).await.unwrap().into_inner();
            let found: Value = serde_json::from_slice(&reply.manifest).unwrap();
            assert!(reply.changed && found == manifest, "{found}");
            let file = root.join("restored").join(format!("{name}.db.zst"));
            assert_eq!(fs::read(file).unwrap(), whole);
            let reply = agent.client.fetch_backup(request(&name)).await.unwrap().into_inner();
            assert!(!reply.changed);
            let said = agent.client.fetch_backup(request("prod.x.none")).await.unwrap_err();
            assert_eq!(said.message(), "prod.x.none is not in the store");
        });
    }

    /// No key of the store is anywhere but where the hosts are to have it.
    pub(crate) fn keeps_its_secrets(&self) {
        for path in files(&self.on.path("")) {
            let at = path.strip_prefix(self.on.path("")).unwrap().to_string_lossy().into_owned();
            // The data of etcd is large, and etcd is told nothing of it.
            if at.starts_with("agents") || at.contains("/member/") || at.ends_with(KEYS) {
                continue;
            }
            let bytes = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            for secret in [ACCESS, SECRET] {
                assert!(!text.contains(secret), "{at} has {secret}");
            }
        }
        let hosts = format!("{}/", self.on.path("hosts").display());
        for (pid, line) in crate::local_hosts::processes_of(&hosts) {
            let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
            let text = String::from_utf8_lossy(&environment.unwrap_or_default()).into_owned();
            assert!(!(text + &line).contains(SECRET), "{line}");
        }
    }
}

fn a_store_has_what_was_taken(on: &Local) {
    let Some(it) = Backed::new(on) else { return };
    it.wish(YEARLY, "retention = { last = 3 }");
    it.apply();
    it.changes_nothing();
    let all = it.stored();
    let [(manifest, data)] = &all[..] else { panic!("{all:?}") };
    let bytes = fs::read(data).unwrap();
    let hex =
        Sha256::digest(&bytes).iter().fold(String::new(), |text, it| format!("{text}{it:02x}"));
    assert_eq!(manifest["sha256"], hex);
    assert_eq!(manifest["size"], bytes.len());
    let whole = zstd::stream::decode_all(&bytes[..]).unwrap();
    assert_eq!(manifest["database_size"], whole.len());
    // What the store has does not stay on the host.
    for node in ABC {
        assert!(it.waiting(node).is_empty(), "{node}");
        let keys = fs::metadata(on.root(node).join(KEYS)).unwrap();
        assert_eq!(keys.permissions().mode() & 0o7777, 0o600);
    }

    // Asked for, and what is more than is wished goes.
    for number in 0..3 {
        it.trigger(number);
        it.apply();
    }
    let all = it.stored();
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(it.store.objects().len(), 6);
    let newest = all[2].0["name"].as_str().unwrap().to_owned();
    // The data source reads at the apply only what was there before it; a refresh has the rest.
    it.run(&["apply", "-auto-approve", "-refresh-only"]).succeeds().says(&newest);

    // Keys that differ are told and mended.
    let keys = on.root("b").join(KEYS);
    fs::write(&keys, "{}").unwrap();
    it.plan().says("b: the credential of the store differs");
    it.apply();
    it.changes_nothing();
    assert!(fs::read_to_string(&keys).unwrap().contains(SECRET));

    // Data that is gone does not count.
    fs::remove_file(&all[2].1).unwrap();
    it.plan().says(&format!("s: {newest} does not count: its data is gone"));
    it.apply();
    it.changes_nothing();

    // The state is lost and comes back.
    let mut state = on.state();
    let is_other = |it: &Value| it["type"] != "ha_etcd_backup";
    state["resources"].as_array_mut().unwrap().retain(is_other);
    fs::write(on.path("terraform.tfstate"), state.to_string()).unwrap();
    let key = format!("prod/x@local:{}", on.root("b").display());
    it.run(&["import", "ha_etcd_backup.this", &key]).succeeds();
    it.changes_nothing();
    it.keeps_its_secrets();
    it.comes_back();

    let before = it.store.objects();
    it.run(&["destroy", "-auto-approve"]).succeeds();
    assert_eq!(it.store.objects(), before);
    for node in ABC {
        assert!(on.processes(node, "ha-agent").is_empty(), "{node}");
        assert!(!on.root(node).join(KEYS).exists(), "{node}");
        assert!(!on.root(node).join(WAITING).exists(), "{node}");
    }
}

fn what_a_store_does_not_take_waits(on: &Local) {
    let Some(it) = Backed::new(on) else { return };
    // With a wrong key the apply tells, and what it has taken is not lost.
    it.wish(YEARLY, "retention = { last = 3 }");
    it.run_as(ACCESS, "hunter2-of-nobody", &["apply", "-auto-approve"])
        .fails()
        .says("status 403 Forbidden, SignatureDoesNotMatch")
        .never_says("hunter2-of-nobody");
    assert_eq!(it.waiting("a").len(), 1);
    assert!(it.store.objects().is_empty());
    it.apply();
    assert_eq!(it.stored().len(), 2);
    assert!(it.waiting("a").is_empty());

    // The way breaks in the middle of an upload.
    // Two parts of an upload.
    it.fill(7);
    it.store.cut_after(6 << 20);
    it.trigger(1);
    it.apply_fails().says("into the bucket backups");
    it.store.cut_after(0);
    assert_eq!(it.waiting("a").len(), 1);
    assert_eq!(it.stored().len(), 2);
    assert_eq!(it.store.objects().len(), 4, "{:?}", it.store.objects());
    it.plan().says("a: snapshots wait for the store").says("The store s cannot be looked into");
    // The service brings it by itself.
    it.store.mend();
    wait_for("what waited in the store", || (it.stored().len() == 3).then_some(()));
    wait_for("an end of waiting", || it.waiting("a").is_empty().then_some(()));
    let (manifest, data) = it.stored().pop().unwrap();
    assert_eq!(manifest["size"], fs::metadata(data).unwrap().len());
    let size = manifest["size"].as_u64().unwrap();
    assert!(6 << 20 < size, "{size}: the upload was not cut in the middle");

    // The bucket is gone, with what it had.
    let aside = on.path("aside");
    fs::rename(it.store.bucket(), &aside).unwrap();
    it.trigger(2);
    it.apply_fails().says("status 404 Not Found, NoSuchBucket");
    it.plan().says("a: snapshots wait for the store").says("The store s cannot be looked into");
    fs::rename(&aside, it.store.bucket()).unwrap();

    // The server is gone: what is in the store stays as it is, more than is wished or not.
    it.store.kill();
    let before = it.store.objects();
    it.trigger(3);
    it.apply_fails();
    assert!(!it.waiting("a").is_empty());
    assert_eq!(it.store.objects(), before);
    it.store.start();
    let is_settled = || {
        let is_empty = ABC.iter().all(|node| it.waiting(node).is_empty());
        (is_empty && it.stored().len() == 3).then_some(())
    };
    wait_for("all of it in the store", is_settled);
    it.apply();
    it.changes_nothing();
    it.keeps_its_secrets();

    it.wish(
        YEARLY,
        "retention = { last = 3 }\n  on_destroy = \"purge\"\n  triggers = { it = \"3\" }",
    );
    it.apply();
    it.run(&["destroy", "-auto-approve"]).succeeds();
    assert!(it.store.objects().is_empty(), "{:?}", it.store.objects());
}

fn a_slot_is_in_the_store_once_even_if_it_was_away(on: &Local) {
    let Some(it) = Backed::new(on) else { return };
    it.wish("* * * * *", "retention = { last = 9 }\n  on_destroy = \"purge\"");
    it.apply();
    let slots =
        || -> Vec<i64> { it.stored().into_iter().filter_map(|it| it.0["slot"].as_i64()).collect() };
    let first = wait_for("the first slot", || slots().pop());
    // While it is away every host takes one, for the others cannot know whether it will ever be brought.
    it.store.kill();
    let all_wait = || ABC.iter().all(|node| !it.waiting(node).is_empty()).then_some(());
    wait_for("one on each host", all_wait);
    it.store.start();
    wait_for("a later slot", || slots().into_iter().find(|it| first < *it));
    let none_waits = || ABC.iter().all(|node| it.waiting(node).is_empty()).then_some(());
    wait_for("an end of waiting", none_waits);
    let all = slots();
    let once: BTreeSet<_> = all.iter().collect();
    assert_eq!(once.len(), all.len(), "{all:?}");
    // Each with its data, and no data of those that came second.
    let is_data = |it: &PathBuf| it.extension().is_some_and(|it| it == "zst");
    let is_whole = || {
        let data: BTreeSet<_> = it.stored().into_iter().map(|it| it.1).collect();
        let lies: BTreeSet<_> = it.store.objects().into_iter().filter(is_data).collect();
        (data == lies).then_some(())
    };
    wait_for("manifests for all data", is_whole);
    it.run(&["destroy", "-auto-approve"]).succeeds();
    assert!(it.store.objects().is_empty(), "{:?}", it.store.objects());
}

/// The most that a process had in memory, in KiB.
fn peak(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
#[ignore = "a database of some hundred MiB takes minutes; `make soak` runs it"]
fn a_service_that_brings_a_large_snapshot_stays_small() {
    let Some(on) = Local::new(Engine::Terraform) else { return };
    let Some(it) = Backed::new(&on) else { return };
    // Not before the database is full.
    it.wish(YEARLY, "retention = { last = 3 }");
    it.apply();
    it.fill(LARGE);
    it.wish("* * * * *", "retention = { last = 3 }");
    it.apply();
    let slot = || it.stored().into_iter().find(|it| it.0["slot"].is_i64());
    let (manifest, _) = wait_for("a slot in the store", slot);
    assert!(u64::from(LARGE) << 20 < manifest["size"].as_u64().unwrap(), "{manifest}");
    let member = manifest["member"].as_str().unwrap();
    let all = on.processes(member, "ha-agent").into_iter().map(|it| it.as_raw_nonzero().get());
    let peaks: Vec<_> = all.filter(|it| is_backup(*it)).map(peak).collect();
    let most = peaks.iter().max().unwrap();
    eprintln!("a snapshot of {} bytes, and {most} KiB of memory at most", manifest["size"]);
    assert!(*most <= MOST_KIB, "{peaks:?}");
}
