//! Values as they were written: exact numbers, and values of any type.

use serde_json::json;

use crate::engine::for_each_engine;
use crate::workspace::{Workspace, thing};

for_each_engine![numbers_stay_exact, a_dynamic_attribute_changes_its_type];

fn numbers_stay_exact(at: &Workspace) {
    // Binary fractions have no 0.1, floating point has no such digits, and 64 bits no such sizes.
    let numbers = [
        "0.1",
        "1.1234567890123456789012345678901234567891",
        "1000000000000000000000000000000",
        "9223372036854775808",
        "-123456789012345678901234567890.5",
        "0.000000000000000000000000000001",
        "0",
    ];
    let mut things = String::new();
    for (at, number) in numbers.iter().enumerate() {
        let rules = format!("rules = [{{ match = \"x\", weight = {number} }}]");
        let arguments = format!("ratio = {number}\n{rules}\nanything = [{number}]");
        things += &thing(&format!("n{at}"), &arguments);
    }
    at.config(&things);
    at.settle();
    for (index, number) in numbers.iter().enumerate() {
        let stored = at.stored(&format!("n{index}")).unwrap()["attributes"].clone();
        let found =
            [&stored["ratio"], &stored["rules"][0]["weight"], &stored["anything"]["value"][0]];
        assert_eq!(found.map(ToString::to_string), [*number; 3]);
    }
}

fn a_dynamic_attribute_changes_its_type(at: &Workspace) {
    let values = [
        "\"text\"",
        "12",
        "true",
        "[1, \"two\"]",
        r#"{ a = [1, "two", true, null], b = { c = toset(["x"]) } }"#,
        "tomap({ a = 1 })",
        "null",
    ];
    // Each thing has one of the values, and then the next one.
    for turn in 0..2 {
        let mut things = String::new();
        for (index, value) in values.iter().cycle().skip(turn).take(values.len()).enumerate() {
            things += &thing(&format!("d{index}"), &format!("anything = {value}"));
        }
        at.config(&things);
        at.settle();
    }
    let stored = |name: &str| at.stored(name).unwrap()["attributes"]["anything"].clone();
    assert_eq!(stored("d0"), json!({ "value": 12, "type": "number" }));
    assert!(stored("d5").is_null());
    assert_eq!(stored("d6"), json!({ "value": "text", "type": "string" }));
}
