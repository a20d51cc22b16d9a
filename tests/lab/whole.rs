//! The whole product for a while, from bare hosts to bare hosts, and what clients notice: some write to etcd and read it back,
//! others ask the API through the virtual IP. In the end two of three machines are lost with all that they had. It takes
//! minutes, so it runs before a release (`make soak`).

use std::time::Instant;

use serde_json::json;

use crate::amid::{LIMIT, amid_command, kill_engine};
use crate::balancer::faults::during;
use crate::balancer::load::Load;
use crate::bind::Bind;
use crate::engine::Engine;
use crate::etcd::client::Client;
use crate::examples::{ALL, leaves_what_is_documented, members, ssh};
use crate::front_door::Door;
use crate::lab::Lab;
use crate::processes::until_within;

/// The hosts of the example that have nothing but a balancer at first.
const BALANCERS: [usize; 2] = [3, 4];

/// The minor after that with which the example begins.
const NEXT: &str = "1.35.4";

/// What clients noticed, as rows of a table.
struct Notes<'a> {
    client: Client,
    load: &'a Load,
    rows: Vec<String>,
}

impl Notes<'_> {
    fn during(&mut self, what: &str, deed: impl FnOnce()) {
        let began = Instant::now();
        self.client.lap();
        let api = during(self.load, what, deed);
        let etcd = self.client.lap();
        self.rows.push(format!(
            "| {what} | {} s | {} ms | {} ms | {} of {} |",
            began.elapsed().as_secs(),
            etcd.gap.as_millis(),
            api.gap.as_millis(),
            api.failed,
            api.failed + api.answered
        ));
    }
}

#[test]
#[ignore = "minutes: run by `make soak`"]
fn the_whole_lives_and_no_acknowledged_write_is_lost() {
    let (Some(lab), Some(bind)) = (Lab::with_hosts(5), Bind::start()) else { return };
    let on = Door::on(lab, Engine::Terraform);
    let mut example = ssh(&on, &bind);
    let before = ALL.map(|it| on.lab().hosts[it].own_files());
    let began = Instant::now();
    example.settle();
    let up = began.elapsed();
    let began = Instant::now();
    example.plan_is_empty();
    let plan = began.elapsed();

    let client = Client::start(&on.plane.on, &ALL);
    let load = Load::start(on.to(), &on.caller());
    load.runs_on();
    let mut notes = Notes { client, load: &load, rows: Vec::new() };
    notes.during("nothing happens", || load.runs_on());
    let three = ["a", "b", "c"];
    let other = ["a", "b", "lb1"];
    members(&mut example, &["a", "b", "c", "lb1", "lb2"]);
    notes.during("from three to five", || drop(example.settle()));
    members(&mut example, &three);
    notes.during("from five to three", || drop(example.settle()));

    notes.during("the power of c is cut", || {
        on.lab().cut_power(2);
        load.runs_on();
    });
    members(&mut example, &other);
    notes.during("lb1 takes its place", || drop(example.settle()));
    assert!(on.plane.on.members(0).contains_key("lb1"));
    on.lab().rebuild(2);
    members(&mut example, &three);
    notes.during("c is another machine, and Terraform is killed", || {
        let apply = example.command_on_state("apply", &["-auto-approve"]);
        let running = amid_command(&on.plane.on.at, apply, "learner");
        kill_engine(&running);
        assert!(!running.end_within(LIMIT).status.success());
    });
    notes.during("the next apply goes on", || {
        // The agents of the one that was killed are at their step for half a minute at most.
        until_within(LIMIT, "an apply", || {
            let run = example.run_on_state("apply", &["-auto-approve"]);
            (!run.has("another run is at work")).then(|| drop(run.succeeds()))
        });
        example.plan_is_empty();
    });
    assert!(on.plane.on.members(0).contains_key("c"));

    let holder = on.holder(&BALANCERS);
    let heir = BALANCERS.into_iter().find(|it| *it != holder).unwrap();
    notes.during("the power of the active balancer is cut", || {
        on.lab().cut_power(holder);
        assert_eq!(on.holder(&[heir]), heir);
    });
    notes.during("it comes back", || {
        on.lab().start(holder);
        example.plan_is_empty();
    });

    on.plane.offer(NEXT);
    example.variables.insert("kubernetes_version", NEXT.to_owned());
    notes.during("Kubernetes goes to the next minor", || {
        example.settle().says("restart kube-apiserver on");
    });
    for host in [0, 1, 2] {
        let started = on.plane.shown(host, "kube-apiserver", "ExecStart");
        assert!(started.contains(&format!("/{NEXT}/")), "{started}");
        assert_eq!(on.plane.status(host, "/readyz"), "200");
    }

    // What only the lost ones have acknowledged would be lost with them: so nobody writes any more.
    notes.client.stop();
    example.variables.insert("restore", "{ generation = 1, from = \"survivor\" }".to_owned());
    notes.during("two of three machines are lost, what the third has is restored", || {
        for host in [0, 1] {
            on.lab().cut_power(host);
        }
        for host in [0, 1] {
            on.lab().rebuild(host);
        }
        // They are other machines: somebody has to say that they are the right ones.
        let key = |host: usize| {
            let line = on.lab().hosts[host].known_hosts_line();
            line.trim().split_once(' ').unwrap().1.to_owned()
        };
        let keys = json!({ "a": key(0), "b": key(1) });
        example.variables.insert("host_keys", keys.to_string());
        example.settle().says("prove the data of a member that is left");
    });
    let Notes { client, rows, .. } = notes;
    let rows = rows.join("\n");
    drop(load);
    let writes = client.end();
    let began = Instant::now();
    example.run_on_state("destroy", &["-auto-approve"]).succeeds();
    let down = began.elapsed();
    assert_eq!(bind.shows("api", "A"), "-");
    eprintln!(
        "up {up:?}, plan {plan:?}, down {down:?}, {writes} writes, all of them there\n{rows}"
    );
    for host in ALL {
        leaves_what_is_documented(&on, host, &before[host]);
    }
}
