//! What a run tells whoever asks: the log at its second coarsest level is the story of an apply.

use std::fs;

use crate::local::{Local, for_each_engine_with_etcd};

for_each_engine_with_etcd![each_step_is_told_with_its_hosts_and_what_it_took];

fn each_step_is_told_with_its_hosts_and_what_it_took(on: &Local) {
    on.wish(&["a"], "deletion_protection = false\n  on_destroy = \"purge\"");
    let log = on.path("story.log");
    let mut command = on.command(&["apply", "-auto-approve"]);
    command.env("TF_LOG", "INFO").env("TF_LOG_PATH", &log);
    let run = on.output("apply", command).succeeds();
    // As the plan lists them: `3. bring etcd 3.6.16 to a`.
    let steps = run.text.lines().filter_map(|it| {
        let (number, step) = it.trim_start_matches(['│', ' ']).split_once(". ")?;
        number.parse::<u32>().is_ok().then_some(step)
    });
    let steps: Vec<_> = steps.collect();
    assert!(3 < steps.len(), "{}", run.text);
    let log = fs::read_to_string(&log).unwrap();
    let told: Vec<_> = log.lines().filter(|it| it.contains("ha.engine.converge")).collect();
    for step in steps {
        let line = told.iter().find(|it| it.contains(&format!("step=\"{step}\"")));
        let line = line.unwrap_or_else(|| panic!("{step:?} is not told:\n{}", told.join("\n")));
        assert!(line.contains("hosts=a ") && line.contains("took="), "{line}");
    }
    on.destroy();
}
