//! The rules of an attribute, written as `required().refuses_change()` in a model.

use std::fmt;
use std::time::Duration;

use super::Check;
use crate::tfplugin::value::Datum;

/// Everything declared about an attribute but its name, description and shape.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Who sets it.
    pub presence: Presence,
    /// Stored and shown when the configuration leaves it out.
    pub default: Option<Datum>,
    /// Hidden in plans. It still is in the state.
    pub sensitive: bool,
    /// Sent with a configuration, never stored.
    pub write_only: bool,
    /// What to use instead.
    pub deprecated: Option<&'static str>,
    /// What happens when its value changes.
    pub change: Change,
    /// What to do instead of a change that is refused; a full sentence.
    pub way_out: Option<&'static str>,
    /// What a computed value follows.
    pub follows: Follows,
    /// Checked at validate and plan, and before apply, on every known value.
    pub checks: Vec<Check>,
    /// Whether two spellings mean the same, so that the stored one is kept.
    pub same: Option<fn(&Datum, &Datum) -> bool>,
    /// The defaults of a `timeouts` attribute.
    pub timeouts: Option<TimeoutDefaults>,
}

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The configuration, always.
    Required,
    /// The configuration, or nobody.
    Optional,
    /// The configuration, or the provider.
    OptionalComputed,
    /// The provider.
    Computed,
}

/// What a change of a value does. The words are those of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// What a change of the object around it does; at the top level: [`Change::Online`].
    Inherited,
    /// Recorded; nothing is contacted.
    State,
    /// Applied without a restart.
    Online,
    /// The named part is restarted, one host at a time, each step gated by health.
    Restart(&'static str),
    /// An error at plan, with the way out.
    Refuse,
    /// Destroyed and created.
    Replace,
    /// As the text says; decided by the resource.
    Described(&'static str),
}

/// What to do instead of a refused change when the attribute says nothing better.
pub const DEFAULT_WAY_OUT: &str =
    "Set it back, or create a second resource beside this one and move over.";

/// When a computed value becomes unknown in the plan of an update. At create it always is.
#[derive(Clone, Debug, PartialEq)]
pub enum Follows {
    /// Never: it stays what it was.
    Nothing,
    /// When one of these attributes of the same object changes.
    Attributes(&'static [&'static str]),
    /// Whenever the object changes at all.
    EveryUpdate,
    /// It is planned as this, at create too.
    Constant(Datum),
}

/// How long each operation may take unless the configuration says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutDefaults {
    /// For create.
    pub create: Duration,
    /// For update.
    pub update: Duration,
    /// For read, and for the checks of a plan.
    pub read: Duration,
    /// For delete.
    pub delete: Duration,
}

/// Must be set.
pub fn required() -> Rules {
    Rules::new(Presence::Required)
}

/// May be left out.
pub fn optional() -> Rules {
    Rules::new(Presence::Optional)
}

/// Set by the provider.
pub fn computed() -> Rules {
    Rules::new(Presence::Computed)
}

/// The rules of a `timeouts` attribute, with the default of each operation in seconds.
pub fn timeouts(create: u64, update: u64, read: u64, delete: u64) -> Rules {
    let [create, update, read, delete] = [create, update, read, delete].map(Duration::from_secs);
    let defaults = TimeoutDefaults { create, update, read, delete };
    Rules { timeouts: Some(defaults), ..optional().records_change() }
}

impl Rules {
    fn new(presence: Presence) -> Self {
        Self {
            presence,
            default: None,
            sensitive: false,
            write_only: false,
            deprecated: None,
            change: Change::Inherited,
            way_out: None,
            follows: Follows::Nothing,
            checks: Vec::new(),
            same: None,
            timeouts: None,
        }
    }

    /// Stored and shown when it is left out. For nested objects an empty [`Datum::Map`] stands for
    /// the object of their own defaults.
    #[must_use]
    pub fn default(self, value: impl Into<Datum>) -> Self {
        Self { default: Some(value.into()), presence: Presence::OptionalComputed, ..self }
    }

    /// Set by the provider when it is left out.
    #[must_use]
    pub fn or_computed(self) -> Self {
        Self { presence: Presence::OptionalComputed, ..self }
    }

    /// Hidden in plans.
    #[must_use]
    pub fn sensitive(self) -> Self {
        Self { sensitive: true, ..self }
    }

    /// Sent with a configuration, never stored.
    #[must_use]
    pub fn write_only(self) -> Self {
        Self { write_only: true, ..self }
    }

    /// Still works; the text says what to use instead.
    #[must_use]
    pub fn deprecated(self, instead: &'static str) -> Self {
        Self { deprecated: Some(instead), ..self }
    }

    /// A change is recorded; nothing is contacted.
    #[must_use]
    pub fn records_change(self) -> Self {
        Self { change: Change::State, ..self }
    }

    /// A change is applied without a restart.
    #[must_use]
    pub fn changes_online(self) -> Self {
        Self { change: Change::Online, ..self }
    }

    /// A change restarts the named part.
    #[must_use]
    pub fn restarts(self, part: &'static str) -> Self {
        Self { change: Change::Restart(part), ..self }
    }

    /// A change is refused at plan.
    #[must_use]
    pub fn refuses_change(self) -> Self {
        Self { change: Change::Refuse, ..self }
    }

    /// A change destroys and creates.
    #[must_use]
    pub fn replaces(self) -> Self {
        Self { change: Change::Replace, ..self }
    }

    /// A change does what the text says, and the resource decides it.
    #[must_use]
    pub fn changes(self, text: &'static str) -> Self {
        Self { change: Change::Described(text), ..self }
    }

    /// What to do instead of a refused change; a full sentence.
    #[must_use]
    pub fn way_out(self, sentence: &'static str) -> Self {
        Self { way_out: Some(sentence), ..self }
    }

    /// A computed value that may change when one of these attributes of the same object does.
    #[must_use]
    pub fn changes_with(self, attributes: &'static [&'static str]) -> Self {
        Self { follows: Follows::Attributes(attributes), ..self }
    }

    /// A computed value that may change with every update.
    #[must_use]
    pub fn changes_always(self) -> Self {
        Self { follows: Follows::EveryUpdate, ..self }
    }

    /// A computed value that is planned as this constant, whatever was read.
    #[must_use]
    pub fn planned_as(self, value: impl Into<Datum>) -> Self {
        Self { follows: Follows::Constant(value.into()), ..self }
    }

    /// One more check of a known value.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// Two spellings for which this holds mean the same: the stored one is kept.
    #[must_use]
    pub fn same_when(self, same: fn(&Datum, &Datum) -> bool) -> Self {
        Self { same: Some(same), ..self }
    }

    /// Whether its value is shown nowhere.
    pub fn is_hidden(&self) -> bool {
        self.sensitive || self.write_only
    }

    /// Whether the configuration may set it.
    pub fn is_configurable(&self) -> bool {
        self.presence != Presence::Computed
    }

    /// Whether the provider may set it.
    pub fn is_computed(&self) -> bool {
        matches!(self.presence, Presence::Computed | Presence::OptionalComputed)
    }
}

/// The word or sentence of the documentation.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inherited | Self::Online => f.write_str("online"),
            Self::State => f.write_str("state"),
            Self::Restart(part) => write!(f, "restart {part}"),
            Self::Refuse => f.write_str("refuse"),
            Self::Replace => f.write_str("replace"),
            Self::Described(text) => f.write_str(text),
        }
    }
}
