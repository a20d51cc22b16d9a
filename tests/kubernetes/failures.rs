//! Changes that do not serve: nothing more is changed, and what ran before comes back.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use terraform_provider_ha::domain::kubernetes::{Arguments, Component};
use terraform_provider_ha::engine::chain;

use crate::local::Local;

/// An API server that passes a dry start and then ends at once, on this host.
fn bad_on(host: &str, programs: &Path) -> String {
    format!(
        "#!/bin/sh\ncase \"$*\" in */hosts/{host}/*--cert-dir=*) ;; */hosts/{host}/*) exit 3 ;; esac\n\
         exec {}/kube-apiserver \"$@\"\n",
        programs.display()
    )
}

/// A release whose API server is this text.
fn release(at: &Local, server: &str) {
    let (from, to) = (at.programs.clone(), at.root("release"));
    fs::create_dir_all(&to).unwrap();
    for program in ["kube-controller-manager", "kube-scheduler"] {
        for file in [program.to_owned(), format!("{program}.sha256")] {
            symlink(from.join(&file), to.join(&file)).unwrap();
        }
    }
    let program = to.join("kube-apiserver");
    fs::write(&program, server).unwrap();
    let sum = Command::new("sha256sum").arg(&program).output().unwrap().stdout;
    fs::write(to.join("kube-apiserver.sha256"), &sum[..64]).unwrap();
}

/// How many nodes did not say at the same time that they are ready, at the worst moment, until it is told to end.
fn watch(nodes: &[&str]) -> (Arc<AtomicBool>, Arc<AtomicUsize>, std::thread::JoinHandle<()>) {
    let (ends, worst) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let urls: Vec<_> = nodes.iter().map(|it| Local::url(it, "/readyz")).collect();
    let (end, seen) = (Arc::clone(&ends), Arc::clone(&worst));
    let watching = std::thread::spawn(move || {
        while !end.load(Ordering::Relaxed) {
            let is_away = |url: &&String| {
                let mut curl = Command::new("curl");
                curl.args(["-skf", "-m", "2", "-o", "/dev/null", url]);
                !curl.status().unwrap().success()
            };
            seen.fetch_max(urls.iter().filter(is_away).count(), Ordering::Relaxed);
        }
    });
    (ends, worst, watching)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_does_not_serve_stops_and_is_put_back() {
    let Some(mut at) = Local::new(&["a", "b", "c"]).await else { return };
    let done = at.converge(false).await;
    Local::steps(&done);
    let programs = at.programs.clone();
    release(&at, &bad_on("b", &programs));
    at.programs = at.root("release");
    at.wish.version = "1.34.5".parse().unwrap();
    let (end, worst, watching) = watch(&["a", "b", "c"]);
    let done = at.converge(false).await;
    end.store(true, Ordering::Relaxed);
    watching.join().unwrap();
    assert_eq!(worst.load(Ordering::Relaxed), 1, "nodes that were away at the same time");
    let stopped = chain(done.stopped.as_ref().unwrap());
    assert!(stopped.contains("b did not serve with what is wished"), "{stopped}");
    let steps: Vec<_> = done.steps.iter().map(|it| it.step.to_string()).collect();
    let is_put_back = |it: &String| it.starts_with("put b back to Kubernetes 1.34.4");
    assert!(steps.iter().any(is_put_back), "{steps:?}");
    at.is_ready().await;
    let releases = |at: &Local| {
        ["a", "b", "c"].map(|host| {
            let unit = at.root(host).join("etc/systemd/system/kube-apiserver-prod.service");
            let text = fs::read_to_string(unit).unwrap();
            if text.contains("/1.34.5/") { "1.34.5" } else { "1.34.4" }
        })
    };
    assert_eq!(releases(&at), ["1.34.5", "1.34.4", "1.34.4"]);

    // A good program comes in its place, and the same apply goes on.
    for host in ["b", "c"] {
        let lies = at.root(host).join("usr/local/lib/ha/kubernetes/1.34.5/kube-apiserver");
        fs::remove_file(&lies).unwrap();
        fs::copy(programs.join("kube-apiserver"), &lies).unwrap();
        fs::set_permissions(&lies, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let done = at.converge(false).await;
    Local::steps(&done);
    assert_eq!(releases(&at), ["1.34.5"; 3]);
    at.is_ready().await;
    assert_eq!(at.drift().await, Vec::<String>::new());
    assert!(!at.root("b").join("etc/kubernetes-prod/previous").exists());

    // What no program takes restarts nothing.
    let before = at.processes();
    at.wish.api_server.arguments =
        Arguments::new(Component::ApiServer, vec!["--no-such-flag=1".to_owned()]).unwrap();
    let done = at.converge(false).await;
    let stopped = chain(done.stopped.as_ref().unwrap());
    assert!(stopped.contains("unknown flag: --no-such-flag"), "{stopped}");
    assert_eq!(at.processes(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_died_or_hangs_or_lost_its_disk_serves_again() {
    let Some(mut at) = Local::new(&["a", "b"]).await else { return };
    let done = at.converge(false).await;
    Local::steps(&done);
    // Nobody starts it again: its unit was stopped, and its disk is another.
    at.kill_all_of("b");
    fs::remove_dir_all(at.root("b")).unwrap();
    let done = at.converge(false).await;
    let steps = Local::steps(&done);
    assert!(steps.iter().any(|it| it == "start the API server of the new node b"), "{steps:?}");
    at.is_ready().await;

    // A file that somebody has edited, and a certificate that somebody has removed.
    let policy = at.root("a").join("etc/kubernetes-prod/audit-policy.yaml");
    fs::write(&policy, "edited").unwrap();
    fs::remove_file(at.root("b").join("etc/kubernetes-prod/pki/scheduler.crt")).unwrap();
    let drift = at.drift().await;
    let expected = [
        "a: kube-apiserver-prod.service or a file that it reads was edited",
        "b: scheduler certificate is missing",
    ];
    assert_eq!(drift, expected);
    let before = at.processes();
    let done = at.converge(false).await;
    Local::steps(&done);
    assert_eq!(at.drift().await, Vec::<String>::new());
    assert_eq!(at.processes(), before, "nothing restarts");

    // It does not end when it is asked to, and does not answer.
    at.freeze("a", "kube-scheduler");
    let done = at.converge(false).await;
    let steps = Local::steps(&done);
    assert_eq!(steps, ["restart kube-scheduler on a, where it hangs"]);
    at.is_ready().await;
}
