//! What a thing is: an attribute for each feature of the library.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use terraform_provider_ha::model;
use terraform_provider_ha::tfplugin::model::{Timeouts, Unordered};
use terraform_provider_ha::tfplugin::value::{Datum, Number, Secret, Value};

model! {
    /// An object that is a JSON file.
    pub struct ThingModel {
        /// `thing-<name>`.
        id: Value<String> = computed(),
        /// Names the file. Lower-case letters, digits and `-`, beginning with a letter.
        name: Value<String> = required().replaces().check(text("a name of lower-case letters, digits and `-`, beginning with a letter", is_name)),
        /// Free text.
        note: Value<String> = optional(),
        /// Size in units.
        size: Value<i64> = optional().default(1).restarts("the thing").check(between(1, 10)),
        /// Any number, kept exactly.
        ratio: Value<Number> = optional(),
        /// What kind of thing it is.
        kind: Value<String> = optional().default("small").check(one_of(&["small", "large"])).refuses_change().way_out("Create a second thing of the other kind."),
        /// Not for everybody's eyes; it is in the state.
        secret: Value<Secret<String>> = optional().sensitive(),
        /// Not even in the state.
        password: Value<Secret<String>> = optional().write_only(),
        /// Grows when `password` is to be sent again.
        password_version: Value<i64> = optional(),
        /// Words by keys.
        tags: Value<BTreeMap<String, String>> = optional().records_change(),
        /// Distinct words.
        labels: Value<BTreeSet<String>> = optional().records_change(),
        /// Words in order.
        parts: Value<Vec<Value<String>>> = optional().records_change(),
        /// One object.
        settings: Value<Settings> = optional(),
        /// Objects by keys.
        members: Value<BTreeMap<String, Member>> = optional().changes("members join and leave in place"),
        /// Objects in order.
        rules: Value<Vec<Rule>> = optional(),
        /// Distinct objects.
        groups: Value<Unordered<Group>> = optional(),
        /// Anything at all.
        anything: Value<Datum> = optional(),
        /// As it was called once.
        old: Value<String> = optional().deprecated("Use `note` instead."),
        /// Follows from name, note and size.
        fingerprint: Value<String> = computed().changes_with(&["name", "note", "size"]),
        /// How often it was written.
        serial: Value<i64> = computed().changes_always(),
        /// What an apply would mend.
        drift: Value<Vec<String>> = computed().planned_as(Datum::List(Vec::new())),
        /// Whether it must not be destroyed.
        protected: Value<bool> = optional().default(false).records_change(),
        /// A fault to inject: `create`, `create-partial`, `update`, `delete`, `read` or `panic`.
        fail: Value<String> = optional().records_change().check(one_of(&["create", "create-partial", "update", "delete", "read", "panic"])),
        /// How long a create or update takes, in steps of 50 ms.
        delay: Value<Duration> = optional().records_change(),
        /// How long each operation may take.
        timeouts: Value<Timeouts> = timeouts(60, 60, 30, 60),
    }
}

model! {
    /// Settings of a thing.
    pub struct Settings {
        /// How it works.
        mode: Value<String> = optional().default("slow").check(one_of(&["slow", "fast"])),
        /// How deep.
        depth: Value<i64> = optional(),
        /// Mode and depth as they work out.
        effective: Value<String> = computed().changes_with(&["mode", "depth"]),
    }
}

model! {
    /// A member of a thing.
    pub struct Member {
        /// Where it is.
        address: Value<String> = required().check(not_empty()),
        /// Where it listens.
        port: Value<u16> = optional().default(2380),
        /// `address:port`.
        endpoint: Value<String> = computed().changes_with(&["address", "port"]),
        /// The machine.
        host: Value<Host> = optional(),
    }
}

model! {
    /// The machine of a member.
    pub struct Host {
        /// Who logs in.
        user: Value<String> = optional().default("root"),
        /// With what.
        key: Value<Secret<String>> = optional().sensitive(),
    }
}

model! {
    /// A rule of a thing.
    pub struct Rule {
        /// What it is about. The name is a keyword in Rust.
        r#match: Value<String> = required(),
        /// How much it counts.
        weight: Value<Number> = optional(),
    }
}

model! {
    /// A group of a thing.
    pub struct Group {
        /// Its title.
        title: Value<String> = required(),
        /// What it may do.
        roles: Value<BTreeSet<String>> = optional(),
    }
}

model! {
    /// What identifies a thing.
    pub struct ThingIdentity {
        /// Its name.
        name: Value<String> = required(),
        /// Where its file is.
        directory: Value<String> = optional(),
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_lowercase())
        && text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-')
}
