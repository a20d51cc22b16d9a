//! The guide to disaster recovery, followed to the letter: its configuration and its commands, in its order, after what each
//! section is for has happened.

use std::fs;
use std::process::Command;

use super::cluster::Cluster;
use crate::engine::Engine;

const GUIDE: &str = include_str!("../../../docs/guides/disaster-recovery.md");
/// What stands for a snapshot in it.
const NAME: &str = "prod.nightly.20261129T020000Z";
const ALL: [usize; 3] = [0, 1, 2];

struct Reader {
    on: Cluster,
    /// What comes next in the guide.
    rest: &'static str,
    /// What is configured beside the cluster.
    before: String,
    cluster: String,
    /// Of machines that were built anew, as a user has to write them.
    host_keys: Vec<String>,
    /// The snapshot that the words of the guide stand for, and the host that has it.
    snapshot: (String, usize),
}

impl Reader {
    fn new(on: Cluster) -> Self {
        let (before, cluster, host_keys) = (String::new(), String::new(), Vec::new());
        let snapshot = (NAME.to_owned(), 0);
        Self { on, rest: GUIDE, before, cluster, host_keys, snapshot }
    }

    /// Goes on to this heading.
    fn section(&mut self, title: &str) {
        let at = self.rest.find(&format!("\n## {title}\n")).expect("the guide has the section");
        self.rest = &self.rest[at + 1..];
    }

    /// The next block in this language, with what is here in the place of what stands for it.
    fn block(&mut self, language: &str) -> String {
        let (_, rest) = self.rest.split_once(&format!("```{language}\n")).expect("a block");
        let (block, rest) = rest.split_once("```\n").unwrap();
        self.rest = rest;
        let mut text = block.replace(NAME, &self.snapshot.0);
        text = text.replace("/safe/place", self.on.at.path("safe").to_str().unwrap());
        if language == "shell" {
            // What is said of the first host is meant of the one that has the snapshot.
            text = text.replace("10.0.0.11", self.on.lab.address(self.snapshot.1));
        }
        for host in ALL {
            text = text.replace(&format!("10.0.0.1{}", host + 1), self.on.lab.address(host));
        }
        text
    }

    /// Puts this in the place of the `restore` that is written. None: nothing is to be restored yet, and nobody is lost.
    fn restore(&mut self, restore: Option<&str>) {
        let at = self.cluster.find("  restore = {").unwrap();
        let end = at + self.cluster[at..].find("\n  }\n").unwrap() + 5;
        let Some(restore) = restore else {
            let mut text = self.cluster.clone();
            text.replace_range(at..end, "");
            self.configure(&text.replace("lost_hosts = [\"b\", \"c\"]", ""));
            return;
        };
        let lines = restore.lines().map(|it| format!("  {it}\n"));
        self.cluster.replace_range(at..end, &lines.collect::<String>());
        self.configure(&self.cluster);
    }

    fn configure(&self, cluster: &str) {
        self.on.at.config(&format!("{}\n{cluster}", self.before));
        let keys = format!("host_keys = {{\n{}\n}}\n", self.host_keys.join("\n"));
        fs::write(self.on.at.path("terraform.tfvars"), keys).unwrap();
    }

    /// Types in what the next block says, line by line. What it printed.
    fn follow(&mut self) -> String {
        let block = self.block("shell");
        block.lines().map(|it| self.type_in(it)).collect()
    }

    fn type_in(&self, line: &str) -> String {
        match line {
            "terraform plan" => return self.on.at.plan().run.text,
            "terraform apply" => return self.on.at.settle().text,
            _ => {}
        }
        // As `~/.ssh/config` of whoever has these hosts would say it.
        let options = format!(
            "-F none -o BatchMode=yes -o UserKnownHostsFile={} -i {}",
            self.on.lab.known_hosts().display(),
            self.on.lab.key().display()
        );
        let ways =
            ["ssh", "scp"].map(|it| format!("{it}() {{ command {it} {options} \"$@\"; }}\n"));
        let output = Command::new("bash").args(["-c", &(ways.concat() + line)]).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The newest snapshot on any host is the one that is meant.
    fn find_snapshot(&mut self) {
        let look = "ls /srv/etcd 2>/dev/null | grep 'db.zst$' || true";
        let names = |host| {
            let said = self.on.lab.ssh(host, look);
            let names: Vec<_> = said.lines().map(str::to_owned).collect();
            names.into_iter().map(move |it| (it.trim_end_matches(".db.zst").to_owned(), host))
        };
        self.snapshot = ALL.into_iter().flat_map(names).max().unwrap();
    }

    fn rebuild(&mut self, hosts: &[usize]) {
        for host in hosts {
            self.on.lab.cut_power(*host);
        }
        for host in hosts {
            self.on.lab.rebuild(*host);
            let name = ["a", "b", "c"][*host];
            self.host_keys.retain(|it| !it.starts_with(name));
            let key = self.on.host_key(*host);
            let (_, key) = key.split_once(" = ").unwrap();
            self.host_keys.push(format!("{name} = {key}"));
        }
    }

    #[track_caller]
    fn has(&self, key: &str, value: &str) {
        for host in ALL {
            let found = self.on.etcdctl(host, &["get", key, "--print-value-only"]);
            assert_eq!(found, value, "h{host}");
        }
    }
}

#[test]
#[ignore = "minutes; `make soak` runs it"]
fn the_guide_to_disaster_recovery_is_followed_to_the_letter() {
    let Some(on) = Cluster::new(Engine::Terraform, 3) else { return };
    // The guide has the block itself.
    let provider = fs::read_to_string(on.at.path("provider.tf")).unwrap();
    let (_, provider) = provider.split_once("provider \"ha\"").unwrap();
    on.at.provider(&format!("provider \"ha\"{provider}"));
    let mut it = Reader::new(on);
    it.section("Two of three");
    it.cluster = it.block("terraform");
    it.rest = GUIDE;
    it.section("Before");
    let before = it.block("terraform");
    let asked_for = |number: u32| {
        let more =
            format!("retention = {{ last = 7, daily = 14 }}\n  triggers = {{ it = {number} }}");
        before.replace("retention = { last = 7, daily = 14 }", &more)
    };
    it.before = before.clone();
    fs::create_dir(it.on.at.path("safe")).unwrap();
    it.restore(None);
    it.on.at.settle();
    it.on.etcdctl(0, &["put", "fruit", "apple"]);
    // What the schedule does at night.
    it.before = asked_for(1);
    it.restore(None);
    it.on.at.settle();
    it.find_snapshot();
    it.follow();
    it.on.etcdctl(0, &["put", "later", "pear"]);

    it.section("One disk, or one host");
    it.on.lab.ssh(2, "systemctl stop etcd-prod; rm -r /var/lib/etcd/prod");
    it.follow();
    it.has("later", "pear");

    it.section("Two of three");
    it.rebuild(&[1, 2]);
    it.restore(None);
    it.on.at.plan().run.says("a cannot serve, for there is no quorum");
    it.cluster = it.block("terraform");
    it.configure(&it.cluster);
    let shown = it.follow();
    let key = it.host_keys[0].split(' ').nth(3).unwrap();
    assert!(shown.contains(key.trim_end_matches('"')), "{shown}");
    let said = it.follow();
    assert!(said.contains("prove the data of a member that is left"), "{said}");
    it.has("later", "pear");

    it.section("All hosts");
    it.rebuild(&ALL);
    it.follow();
    let restore = it.block("hcl");
    it.restore(Some(&restore));
    it.follow();
    it.has("fruit", "apple");
    it.has("later", "");

    it.section("Something was deleted");
    it.before = asked_for(2);
    it.configure(&it.cluster);
    it.on.at.settle();
    it.find_snapshot();
    it.on.etcdctl(0, &["del", "fruit"]);
    let restore = it.block("hcl");
    it.restore(Some(&restore));
    it.follow();
    it.has("fruit", "apple");
    let open = it.cluster.replace("  lost_hosts", "  deletion_protection = false\n  lost_hosts");
    it.configure(&open);
    it.on.at.settle();
    it.on.at.destroy();
}
