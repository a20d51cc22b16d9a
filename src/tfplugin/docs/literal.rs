//! Values as they are written in HCL.

use std::fmt::Write;

use crate::tfplugin::value::{Datum, Set};

/// The value in HCL, on one line.
pub(super) fn literal(datum: &Datum) -> String {
    match datum {
        Datum::Null => "null".to_owned(),
        Datum::Unknown(_) => "(known after apply)".to_owned(),
        Datum::Bool(value) => value.to_string(),
        Datum::Number(value) => value.to_string(),
        Datum::String(text) => quoted(text),
        Datum::List(items) | Datum::Set(Set(items)) => {
            let items: Vec<_> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Datum::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Datum::Map(entries) => {
            let entry =
                |(key, value): (&String, &Datum)| format!("{} = {}", name(key), literal(value));
            let entries: Vec<_> = entries.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Datum::Dynamic(inner) => literal(&inner.1),
    }
}

/// A key: bare when HCL can read it so.
fn name(key: &str) -> String {
    let starts = key.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    let is_bare = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    if starts && key.chars().all(is_bare) { key.to_owned() } else { quoted(key) }
}

/// A quoted string; what would begin a template is doubled.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(it) = rest.next() {
        match it {
            '"' | '\\' => out.extend(['\\', it]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => out.extend([it, it]),
            // Writing to a string cannot fail.
            it if it.is_control() => drop(write!(out, "\\u{:04x}", u32::from(it))),
            it => out.push(it),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_in_hcl() {
        let check = |datum: Datum, text: &str| assert_eq!(literal(&datum), text);
        check(
            Datum::from("a \"b\" \\ ${c} %{d} $e\n\u{7}"),
            r#""a \"b\" \\ $${c} %%{d} $e\n\u0007""#,
        );
        check(Datum::from(2379), "2379");
        check(Datum::List(vec![]), "[]");
        check(Datum::Set(Set(vec![true.into(), Datum::Null])), "[true, null]");
        check(Datum::Map([].into()), "{}");
        let entries = [("a-b".to_owned(), 1.into()), ("1 c".to_owned(), "d".into())];
        check(Datum::Map(entries.into()), r#"{ "1 c" = "d", a-b = 1 }"#);
    }
}
