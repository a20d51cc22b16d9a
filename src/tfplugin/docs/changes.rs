//! What a change does, in the words of the rules, and what these words mean.

use super::literal::literal;
use super::markdown::{code, inline, item, listed, sentence};
use crate::tfplugin::schema::{Attribute, Change, DEFAULT_WAY_OUT, Follows, Nesting, Rules};

/// What a change of an attribute does, when one of the object around it does `around`.
pub(super) fn effective(own: Change, around: Change) -> Change {
    match own {
        Change::Inherited => around,
        own => own,
    }
}

/// The sentence of one attribute; `change` is the effective one.
pub(super) fn told(change: Change, rules: &Rules) -> String {
    let word = match change {
        Change::Described(text) => inline(text),
        Change::Restart(part) => format!("*restart {}*", inline(part)),
        word => format!("*{word}*"),
    };
    let way_out = rules.way_out.filter(|_| change == Change::Refuse);
    let way_out = way_out.map(|it| format!(" {}", sentence(&inline(it))));
    format!("Change: {}{}", sentence(&word), way_out.unwrap_or_default())
}

/// When the provider changes a value that it sets.
pub(super) fn followed(follows: &Follows) -> Option<String> {
    match follows {
        Follows::Attributes(names) => Some(format!("May change with {}.", listed(names))),
        Follows::EveryUpdate => Some("May change with every update.".to_owned()),
        // What is planned as a constant shows in a plan only when something else was read.
        Follows::Constant(value) => {
            let value = code(&literal(value));
            Some(format!("Planned as {value}; another value is what a read found."))
        }
        Follows::Nothing => None,
    }
}

/// The words that these attributes use, each with its meaning; nothing when they use none.
pub(super) fn legend(attributes: &[Attribute]) -> String {
    let mut used = Used::default();
    used.walk(attributes, Change::Online, false);
    let meanings: [(bool, &str, String); 5] = [
        (used.online, "online", "applied without a restart.".to_owned()),
        (used.state, "state", "recorded in the state; nothing is contacted.".to_owned()),
        (used.restart, "restart", "the named part is restarted, one host at a time.".to_owned()),
        (
            used.refuse,
            "refuse",
            format!("an error in the plan. {DEFAULT_WAY_OUT} An attribute may name a better way."),
        ),
        (used.replace, "replace", "the resource is destroyed and created anew.".to_owned()),
    ];
    let used_ones = meanings.iter().filter(|(used, ..)| *used);
    let lines = used_ones.map(|(_, word, meaning)| item('-', &format!("*{word}*: {meaning}")));
    let lines: String = lines.collect();
    match (lines.is_empty(), used.nested) {
        (true, _) => String::new(),
        (false, false) => format!("{LEGEND}.\n\n{lines}"),
        (false, true) => format!("{LEGEND}. {NESTED}\n\n{lines}"),
    }
}

const LEGEND: &str = "Each argument says under *Change* what an apply does when its value changes";
const NESTED: &str = "For an argument that holds objects this is what adding or removing one does; \
                      the arguments inside say it for themselves.";

/// Which words occur, and whether there are objects inside of arguments.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each word")]
struct Used {
    online: bool,
    state: bool,
    restart: bool,
    refuse: bool,
    replace: bool,
    nested: bool,
}

impl Used {
    fn walk(&mut self, attributes: &[Attribute], around: Change, in_set: bool) {
        for attribute in attributes {
            if !attribute.rules.is_configurable() || attribute.rules.write_only {
                continue;
            }
            // As in a plan: an element of a set has no address, so a set changes as a whole.
            let own = if in_set { Change::Inherited } else { attribute.rules.change };
            let change = effective(own, around);
            match change {
                Change::Online | Change::Inherited => self.online = true,
                Change::State => self.state = true,
                Change::Restart(_) => self.restart = true,
                Change::Refuse => self.refuse = true,
                Change::Replace => self.replace = true,
                Change::Described(_) => (),
            }
            if let Some((nesting, nested)) = attribute.nested() {
                self.nested = true;
                self.walk(nested, change, in_set || nesting == Nesting::Set);
            }
        }
    }
}
