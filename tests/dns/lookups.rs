//! `ha_dns_lookup`.

use serde_json::{Value, json};

use crate::bind::Bind;
use crate::engine::for_each_engine;
use crate::workspace::{Workspace, nobody};

for_each_engine![each_server_is_asked_by_itself, servers_that_are_none_are_refused];

fn answers(at: &Workspace) -> Value {
    at.apply();
    let state = std::fs::read(at.path("terraform.tfstate")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    state["outputs"]["answers"]["value"].clone()
}

fn lookup(at: &Workspace, arguments: &str) {
    at.config(&format!(
        "data \"ha_dns_lookup\" \"api\" {{\n{arguments}\n}}\noutput \"answers\" {{ value = data.ha_dns_lookup.api.answers }}"
    ));
}

fn each_server_is_asked_by_itself(at: &Workspace) {
    let (Some((at, bind)), Some(dead)) = (Workspace::with_bind(at.engine), Bind::start()) else {
        return;
    };
    bind.put("api", "A", 30, &["10.0.0.2", "10.0.0.1"]);
    let of_api = "name = \"api.example.test\"\ntype = \"A\"";
    let (one, other) = (bind.server.to_string(), dead.server.to_string());
    lookup(&at, of_api);
    let found = json!({ "records": ["10.0.0.1", "10.0.0.2"], "ttl": 30, "error": null });
    assert_eq!(answers(&at), json!({ &one: found }));

    dead.freeze();
    lookup(&at, &format!("{of_api}\nservers = [\"{one}\", \"{other}\"]"));
    let said = answers(&at);
    assert_eq!(said[&one], found);
    let error = said[&other]["error"].as_str().unwrap();
    assert!(error.starts_with("it did not answer within 500ms. Check that"), "{error}");
    assert_eq!(said[&other]["records"], Value::Null);

    lookup(&at, "name = \"nothing.example.test\"\ntype = \"A\"");
    assert_eq!(answers(&at)[&one], json!({ "records": [], "ttl": null, "error": null }));
    lookup(&at, "name = \"elsewhere.test\"\ntype = \"A\"");
    let refused = &answers(&at)[&one]["error"];
    assert!(refused.as_str().unwrap().starts_with("it answered REFUSED"), "{refused}");
}

fn servers_that_are_none_are_refused(at: &Workspace) {
    at.servers(&[&nobody()], "key_name = \"ha\"\nkey_secret = \"c2VjcmV0\"");
    lookup(at, "name = \"api.example.test\"\ntype = \"A\"\nservers = [\"10.0.0.1:x\"]");
    at.run(&["validate"]).fails().says("\"10.0.0.1:x\" is neither a name nor an IP address");
}
