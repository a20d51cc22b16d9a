//! Mistakes of the user: told before anything is changed, at the attribute, with the way out.

use serde_json::json;

use crate::engine::{Engine, for_each_engine};
use crate::workspace::Workspace;

for_each_engine![
    a_change_that_is_refused_names_the_attribute_and_the_way_out,
    a_value_that_a_check_refuses_is_told_at_its_attribute,
    a_value_that_becomes_known_too_late_is_refused_in_apply,
    two_members_with_one_address_are_told_at_the_nested_path,
    a_deprecated_attribute_is_a_warning,
    a_move_from_another_type_is_refused,
    a_provider_without_a_directory_says_so_at_the_attribute,
];

fn a_change_that_is_refused_names_the_attribute_and_the_way_out(at: &Workspace) {
    at.thing("");
    at.apply();
    let before = at.stored("a");
    at.thing("kind = \"large\"");
    at.apply_fails()
        .says("Error: `kind` cannot be changed")
        .says("kind = \"large\"")
        .says("It is \"small\" and would become \"large\".")
        .says("Create a second thing of the other kind.");
    assert_eq!(at.stored("a"), before);
    assert_eq!(at.events(), ["create a"]);
}

fn a_value_that_a_check_refuses_is_told_at_its_attribute(at: &Workspace) {
    at.thing(
        r#"
        size     = 11
        settings = { mode = "odd" }
        members  = { x = { address = "" } }
        "#,
    );
    at.run(&["validate"])
        .fails()
        .says("Error: `size` has a wrong value")
        .says("size = 11")
        .says("`size` must be from 1 to 10, and is 11.")
        .says("`settings.mode` must be one of")
        .says("Error: `members[\"x\"].address` has a wrong value");
}

fn a_value_that_becomes_known_too_late_is_refused_in_apply(at: &Workspace) {
    at.config(
        r#"
        resource "probe_thing" "a" {
          name = "a"
        }
        resource "probe_thing" "b" {
          name = "b"
          size = probe_thing.a.serial + 10
        }
        "#,
    );
    let refused =
        at.apply_fails().says("Error: `size` has a wrong value").says("with probe_thing.b,");
    assert_eq!(refused.text.matches("has a wrong value").count(), 1, "{}", refused.text);
    assert!(at.stored("b").is_none(), "nothing is recorded");
    assert_eq!(at.events(), ["create a"]);
}

fn two_members_with_one_address_are_told_at_the_nested_path(at: &Workspace) {
    at.thing(
        r#"
        members = {
          x = { address = "10.0.0.1" }
          y = { address = "10.0.0.1" }
        }
        "#,
    );
    at.run(&["validate"])
        .fails()
        .says("Error: Two members share an address")
        .says("`members[\"x\"].address` is taken by another member; each needs one of its own.");
}

fn a_deprecated_attribute_is_a_warning(at: &Workspace) {
    at.thing("old = \"x\"");
    at.settle()
        .says("Warning: `old` is deprecated")
        .says("old = \"x\"")
        .says("Use `note` instead.");
    at.thing("");
    at.settle().never_says("deprecated");
}

fn a_move_from_another_type_is_refused(at: &Workspace) {
    at.config("resource \"terraform_data\" \"a\" {}");
    at.apply();
    at.config(
        r#"
        moved {
          from = terraform_data.a
          to   = probe_thing.a
        }
        resource "probe_thing" "a" {
          name = "a"
        }
        "#,
    );
    let refused = at.plan_fails();
    match at.engine {
        // It looks at the capability and does not ask.
        Engine::Terraform => refused.says("Error: Unsupported `moved` across resource types"),
        Engine::Tofu => refused
            .says("Error: Moving between resource types is not supported")
            .says("An object of terraform_data cannot become one of probe_thing.")
            .says("Remove the `moved` block; import the object under its new type instead."),
    };
    assert_eq!(at.state()["resources"][0]["type"], json!("terraform_data"));
}

fn a_provider_without_a_directory_says_so_at_the_attribute(at: &Workspace) {
    at.provider(
        r#"
        terraform {
          required_providers {
            probe = { source = "terraform-ha/probe" }
          }
        }
        provider "probe" {}
        "#,
    );
    at.thing("");
    at.plan_fails()
        .says("Error: The probe does not know where its objects are")
        .says("provider[\"")
        .says("provider \"probe\" {}")
        .says("Set `directory`, or the environment variable PROBE_DIRECTORY.");
}
