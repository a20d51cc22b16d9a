//! Servers that do not do what they are asked to do.

use crate::bind::{Bind, Special, keygen};
use crate::engine::for_each_engine;
use crate::workspace::Workspace;

for_each_engine![
    each_refusal_of_a_server_is_told_with_the_way_out,
    a_zone_that_is_broken_is_tried_until_the_time_is_up,
    a_clock_that_is_wrong_is_told_with_the_difference,
    a_server_that_is_silent_is_a_warning_in_a_plan_and_an_error_in_an_apply,
    a_failed_update_keeps_the_record_in_the_state,
    the_next_server_takes_the_place_of_a_dead_one,
    a_provider_without_dns_says_so,
];

const RECORD: &str = "records = [\"10.0.0.1\"]";
const HURRIED: &str =
    "records = [\"10.0.0.1\"]\ntimeouts = { create = \"2s\", update = \"2s\", delete = \"2s\" }";

fn each_refusal_of_a_server_is_told_with_the_way_out(at: &Workspace) {
    let Some((mut at, bind)) = Workspace::with_bind(at.engine) else { return };
    at.record(RECORD);
    let fails = |at: &Workspace, code: &str, way_out: &str| {
        let run = at.apply_fails().says(&bind.server.to_string()).says(code).says(way_out);
        run.says("Nothing was created, and nothing is recorded").never_says(&bind.secret);
        assert_eq!(at.stored("api"), None);
    };
    at.servers(&[&bind.server], "key_name = \"other\"");
    fails(&at, "it answered BADKEY", "`dns.rfc2136.key_name`");
    at.servers(&[&bind.server], "key_name = \"reader\"");
    fails(&at, "it answered REFUSED", "`allow-update`");
    at.servers(&[&bind.server], "key_algorithm = \"hmac-sha512\"");
    fails(&at, "it answered BADKEY", "`key_algorithm`");
    at.servers(&[&bind.server], "");
    at.secret(&keygen("ha"));
    fails(&at, "it answered BADSIG", "`dns.rfc2136.key_secret`");
    at.secret(&bind.secret);
    at.record(&format!("zone = \"elsewhere.test\"\n{RECORD}"));
    fails(&at, "it answered NOTAUTH", "Check the name of the `zone`");
    at.record(RECORD);
    at.settle();

    // What was there stays in the state while nobody may look at it.
    at.secret(&keygen("ha"));
    at.run(&["plan"]).fails().says("A DNS record cannot be read").says("it answered BADSIG");
    at.run(&["destroy", "-auto-approve", "-refresh=false"])
        .fails()
        .says("The DNS record was not removed");
    assert!(at.stored("api").is_some());
}

fn a_zone_that_is_broken_is_tried_until_the_time_is_up(at: &Workspace) {
    let special = Special { is_broken: true, ..Special::default() };
    let Some((at, _bind)) = Workspace::beside(at.engine, special) else { return };
    at.record(HURRIED);
    at.apply_fails()
        .says("it answered SERVFAIL")
        .says("the zone may be frozen, expired or not writable")
        .says("Nothing is recorded; apply again");
    assert_eq!(at.stored("api"), None);
}

fn a_clock_that_is_wrong_is_told_with_the_difference(at: &Workspace) {
    if std::process::Command::new("faketime").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "faketime is not installed: run scripts/setup");
        eprintln!("left out: faketime is not installed; `scripts/setup` installs it");
        return;
    }
    let Some((at, _bind)) = Workspace::with_bind(at.engine) else { return };
    at.clock_behind();
    at.record(RECORD);
    at.apply_fails()
        .says("it answered BADTIME: its clock is 7")
        .says("seconds ahead of this machine's")
        .says("Set the clocks");
}

fn a_server_that_is_silent_is_a_warning_in_a_plan_and_an_error_in_an_apply(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    at.record(HURRIED);
    at.settle();
    bind.freeze();
    at.run(&["plan", "-detailed-exitcode"])
        .succeeds()
        .says("Warning: A DNS record cannot be looked at")
        .says("it did not answer within 500ms");
    at.run(&["destroy", "-auto-approve"]).fails().says("The DNS record was not removed");
    assert_eq!(at.attributes()["records"][0], "10.0.0.1");
    bind.thaw();
    at.destroy();
    assert_eq!(bind.shows("api", "A"), "-");
}

fn a_failed_update_keeps_the_record_in_the_state(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    at.record(HURRIED);
    at.settle();
    at.record(&HURRIED.replace("10.0.0.1", "10.0.0.2"));
    bind.freeze();
    at.apply_fails().says("The DNS record is not as planned").says("The state keeps what it had");
    assert_eq!(at.attributes()["records"][0], "10.0.0.1");
    bind.thaw();
    at.settle();
    assert_eq!(bind.shows("api", "A"), "30: 10.0.0.2");
}

fn the_next_server_takes_the_place_of_a_dead_one(at: &Workspace) {
    let (Some((at, bind)), Some(dead)) = (Workspace::with_bind(at.engine), Bind::start()) else {
        return;
    };
    dead.freeze();
    at.servers(&[&dead.server, &bind.server], "");
    at.record(RECORD);
    at.apply();
    assert_eq!(bind.shows("api", "A"), "30: 10.0.0.1");
    at.plan_is_empty();
    // The second one may lag behind: that it lacks the record is no proof.
    bind.put("api", "A", 0, &[]);
    at.run(&["plan", "-detailed-exitcode"]).succeeds().says("A DNS record may have changed");
}

fn a_provider_without_dns_says_so(at: &Workspace) {
    std::fs::write(
        at.path("provider.tf"),
        "terraform {\n  required_providers {\n    ha = { source = \"terraform-ha/ha\" }\n  }\n}\nprovider \"ha\" {}\n",
    )
    .unwrap();
    at.record(RECORD);
    at.apply_fails().says("No DNS server is known that takes updates");
}
