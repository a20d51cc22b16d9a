//! What an engine makes of the schemas.

use serde_json::Value;

use crate::engine::for_each_engine;
use crate::workspace::Workspace;

for_each_engine![the_schemas_are_listed_as_json];

fn the_schemas_are_listed_as_json(at: &Workspace) {
    let listed = at.run(&["providers", "schema", "-json"]).succeeds().json();
    let address = format!("{}/terraform-ha/probe", at.engine.registry());
    let provider = &listed["provider_schemas"][&address];
    let names = |kind: &str| -> Vec<String> {
        provider[kind].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names("resource_schemas"), ["probe_thing"]);
    assert_eq!(names("data_source_schemas"), ["probe_things"]);
    assert_eq!(names("ephemeral_resource_schemas"), ["probe_token"]);
    assert_eq!(provider["provider"]["block"]["attributes"]["token"]["sensitive"], true);

    let thing = &provider["resource_schemas"]["probe_thing"];
    assert_eq!(thing["version"], 1);
    let attributes = &thing["block"]["attributes"];
    assert_eq!(attributes.as_object().unwrap().len(), 25);
    assert_eq!(attributes["password"]["write_only"], true);
    assert_eq!(attributes["old"]["deprecated"], true);
    assert_eq!(attributes["anything"]["type"], "dynamic");
    assert_eq!(attributes["size"]["description_kind"], "markdown");
    let nesting = |name: &str| attributes[name]["nested_type"]["nesting_mode"].clone();
    let found = ["settings", "members", "rules", "groups"].map(nesting);
    assert_eq!(found, ["single", "map", "list", "set"].map(Value::from));
    let has_identity = provider.get("resource_identity_schemas").is_some();
    assert!(!has_identity || at.engine.knows_identity());
}
