//! What `--debug` prints: how Terraform attaches to a process that it did not start.

use std::path::Path;

use serde_json::json;

use super::{About, handshake};

/// The variable to set, ready for a shell, and what to do with it.
///
/// `Test` tells Terraform that the process is not its own: it never ends it, and one process serves many runs.
pub(super) fn reattach(about: &About, process: u32, socket: &Path) -> String {
    let providers = json!({
        about.address: {
            "Protocol": "grpc",
            "ProtocolVersion": handshake::PROTOCOL,
            "Pid": process,
            "Test": true,
            "Addr": { "Network": "unix", "String": socket.display().to_string() },
        }
    });
    let quoted = providers.to_string().replace('\'', r"'\''");
    format!(
        "The provider serves until Ctrl-C. Set this where terraform or tofu runs:\n\n\
         \tTF_REATTACH_PROVIDERS='{quoted}'\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_can_be_pasted_into_a_shell() {
        let about = About { address: "example.com/terraform-ha/ha", name: "ha", version: "1.2.3" };
        let text = reattach(&about, 7, Path::new("/tmp/it's/plugin"));
        let line = text.lines().nth(2).unwrap();
        assert_eq!(
            line,
            "\tTF_REATTACH_PROVIDERS='{\"example.com/terraform-ha/ha\":{\"Addr\":{\"Network\":\"unix\",\
             \"String\":\"/tmp/it'\\''s/plugin\"},\"Pid\":7,\"Protocol\":\"grpc\",\"ProtocolVersion\":6,\
             \"Test\":true}}'"
        );
    }
}
