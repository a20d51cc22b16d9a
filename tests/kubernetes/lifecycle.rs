//! The life of a control plane of three nodes.

use terraform_provider_ha::domain::kubernetes::{Arguments, Component};

use crate::local::Local;

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_come_up_change_and_go() {
    let Some(mut at) = Local::new(&["a", "b", "c"]).await else { return };
    let done = at.converge(false).await;
    Local::steps(&done);
    at.is_ready().await;
    assert_eq!(at.drift().await, Vec::<String>::new());
    assert_eq!(at.converge(false).await.steps.len(), 0, "it is as wished");
    let count = |program: &str| at.processes().iter().filter(|it| it.1 == program).count();
    let programs = Component::ALL.iter().map(|it| count(it.program())).collect::<Vec<_>>();
    assert_eq!(programs, [3, 3, 3]);

    // Only what is concerned restarts.
    let before: Vec<_> = at.processes().into_iter().filter(|it| it.1 != "kube-scheduler").collect();
    at.wish.scheduler.arguments =
        Arguments::new(Component::Scheduler, vec!["--v=1".to_owned()]).unwrap();
    let done = at.converge(false).await;
    Local::steps(&done);
    let after: Vec<_> = at.processes().into_iter().filter(|it| it.1 != "kube-scheduler").collect();
    assert_eq!(before, after);

    at.wish_nodes(&["a", "b", "c", "d"]);
    let done = at.converge(false).await;
    Local::steps(&done);
    at.is_ready().await;
    at.wish_nodes(&["b", "c", "d"]);
    let done = at.converge(false).await;
    Local::steps(&done);
    at.is_ready().await;
    assert!(!at.processes().iter().any(|it| it.0 == "a"));

    let done = at.converge(true).await;
    Local::steps(&done);
    assert!(at.processes().iter().all(|it| it.0 == "etcd"), "{:?}", at.processes());
}
