//! What several kinds of objects have in common about their hosts in a fleet.

use std::collections::BTreeMap;

use crate::domain::name::Name;
use crate::engine::{Answers, chain};

/// Before the keys of hosts that are not wanted any more. No key of a member or node has it.
const FORMER: &str = "former/";

/// The key in the fleet of a host that this member or node had.
pub fn former_key(name: &Name) -> String {
    format!("{FORMER}{name}")
}

/// Whether a key in the fleet is that of a host that is not wanted any more.
pub fn is_former(key: &str) -> bool {
    key.starts_with(FORMER)
}

/// What was seen, by key. What was not is told in the log.
pub fn seen<T>(answers: Answers<T>) -> BTreeMap<String, T> {
    let look = |(key, answer): (String, Result<T, _>)| match answer {
        Ok(look) => Some((key, look)),
        Err(error) => {
            tracing::warn!(host = key, error = %chain(&error), "the host is not seen");
            None
        }
    };
    answers.into_iter().filter_map(look).collect()
}

/// Those who answered, and why the others did not.
pub fn parted<T>(answers: Answers<T>) -> (BTreeMap<String, T>, BTreeMap<String, String>) {
    let silent = silent(&answers);
    (seen(answers), silent)
}

/// What did not answer, and why.
pub fn silent<T>(answers: &Answers<T>) -> BTreeMap<String, String> {
    let silent = answers.iter().filter_map(|(key, it)| {
        let error = it.as_ref().err()?;
        Some((key.clone(), chain(error)))
    });
    silent.collect()
}
