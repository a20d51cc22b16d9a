//! Which room of the crate may use which, and a few rules of the house that a compiler does not know.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test reads the sources and fails loudly"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// A room is a module at the root of the crate: its name, and what it may use beside itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("tfplugin", &["proto"]),
    ("domain", &[]),
    ("remote", &["proto"]),
    ("host", &["proto"]),
    ("agent", &["proto", "domain", "remote"]),
    ("engine", &["domain", "host"]),
    ("actions", &["domain", "engine", "host", "remote"]),
    ("resources", &["tfplugin", "domain", "engine", "actions", "host", "remote"]),
];

/// Lines of a file that are not tests.
const MOST_LINES: usize = 400;

const EFFECTS: &str = "clippy::disallowed_methods";

#[test]
fn rooms_use_only_what_they_may() {
    let faults: Vec<_> = sources().iter().flat_map(|(path, text)| layering(path, text)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_long() {
    let long: Vec<_> = sources()
        .iter()
        .map(|(path, text)| (path, code(text).lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines without its tests, of {MOST_LINES}"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn a_file_with_effects_says_so_before_anything_else() {
    let late: Vec<_> = sources()
        .iter()
        .filter(|(_, text)| !admits_effects_first(text))
        .map(|(path, _)| {
            format!("{path}: `#![expect({EFFECTS}, …)]` belongs before the first item")
        })
        .collect();
    assert!(late.is_empty(), "{}", late.join("\n"));
}

/// Every use of another room in this file that the table does not allow.
fn layering(path: &str, text: &str) -> Vec<String> {
    let module: Vec<_> =
        path.trim_end_matches(".rs").split('/').filter(|it| *it != "mod").collect();
    let room = module[0];
    // The crate root declares the rooms; binaries are made of all of them.
    if ["lib", "main", "bin"].contains(&room) {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{path}: `{room}` is no room of the table in tests/layering.rs")];
    };
    let mut used = rooms_used(&tokens(text), module.len());
    used.sort();
    used.dedup();
    // An exported macro stands at the root of the crate, wherever it is written.
    let is_own_macro =
        |it: &str| it == "model" && (room == "tfplugin" || allowed.contains(&"tfplugin"));
    used.iter()
        .filter(|it| *it != room && !allowed.contains(&it.as_str()) && !is_own_macro(it))
        .map(|it| format!("{path}: `{room}` may not use `{it}`"))
        .collect()
}

/// The first names after `crate::`, the crate's own name, or as many `super::` as lead to the root.
fn rooms_used(tokens: &[String], depth: usize) -> Vec<String> {
    let at = |i: usize| tokens.get(i).map_or("", String::as_str);
    let (mut found, mut braces, mut inline) = (Vec::new(), 0_usize, Vec::new());
    for i in 0..tokens.len() {
        let starts_path = i == 0 || at(i - 1) != "::";
        match at(i) {
            "{" => {
                braces += 1;
                if i >= 2 && at(i - 2) == "mod" {
                    inline.push(braces);
                }
            }
            "}" => {
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
                braces = braces.saturating_sub(1);
            }
            "crate" | "terraform_provider_ha" if starts_path && at(i + 1) == "::" => {
                found.extend(heads(tokens, i + 2));
            }
            "super" if starts_path => {
                let climbs = (i..).step_by(2).take_while(|i| at(*i) == "super").count();
                if climbs >= depth + inline.len() {
                    found.extend(heads(tokens, i + 2 * climbs));
                }
            }
            _ => {}
        }
    }
    found
}

/// The name at `start`, or each first name of a `{…}` group there.
fn heads(tokens: &[String], start: usize) -> Vec<String> {
    let Some(first) = tokens.get(start) else { return Vec::new() };
    if first != "{" {
        return vec![first.clone()];
    }
    let (mut names, mut level) = (Vec::new(), 0_usize);
    for (i, token) in tokens.iter().enumerate().skip(start) {
        let after = &tokens[i - 1];
        match token.as_str() {
            "{" => level += 1,
            "}" if level == 1 => break,
            "}" => level -= 1,
            "," | "self" => {}
            name if level == 1 && (after == "{" || after == ",") => names.push(name.to_owned()),
            _ => {}
        }
    }
    names
}

/// Names, `::` and single signs; comments, strings and characters are left out.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        let name = rest.len()
            - rest.trim_start_matches(|it: char| it.is_alphanumeric() || it == '_').len();
        let skipped = if name > 0 {
            // `r"…"`, `r#"…"#`, `b"…"`: the prefix goes with its string.
            let (word, hashes) =
                (&rest[..name], rest[name..].bytes().take_while(|it| *it == b'#').count());
            if matches!(word, "r" | "br" | "cr") && rest[name + hashes..].starts_with('"') {
                let end = format!("\"{}", "#".repeat(hashes));
                let body = name + hashes + 1;
                rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
            } else {
                found.push(word.to_owned());
                name
            }
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if sign == '"' {
            1 + quoted(&rest[1..], '"')
        } else if sign == '\'' {
            // A lifetime has no second quote right after its first character.
            let mut signs = rest[1..].chars();
            let (first, second) = (signs.next(), signs.next());
            if first == Some('\\') || second == Some('\'') {
                1 + quoted(&rest[1..], '\'')
            } else {
                1
            }
        } else if rest.starts_with("::") {
            found.push("::".to_owned());
            2
        } else {
            if !sign.is_whitespace() {
                found.push(sign.to_string());
            }
            sign.len_utf8()
        };
        rest = &rest[skipped..];
    }
    found
}

/// How many bytes up to and with the closing sign.
fn quoted(text: &str, closing: char) -> usize {
    let mut escaped = false;
    for (at, sign) in text.char_indices() {
        if sign == closing && !escaped {
            return at + 1;
        }
        escaped = sign == '\\' && !escaped;
    }
    text.len()
}

/// A file without its tests, which stand last.
fn code(text: &str) -> &str {
    text.find("\n#[cfg(test)]").map_or(text, |at| &text[..at])
}

/// Whether every admission of effects stands above the first item of the file.
fn admits_effects_first(text: &str) -> bool {
    let is_head = |line: &&str| {
        let line = line.trim_end();
        line.is_empty()
            || line.starts_with(' ')
            || ["//", "#![", ")]"].iter().any(|it| line.starts_with(it))
    };
    let head: usize = text.lines().take_while(is_head).map(|line| line.len() + 1).sum();
    !code(text).get(head..).unwrap_or("").contains(EFFECTS)
}

/// Every Rust file under `src`, by its path from there.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.iter().any(|(name, _)| name == "lib.rs"), "the sources were not found");
    found.sort();
    found
}

mod tests_of_the_tests {
    use super::*;

    fn check(path: &str, text: &str, faults: &[&str]) {
        assert_eq!(layering(path, text), faults, "in {path}: {text}");
    }

    #[test]
    fn a_use_that_the_table_forbids_is_found() {
        let fault = "domain/etcd/next.rs: `domain` may not use `host`";
        for text in [
            "use crate::host::Session;",
            "use crate::{domain::etcd, host::{self, fake}};",
            "use crate::{\n    domain,\n    host,\n};",
            "fn f() { let x = crate::host::open('\"', \"//\"); }",
            "pub(in crate::host) fn f<'a>() {}",
            "use super::super::super::host;",
            "mod tests { use super::super::super::super::host; }",
            "use terraform_provider_ha::host;",
            "macro_rules! m { () => { $crate::host::f() } }",
            r##"const S: &str = r#"a "quoted" text"#; use crate::host;"##,
        ] {
            check("domain/etcd/next.rs", text, &[fault]);
        }
    }

    #[test]
    fn what_the_table_allows_is_no_fault() {
        check("engine/mod.rs", "use crate::domain::Next; use crate::host::{fake, ssh};", &[]);
        check("tfplugin/path.rs", "use crate::proto::tfplugin6; use crate::tfplugin::types;", &[]);
        check("tfplugin/path.rs", "use super::types; mod tests { use super::*; }", &[]);
        check("tfplugin/value/mod.rs", "mod tests { use super::super::path::Path; }", &[]);
        check("bin/ha-agent.rs", "use terraform_provider_ha::agent;", &[]);
    }

    #[test]
    fn comments_and_strings_use_nothing() {
        let text =
            "//! As crate::host does.\n/* crate::host */ const A: &str = \"crate::host\\\"\";";
        check("domain/mod.rs", text, &[]);
        check("domain/mod.rs", "const A: &str = r#\"crate::host\"#;", &[]);
    }

    #[test]
    fn a_new_room_has_to_be_put_on_the_table() {
        check(
            "attic/mod.rs",
            "",
            &["attic/mod.rs: `attic` is no room of the table in tests/layering.rs"],
        );
        check(
            "domain/mod.rs",
            "use crate::attic;",
            &["domain/mod.rs: `domain` may not use `attic`"],
        );
    }

    #[test]
    fn tests_do_not_make_a_file_long() {
        let text =
            format!("{}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(9), "//\n".repeat(900));
        assert_eq!(code(&text).lines().count(), 9);
    }

    #[test]
    fn effects_are_admitted_at_the_top_or_in_tests() {
        let admit = "expect(\n    clippy::disallowed_methods,\n    reason = \"reads files\"\n)]\n";
        assert!(admits_effects_first(&format!("//! Files.\n#![{admit}\nuse std::fs;\n")));
        assert!(admits_effects_first(&format!(
            "use a::b;\n\n#[cfg(test)]\n#[{admit}mod tests {{}}\n"
        )));
        assert!(!admits_effects_first(&format!(
            "//! Files.\nuse std::fs;\n\n#[{admit}fn f() {{}}\n"
        )));
    }
}
