//! A provider that breaks the rules of Terraform is caught before Terraform sees it.
//!
//! The rules are those that Terraform enforces on a provider's responses (`internal/plans/objchange`
//! and `docs/plugin-protocol` in its sources). The numbers are only for this table. `gate::`,
//! `schema::` and `plan::properties` are unit tests beside the code, which try each rule in every
//! nesting; the others are modules of this test, which send real messages to a rogue provider.
//!
//! | rule | covered by |
//! |---|---|
//! | 1 there is a provider schema, even if it is empty | by type: `Provider::Config` is a model |
//! | 2 each schema has a block | by type: `Schema::to_proto` always writes one |
//! | 3 types are valid JSON | by type: `Type`; `types::` tests its notation |
//! | 4 an attribute has a type or nested attributes, not both | by type: `Shape` |
//! | 5 required, optional, computed exclude each other | by type: `Presence`; `schema::presence` |
//! | 6 names are lower-case and not reserved | `schema::names` |
//! | 7 limits of nested blocks | not served: there are no blocks |
//! | 8 nothing in a set is dynamic or write-only | `schema::sets` |
//! | 9 versions are not negative | `schema::versions` |
//! | 10 a deprecation message only with a deprecation | by type: one `Option` gives both |
//! | 11 computed blocks | not served |
//! | 12 identities hold primitives and lists, for import | `schema::identities` |
//! | 13, 69–72 functions | not served |
//! | 14, 73, 76 list resources | not served |
//! | 15 a response has at most 64 MiB | not checked |
//! | 16–21 values on the wire | `wire::`, and `cty` against the client's own codec |
//! | 22 severities and paths are valid | by type: `Severity`, `Path` |
//! | 23 a plan has the type of the schema | `plan::a_breach_is_an_error` |
//! | 24 a plan exists exactly when it is configured | `gate::`; by type: a plan is a model |
//! | 25, 26 a planned value is configured, stored or computed | `plan::a_breach_is_an_error`, `gate::` |
//! | 27 the same inside nested attributes, with equal elements | `gate::`, and `plan::properties` |
//! | 28, 53 nested blocks are empty, never null | not served |
//! | 29 write-only values are planned as null, in a replacement too | `plan::a_breach_is_an_error` |
//! | 30 a path that demands replacement exists | `plan::a_path_that_demands_replacement_`, `gate::` |
//! | 31 the plan of a destroy is null | `plan::a_destroy_is_planned_as_nothing` |
//! | 32 a replacement is planned a second time, as a create | `plan::the_second_plan_of_a_replacement` |
//! | 33 a second plan inside apply gives the same | `plan::properties`; else up to the resource |
//! | 34 nothing is deferred unasked | by type: no response is deferred |
//! | 35 a planned identity conforms and is known | by type: it is the prior one |
//! | 36 an unconfigured computed value stays what it was | `plan::unconfigured_values_stay` |
//! | 37 a new state has the type of the schema | `apply::a_breach_is_an_error_and_the_state_is_saved` |
//! | 38 write-only values are null in it | the same |
//! | 39 it is wholly known | the same |
//! | 40 it is there, and keeps the plan and its refinements | the same, `gate::` |
//! | 41 collections keep their elements | `gate::`, and `plan::properties` |
//! | 42 a delete without error leaves nothing | `apply::a_delete_that_leaves_something_has_an_error` |
//! | 43–46 errors, panics and lost connections keep the state | `apply::`, `process::` |
//! | 47 a new identity is known and conforms | `apply::an_unknown_identity_is_an_error` |
//! | 48 nothing of a panic goes to stderr | `isolate::`, and the tests of the process |
//! | 49 null means that the object is gone | by type: `Read::Gone` |
//! | 50 after an error the old state stays whole | `look::a_failed_read_keeps_everything` |
//! | 51 what was read can be stored | `look::a_breach_of_a_read_is_an_error` |
//! | 52 private data and identity are always echoed | `look::`, `apply::` |
//! | 54 an import gives one object | by type: `Imported` |
//! | 55 of the requested type | by type: the service names it |
//! | 56 an import by identity has an identity | `look::an_import_by_identity_keeps_it` |
//! | 57 an import has a state | by type: `Imported::object` |
//! | 58 write-only values are null in it | `look::a_breach_of_an_import_is_an_error` |
//! | 59 a read follows an import | nothing to do here |
//! | 60 states of newer versions are refused | by Terraform |
//! | 61 an upgraded state is there and can be stored | `look::an_upgrade_` |
//! | 62 it is asked for at equal versions too; extra keys | `look::an_upgrade_` |
//! | 63 an upgraded identity is known and conforms | `look::an_upgraded_identity_fits` |
//! | 64 moves between types | not served: always an error, `look::a_move_is_refused` |
//! | 65 data is there, known and conforms | `look::a_breach_of_a_data_source_is_an_error` |
//! | 66 an ephemeral result follows the rules of a plan | `ephemeral::` |
//! | 67 a renewal gives the whole private data | `ephemeral::`; by type: `Renewed` |
//! | 68 it may be opened twice | up to the resource |
//! | 74, 75 actions | not served |
//! | 77 errors are diagnostics, never a status | every test: the calls are unwrapped |
//! | 78 a stop answers at once, calls return | `process::a_stop_cancels_what_runs` |
//! | 79, 80 parallel calls, many runs of one process | the tests of the process |
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unnecessary_wraps,
    reason = "a test fails by a panic, and a message has optional fields"
)]

mod apply;
mod client;
mod ephemeral;
mod look;
mod plan;
mod process;
mod rogue;
