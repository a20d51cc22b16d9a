//! What a run would do, worked out without hosts: for the plan.

use std::fmt::Write as _;

use crate::domain::{Next, Step};

/// What a run would do if nothing went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast<S, R> {
    /// The steps, in order.
    pub steps: Vec<S>,
    /// What comes after them.
    pub end: End<R>,
}

/// How a forecast ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End<R> {
    /// All is as desired.
    Done,
    /// The planner waits for something that the forecast cannot know.
    Waits(String),
    /// The planner refuses to go on.
    Refused(R),
    /// A step is needed again and again: planner and forecast disagree about what it does.
    Endless,
}

/// More than any real plan has: seven members with ten steps each.
const MOST_STEPS: usize = 256;

/// Asks the planner for one step after the other, and believes that each does what `apply` says.
pub fn steps_of<O, S: Step, R>(
    mut observed: O,
    next: impl Fn(&O) -> Next<S, R>,
    apply: impl Fn(&mut O, &S),
) -> Forecast<S, R> {
    let mut steps: Vec<S> = Vec::new();
    let end = loop {
        match next(&observed) {
            Next::Done => break End::Done,
            Next::Wait(reason) => break End::Waits(reason),
            Next::Refuse(refusal) => break End::Refused(refusal),
            Next::Act(step) if steps.last() == Some(&step) => break End::Endless,
            Next::Act(_) if steps.len() == MOST_STEPS => break End::Endless,
            Next::Act(step) => {
                apply(&mut observed, &step);
                steps.push(step);
            }
        }
    };
    Forecast { steps, end }
}

/// The steps as the detail of one warning, numbered. None when nothing restarts, joins or leaves.
pub fn warning<S: Step>(steps: &[S]) -> Option<String> {
    if !steps.iter().any(|it| it.kind().is_notable()) {
        return None;
    }
    let mut text = "Apply will do this, one step after the other:".to_owned();
    for (at, step) in steps.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{:>3}. {step}", at + 1);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{End, Forecast, MOST_STEPS, steps_of, warning};
    use crate::engine::fake::Step::{Join, Prepare};
    use crate::engine::fake::{Fleet, Foreign, Step, next};

    fn forecast(fleet: &str) -> Forecast<Step, Foreign> {
        let fleet = Fleet::parse(fleet);
        steps_of(
            fleet.hosts.clone(),
            |hosts| next(hosts, &fleet.wanted),
            |hosts, step| {
                fleet.effect_of(step, hosts);
                // What is started is believed to come up.
                for host in hosts.values_mut() {
                    host.looks_to_go = 0;
                }
            },
        )
    }

    fn check(fleet: &str, steps: &[&str], end: &End<Foreign>) {
        let found = forecast(fleet);
        let texts: Vec<_> = found.steps.iter().map(ToString::to_string).collect();
        assert_eq!(texts, steps, "{fleet}");
        assert_eq!(found.end, *end, "{fleet}");
    }

    #[test]
    fn a_forecast_lists_what_a_run_would_do() {
        check(
            "a: b:prepared",
            &["prepare a", "join a", "start a", "join b", "start b"],
            &End::Done,
        );
        check("a:up -b:up", &["remove b"], &End::Done);
        check("a:up", &[], &End::Done);
    }

    #[test]
    fn a_forecast_says_why_it_ends_early() {
        check("a: b:foreign", &[], &End::Refused(Foreign("b".to_owned())));
        check("a:starting", &[], &End::Waits("a to come up".to_owned()));
    }

    #[test]
    fn a_forecast_ends_when_steps_undo_each_other() {
        let count = |fleet| {
            let found = forecast(fleet);
            assert_eq!(found.end, End::Endless);
            found.steps.len()
        };
        assert_eq!(count("a:joined b:joined rivals"), MOST_STEPS);
        assert_eq!(count("a:joined useless:start"), 1);
    }

    #[test]
    fn a_warning_counts_the_steps_and_only_when_somebody_notices() {
        let prepare = Prepare("a".into());
        assert_eq!(warning(std::slice::from_ref(&prepare)), None);
        let text = "Apply will do this, one step after the other:\n  1. prepare a\n  2. join a";
        assert_eq!(warning(&[prepare, Join("a".into())]).as_deref(), Some(text));
    }
}
