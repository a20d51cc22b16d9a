//! A zone with a second name server.

use std::net::Ipv6Addr;

use crate::bind::{Bind, Special, free_port, has_ipv6};
use crate::engine::{Engine, for_each_engine};
use crate::workspace::Workspace;

for_each_engine![
    all_name_servers_are_waited_for,
    a_name_server_that_lags_behind_is_an_error_and_the_next_apply_goes_on,
    a_name_server_that_cannot_be_asked_is_a_warning,
];

/// A primary that tells its secondary of changes, or does not.
fn pair(engine: Engine, is_told: bool) -> Option<(Workspace, Bind, Bind)> {
    if !has_ipv6() {
        return None;
    }
    let address = Ipv6Addr::LOCALHOST.into();
    let port = free_port(address);
    let special = Special { secondary: is_told.then_some(port), ..Special::default() };
    let (at, primary) = Workspace::beside(engine, special)?;
    let special = Special { primary: Some(&primary), ..Special::default() };
    let secondary = Bind::at(address, port, special)?;
    at.servers(&[&primary.server, &secondary.server], "");
    Some((at, primary, secondary))
}

const ALL: &str = "records = [\"10.0.0.1\"]\nwait_for = \"all\"";

fn all_name_servers_are_waited_for(at: &Workspace) {
    let Some((at, _primary, secondary)) = pair(at.engine, true) else { return };
    at.record(ALL);
    at.apply();
    assert_eq!(secondary.shows("api", "A"), "30: 10.0.0.1");
    at.record(&ALL.replace("10.0.0.1", "10.0.0.2"));
    at.apply();
    assert_eq!(secondary.shows("api", "A"), "30: 10.0.0.2");
    at.plan_is_empty();
}

fn a_name_server_that_lags_behind_is_an_error_and_the_next_apply_goes_on(at: &Workspace) {
    let Some((at, primary, secondary)) = pair(at.engine, false) else { return };
    let hurried = format!("{ALL}\ntimeouts = {{ create = \"3s\" }}");
    at.record(&hurried);
    at.apply_fails()
        .says("A name server of the zone lags behind")
        .says(&format!("ns2.example.test ({}) still shows no such record set", secondary.server))
        .says("Nothing is recorded, though the primary has the record set");
    assert_eq!(primary.shows("api", "A"), "30: 10.0.0.1");
    at.record("records = [\"10.0.0.1\"]");
    at.settle().says("An existing DNS record was taken over");
}

fn a_name_server_that_cannot_be_asked_is_a_warning(at: &Workspace) {
    let Some((at, _primary, secondary)) = pair(at.engine, true) else { return };
    secondary.freeze();
    at.record(ALL);
    at.apply()
        .says("A name server of the zone cannot be asked")
        .says("it did not answer within 500ms. It was not waited for");
    at.plan_is_empty();
}
