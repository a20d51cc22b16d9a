//! What somebody else has put there.

use crate::engine::for_each_engine;
use crate::workspace::{Workspace, record};

for_each_engine![
    a_record_of_somebody_else_is_refused_with_the_way_to_import_it,
    a_record_of_somebody_else_is_replaced_where_that_is_wanted,
    a_record_that_is_already_the_wanted_one_is_taken_over_with_a_warning,
    an_alias_and_other_records_exclude_each_other,
    what_changed_after_the_plan_is_left_alone,
];

fn a_record_of_somebody_else_is_refused_with_the_way_to_import_it(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    bind.put("api", "A", 120, &["10.0.0.9"]);
    at.record("records = [\"10.0.0.1\"]");
    at.apply_fails()
        .says("The DNS record was not created")
        .says("it exists already, and holds 10.0.0.9 for 120 s")
        .says("import it with the id `example.test/api/a`");
    assert_eq!(bind.shows("api", "A"), "120: 10.0.0.9");
    assert_eq!(at.stored("api"), None);
    at.run(&["import", "ha_dns_record.api", "example.test/api/a"]).succeeds();
    at.settle().says("0 added, 1 changed, 0 destroyed");
    assert_eq!(bind.shows("api", "A"), "30: 10.0.0.1");
}

fn a_record_of_somebody_else_is_replaced_where_that_is_wanted(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    bind.put("api", "A", 120, &["10.0.0.9"]);
    at.record("records = [\"10.0.0.1\"]\non_conflict = \"adopt\"");
    at.settle().says("1 added");
    assert_eq!(bind.shows("api", "A"), "30: 10.0.0.1");
}

fn a_record_that_is_already_the_wanted_one_is_taken_over_with_a_warning(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    bind.put("api", "A", 30, &["10.0.0.1"]);
    at.record("records = [\"10.0.0.1\"]");
    at.settle().says("Warning: An existing DNS record was taken over");
    at.destroy();
    assert_eq!(bind.shows("api", "A"), "-");
}

fn an_alias_and_other_records_exclude_each_other(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    bind.put("api", "CNAME", 60, &["web.example.test."]);
    at.record("records = [\"10.0.0.1\"]");
    at.apply_fails().says("the name is an alias (CNAME) of web.example.test");
    bind.put("api", "CNAME", 0, &[]);
    bind.put("api", "A", 60, &["10.0.0.9"]);
    at.config(&record("api", "type = \"CNAME\"\nrecords = [\"web.example.test\"]"));
    at.apply_fails().says("the name has records of other types");
    assert_eq!(bind.shows("api", "A"), "60: 10.0.0.9");
}

fn what_changed_after_the_plan_is_left_alone(at: &Workspace) {
    let Some((at, bind)) = Workspace::with_bind(at.engine) else { return };
    at.record("records = [\"10.0.0.1\"]");
    at.apply();
    at.record("records = [\"10.0.0.2\"]");
    at.run(&["plan", "-out=plan.out"]).succeeds();
    bind.put("api", "A", 30, &["10.0.0.9"]);
    at.run(&["apply", "plan.out"])
        .fails()
        .says("somebody else has changed it meanwhile: it holds 10.0.0.9 for 30 s")
        .says("Plan again");
    assert_eq!(bind.shows("api", "A"), "30: 10.0.0.9");
    at.run(&["destroy", "-auto-approve", "-refresh=false"])
        .fails()
        .says("The DNS record was not removed");
    assert_eq!(at.attributes()["records"][0], "10.0.0.1");
    at.settle();
    assert_eq!(bind.shows("api", "A"), "30: 10.0.0.2");
}
