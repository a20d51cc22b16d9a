//! What a plan refuses, at the attribute that is at fault. No server is asked.

use crate::engine::for_each_engine;
use crate::workspace::{Workspace, nobody, record};

for_each_engine![what_is_wrong_is_refused_by_validate, what_is_unusual_is_a_warning];

fn what_is_wrong_is_refused_by_validate(at: &Workspace) {
    at.servers(&[&nobody()], "key_name = \"ha\"\nkey_secret = \"c2VjcmV0\"");
    let check = |arguments: &str, line: &str, said: &str| {
        at.config(&record("api", arguments));
        at.run(&["validate"]).fails().says(line).says(said);
    };
    let a = |records: &str| format!("records = [{records}]");
    check(&a(""), "records = []", "must be not empty");
    check(&a("\"10.0.0.256\""), "records = [", "\"10.0.0.256\" is no IPv4 address");
    check(
        &format!("type = \"MX\"\n{}", a("\"x\"")),
        "type = \"MX\"",
        "one of `A`, `AAAA`, `CNAME`, `TXT`",
    );
    check(
        &format!("type = \"AAAA\"\n{}", a("\"::1\", \"0::1\"")),
        "records = [",
        "are the same record",
    );
    check(
        &format!("type = \"CNAME\"\n{}", a("\"a.test\", \"b.test\"")),
        "records = [",
        "An alias has several names",
    );
    check(
        &format!("name = \"@\"\ntype = \"CNAME\"\n{}", a("\"a.test\"")),
        "type = \"CNAME\"",
        "a zone itself cannot be a CNAME",
    );
    check(
        &format!("name = \"a..b\"\n{}", a("\"10.0.0.1\"")),
        "name = \"a..b\"",
        "`@`, or a name of the DNS",
    );
    check(&format!("zone = \"a b\"\n{}", a("\"10.0.0.1\"")), "zone = \"a b\"", "a name of the DNS");
    check(&format!("ttl = -1\n{}", a("\"10.0.0.1\"")), "ttl = -1", "from 0 to 2147483647");
    check(
        &format!("on_conflict = \"merge\"\n{}", a("\"10.0.0.1\"")),
        "on_conflict = \"merge\"",
        "one of `fail`, `adopt`",
    );
    check(
        &format!("wait_for = \"me\"\n{}", a("\"10.0.0.1\"")),
        "wait_for = \"me\"",
        "one of `primary`, `all`",
    );
}

fn what_is_unusual_is_a_warning(at: &Workspace) {
    at.servers(&[&nobody()], "key_name = \"ha\"\nkey_secret = \"c2VjcmV0\"");
    let check = |arguments: &str, warning: Option<&str>| {
        at.config(&record("api", arguments));
        let run = at.run(&["validate"]).succeeds();
        match warning {
            Some(warning) => run.says(&format!("Warning: {warning}")),
            // The overridden installation is a warning of its own.
            None => run.never_says("time to live").never_says("ends with its zone"),
        };
    };
    let a = "records = [\"10.0.0.1\"]";
    check(&format!("ttl = 4\n{a}"), Some("A time to live of 4 s is unusual for an address"));
    check(&format!("ttl = 301\n{a}"), Some("A time to live of 301 s is unusual for an address"));
    check(&format!("ttl = 5\n{a}"), None);
    check(&format!("ttl = 300\n{a}"), None);
    check("ttl = 3600\ntype = \"TXT\"\nrecords = [\"x\"]", None);
    check(
        &format!("name = \"api.example.test\"\n{a}"),
        Some("The name of a DNS record ends with its zone"),
    );
}
