//! Who gets in, with what, and what is told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::engine::Engine;
use crate::plane::Plane;

const TOLD: &str = r#"
ephemeral "ha_kubeconfig" "eve" {
  control_plane = ha_control_plane.this.access
  user          = "eve"
  groups        = ["viewers"]
  ttl           = "10m"
}

ephemeral "ha_kubeconfig" "somebody" {
  control_plane = ha_control_plane.this.access
}

# Leaves them outside, where they can be tried.
resource "terraform_data" "eve" {
  provisioner "local-exec" {
    environment = {
      KUBECONFIG_OF_EVE = ephemeral.ha_kubeconfig.eve.kubeconfig
      GROUPS_WITHOUT    = jsonencode(ephemeral.ha_kubeconfig.somebody.groups)
    }
    command = "printf %s \"$KUBECONFIG_OF_EVE\" > eve; printf %s \"$GROUPS_WITHOUT\" > groups"
  }
}

data "ha_control_plane_status" "this" {
  control_plane = ha_control_plane.this.access
}

output "status" { value = data.ha_control_plane_status.this }
"#;

#[test]
fn credentials_are_for_whom_they_were_made_and_in_no_state() {
    let Some(on) = Plane::new(Engine::Terraform) else { return };
    on.wish(&["a"], "", TOLD);
    on.apply();
    let status = on.state()["outputs"]["status"]["value"].clone();
    assert_eq!(status["ready"], true, "{status}");
    assert_eq!(status["nodes"]["a"]["version"], "1.34.4", "{status}");
    assert!(status["scheduler_leader"].as_str().is_some_and(|it| it.contains('_')), "{status}");

    // What is used where nothing is said, is told.
    let groups = fs::read_to_string(on.path("groups")).unwrap();
    assert_eq!(groups, r#"["ha:cluster-admins"]"#);

    let path = on.path("kubeconfig");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let who = ["auth", "whoami", "-o", "jsonpath={.status.userInfo}"];
    let said = on.kubectl("a", &who);
    assert!(said.contains("ha:cluster-admins") && said.contains("\"admin\""), "{said}");
    assert!(!said.contains("system:masters"), "{said}");
    let eve = |arguments: &[&str]| on.ask_by("eve", "a", arguments);
    let said = String::from_utf8(eve(&who).stdout).unwrap();
    assert!(said.contains("\"viewers\"") && said.contains("\"eve\""), "{said}");
    let refused = eve(&["get", "secrets"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Forbidden"), "{refused:?}");

    let text = fs::read_to_string(&path).unwrap();
    let key = text.lines().find_map(|it| it.trim().strip_prefix("client-key-data: ")).unwrap();
    let state = fs::read_to_string(on.path("terraform.tfstate")).unwrap();
    assert!(!state.contains(key) && !state.contains("PRIVATE KEY"));

    // A file that was edited, or is gone, is made anew; one of somebody else is left alone.
    fs::write(&path, format!("{text}# mine\n")).unwrap();
    on.wish(&["a"], "", "");
    on.plan().says("kubeconfig was edited");
    on.settle();
    fs::remove_file(&path).unwrap();
    on.settle();
    assert_eq!(on.kubectl("a", &["get", "--raw", "/readyz"]), "ok");
    on.forget("ha_kubeconfig_file.admin");
    on.apply_fails().says("The kubeconfig was not written").says("Choose another `path`");
    fs::remove_file(&path).unwrap();
    on.settle();
    on.destroy_all();
}
