//! Nodes that join and leave, and a state that is lost.

use std::fs;

use crate::engine::Engine;
use crate::plane::{FIVE, NODES, Plane};

#[test]
fn nodes_join_and_leave_and_any_one_brings_the_state_back() {
    let Some(on) = Plane::new(Engine::Tofu) else { return };
    on.wish(&["a"], "", "");
    on.settle();
    on.kubectl("a", &["create", "configmap", "fruit", "--from-literal=name=apple"]);
    let first = on.components("a");

    on.wish(&NODES, "", "");
    on.plan()
        .says("start the API server of the new node b")
        .says("start the API server of the new node c");
    on.settle();
    assert_eq!(on.components("a"), first, "the first was touched");
    let read = ["get", "configmap", "fruit", "-o", "jsonpath={.data.name}"];
    for node in NODES {
        assert_eq!(on.kubectl(node, &read), "apple", "{node}");
    }
    // What one of them signs the others believe.
    let keys =
        NODES.map(|it| fs::read(on.root(it).join("etc/kubernetes-prod/pki/sa.pub")).unwrap());
    assert!(keys.iter().all(|it| *it == keys[0]));

    let id = on.attributes()["id"].clone();
    on.forget("ha_control_plane.this");
    on.apply_fails()
        .says("belongs to the control_plane \"prod\" with the id")
        .says("import ha_control_plane.NAME prod@local:");
    let from = format!("prod@local:{}", on.root("c").display());
    on.run(&["import", "ha_control_plane.this", &from]).succeeds();
    assert_eq!(on.attributes()["id"], id);
    on.plan_is_empty();

    on.wish(&FIVE, "", "");
    on.settle();
    for node in FIVE {
        assert_eq!(on.kubectl(node, &read), "apple", "{node}");
    }
    for (stay, leave) in [(&FIVE[2..], &FIVE[..2]), (&FIVE[2..3], &FIVE[3..])] {
        on.wish(stay, "", "");
        let why = format!("stop the control plane on {} for good and wipe its keys", leave[0]);
        on.plan().says(&why);
        on.settle();
        for node in leave {
            assert_eq!(on.processes(node, "kube-"), [], "{node}");
            assert!(!on.root(node).join("etc/kubernetes-prod").exists(), "{node}");
        }
    }
    assert_eq!(on.kubectl("c", &read), "apple");
    on.destroy_all();
}
