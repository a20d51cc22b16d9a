//! From nothing to nothing, when all goes well.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::bind::{ALGORITHMS, Bind};
use crate::engine::for_each_engine;
use crate::run::Run;
use crate::workspace::{Workspace, record};

for_each_engine![
    a_record_is_created_changed_in_place_and_destroyed,
    records_and_time_to_live_change_at_one_moment,
    another_spelling_is_no_change,
    one_name_has_records_of_several_types,
    what_others_change_is_drift,
    a_record_is_imported_by_the_command_and_by_blocks,
    the_key_is_seen_nowhere,
    more_records_than_fit_into_a_datagram_travel_by_tcp,
];

#[test]
fn bind_and_we_sign_alike_by_every_algorithm() {
    let Some(bind) = Bind::start() else { return };
    for (at, algorithm) in ALGORITHMS.iter().enumerate() {
        let address = format!("10.0.0.{at}");
        bind.put_signed(algorithm, "api", "A", &[&address]);
        assert_eq!(bind.shows("api", "A"), format!("30: {address}"), "{algorithm}");
    }
}

fn a_record_is_created_changed_in_place_and_destroyed(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    at.record("records = [\"10.0.0.1\", \"10.0.0.2\"]");
    at.plan()
        .says("+ id = \"example.test/api/a\"")
        .says("+ fqdn = \"api.example.test\"")
        .says("+ ttl = 30");
    at.settle().says("1 added, 0 changed, 0 destroyed").never_says("Warning: An existing");
    assert_eq!(bind.shows("api", "A"), "30: 10.0.0.1 10.0.0.2");

    at.record("ttl = 60\nrecords = [\"10.0.0.2\", \"10.0.0.3\"]");
    at.settle().says("0 added, 1 changed, 0 destroyed");
    assert_eq!(bind.shows("api", "A"), "60: 10.0.0.2 10.0.0.3");

    at.record("ttl = 60\nrecords = [\"10.0.0.2\", \"10.0.0.3\"]\non_conflict = \"adopt\"");
    bind.freeze();
    // What is only recorded needs no server; that it does not answer is told, and no more.
    at.run(&["apply", "-auto-approve", "-refresh=false"]).succeeds().says("0 added, 1 changed");
    bind.thaw();
    at.plan_is_empty();

    at.destroy().says("1 destroyed");
    assert_eq!(bind.shows("api", "A"), "-");
    assert_eq!(at.stored("api"), None);
}

fn records_and_time_to_live_change_at_one_moment(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    at.record("records = [\"10.0.0.1\", \"10.0.0.2\"]");
    at.apply();
    at.record("ttl = 60\nrecords = [\"10.0.0.2\", \"10.0.0.3\"]");
    let is_over = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| watch(&bind, &is_over));
        let run = at.run(&["apply", "-auto-approve"]);
        is_over.store(true, Ordering::Relaxed);
        run.succeeds();
        reader.join().unwrap()
    });
    assert_eq!(seen, ["30: 10.0.0.1 10.0.0.2", "60: 10.0.0.2 10.0.0.3"]);
}

/// Everything that was seen until the end, in order, each once.
fn watch(bind: &Bind, is_over: &AtomicBool) -> Vec<String> {
    let mut seen = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        seen.push(bind.shows("api", "A"));
        seen.dedup();
    }
    seen.push(bind.shows("api", "A"));
    seen.dedup();
    seen
}

fn another_spelling_is_no_change(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    let spelled = "zone = \"Example.TEST.\"\nname = \"API\"\ntype = \"AAAA\"\nrecords = [\"2001:DB8:0::1\", \"::2\"]";
    at.config(&record("api", spelled));
    at.settle();
    assert_eq!(bind.shows("api", "AAAA"), "30: 2001:db8::1 ::2");
    let stored = at.attributes();
    assert_eq!(stored["id"], "example.test/api/aaaa");
    assert_eq!(stored["records"], json!(["2001:DB8:0::1", "::2"]));

    at.record("type = \"AAAA\"\nrecords = [\"0::2\", \"2001:db8::1\"]");
    at.plan_is_empty();

    let alias = record("web", "type = \"CNAME\"\nrecords = [\"API.Example.Test.\"]");
    at.config(&alias);
    at.settle();
    at.config(&alias.replace("API.Example.Test.", "api.example.test"));
    at.plan_is_empty();
}

fn one_name_has_records_of_several_types(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    let text = "x".repeat(300);
    let all = [
        record("v4", "name = \"@\"\nrecords = [\"10.0.0.1\"]"),
        record("v6", "name = \"@\"\ntype = \"AAAA\"\nrecords = [\"::1\"]"),
        record(
            "text",
            &format!("name = \"@\"\ntype = \"TXT\"\nrecords = [\"{text}\", \"a \\\"b\\\"\", \"\"]"),
        ),
    ];
    at.config(&all.concat());
    at.settle().says("3 added");
    assert_eq!(bind.shows("@", "A"), "30: 10.0.0.1");
    assert_eq!(bind.shows("@", "AAAA"), "30: ::1");
    assert_eq!(bind.ask("@", "TXT").unwrap().data.len(), 3);
    at.config(&all[0]);
    at.settle().says("2 destroyed");
    assert_eq!(bind.shows("@", "A"), "30: 10.0.0.1");
    assert_eq!(bind.shows("@", "TXT"), "-");
}

fn what_others_change_is_drift(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    at.record("records = [\"10.0.0.1\"]");
    at.apply();
    bind.put("api", "A", 300, &["10.0.0.1", "10.0.0.9"]);
    at.plan()
        .says("- \"10.0.0.9\"")
        .says("ttl = 300 -> 30")
        .says("0 to add, 1 to change, 0 to destroy");
    at.settle();
    assert_eq!(bind.shows("api", "A"), "30: 10.0.0.1");

    bind.put("api", "A", 0, &[]);
    at.plan().says("1 to add, 0 to change, 0 to destroy");
    at.settle();
    assert_eq!(bind.shows("api", "A"), "30: 10.0.0.1");

    // A wildcard shows itself where the record was: the record is made anew all the same.
    bind.put("*", "A", 300, &["10.0.0.8"]);
    bind.put("api", "A", 0, &[]);
    at.settle();
    assert_eq!(bind.shows("api", "A"), "30: 10.0.0.1");
    at.destroy();
    assert_eq!(bind.shows("api", "A"), "300: 10.0.0.8");
}

fn a_record_is_imported_by_the_command_and_by_blocks(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    bind.put("api", "A", 120, &["10.0.0.1", "10.0.0.2"]);
    let text = record("api", "ttl = 120\nrecords = [\"10.0.0.1\", \"10.0.0.2\"]");
    at.config(&text);
    at.run(&["import", "ha_dns_record.api", "Example.test./API/a"])
        .succeeds()
        .says("Import successful!");
    at.plan_is_empty();

    let mut blocks = vec!["id = \"example.test/api/A\""];
    if at.engine.knows_identity() {
        blocks.push("identity = { zone = \"example.test\", name = \"api\", type = \"A\" }");
    }
    for block in blocks {
        fs::remove_file(at.path("terraform.tfstate")).unwrap();
        at.config(&format!("import {{\n  to = ha_dns_record.api\n  {block}\n}}\n{text}"));
        at.settle().says("1 imported, 0 added, 0 changed, 0 destroyed");
    }
    fs::remove_file(at.path("terraform.tfstate")).unwrap();
    let missing = |id: &str, said: &str| {
        at.run(&["import", "ha_dns_record.api", id]).fails().says(said);
    };
    missing("example.test/api/AAAA", "There is no such DNS record");
    missing("api.example.test", "is not of the form `<zone>/<name>/<type>`");
}

fn the_key_is_seen_nowhere(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    at.record("records = [\"10.0.0.1\"]");
    let log = at.path("trace.log");
    for verb in
        [&["plan", "-out=plan.out"][..], &["apply", "plan.out"], &["destroy", "-auto-approve"]]
    {
        let mut command = at.command(verb);
        command.env("TF_LOG", "TRACE").env("TF_LOG_PATH", &log);
        let run = Run::new(&verb.join(" "), &command.output().unwrap()).succeeds();
        run.never_says(&bind.secret);
        if verb[0] == "plan" {
            at.run(&["show", "-json", "plan.out"]).succeeds().never_says(&bind.secret);
        }
    }
    let trace = fs::read_to_string(&log).unwrap();
    assert!(trace.contains("example.test/api/a"), "the log tells what was done");
    for file in ["trace.log", "terraform.tfstate", "terraform.tfstate.backup"] {
        let text = fs::read_to_string(at.path(file)).unwrap();
        assert!(!text.contains(&bind.secret), "{file}");
    }
}

fn more_records_than_fit_into_a_datagram_travel_by_tcp(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    let arguments = |count: u32| {
        let addresses: Vec<_> = (0..count).map(|it| format!("\"10.0.1.{it}\"")).collect();
        format!("timeouts = {{ create = \"5s\" }}\nrecords = [{}]", addresses.join(", "))
    };
    // As many as BIND takes (`max-records-per-type`), and more than 1232 bytes.
    at.record(&arguments(100));
    at.settle();
    assert_eq!(bind.ask("api", "A").unwrap().data.len(), 100);
    at.servers(&[&bind.server], "transport = \"tcp\"");
    at.record(&arguments(3));
    at.settle();
    assert_eq!(bind.shows("api", "A"), "30: 10.0.1.0 10.0.1.1 10.0.1.2");
}
