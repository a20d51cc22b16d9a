//! Names that become parts of a path or words of a command: what they may hold. Pure.

use super::fault::Fault;

/// A name that may stand as a file name: of a lock, a record, a move.
pub(super) fn file(kind: &str, name: &str) -> Result<(), Fault> {
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    check(kind, name, 100, is_allowed, "letters, digits, `.`, `_` and `-`")
}

/// A systemd unit with its type, as `etcd.service`.
pub(super) fn unit(name: &str) -> Result<(), Fault> {
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || ":._-@\\".contains(it);
    check("unit", name, 200, is_allowed, "letters, digits, `:`, `.`, `_`, `-`, `@` and `\\`")?;
    if name.contains('.') {
        return Ok(());
    }
    Err(Fault::Invalid(format!("the unit {name:?} has no type, such as `.service`")))
}

/// A user or group of the system.
pub(super) fn account(name: &str) -> Result<(), Fault> {
    let is_allowed = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "_-".contains(it);
    check("account", name, 31, is_allowed, "lower-case letters, digits, `_` and `-`")?;
    if name.starts_with(|it: char| it.is_ascii_digit()) {
        return Err(Fault::Invalid(format!("the account {name:?} begins with a digit")));
    }
    Ok(())
}

/// A package of a distribution.
pub(super) fn package(name: &str) -> Result<(), Fault> {
    let is_allowed =
        |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "+.-".contains(it);
    check("package", name, 100, is_allowed, "lower-case letters, digits, `+`, `.` and `-`")?;
    if name.starts_with('+') {
        return Err(Fault::Invalid(format!("the package {name:?} begins with a `+`")));
    }
    Ok(())
}

fn check(
    kind: &str,
    name: &str,
    most: usize,
    is_allowed: impl Fn(char) -> bool,
    allowed: &str,
) -> Result<(), Fault> {
    let why = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > most {
        format!("is longer than {most} bytes")
    } else if name.starts_with(['-', '.']) {
        "begins with a sign that has a meaning of its own".to_owned()
    } else if !name.chars().all(is_allowed) {
        format!("holds more than {allowed}")
    } else {
        return Ok(());
    };
    Err(Fault::Invalid(format!("the {kind} {name:?} {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        file("lock", "etcd-prod_1.x").unwrap();
        unit("etcd@a\\x2db.service").unwrap();
        account("_etcd-1").unwrap();
        package("libstdc++6").unwrap();
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for name in ["", "-x", ".", "..", ".x", "a/b", "a b", "a\n", "a\0", "ä", &"a".repeat(201)]
        {
            file("lock", name).unwrap_err();
            unit(&format!("{name}/.service")).unwrap_err();
            unit(name).unwrap_err();
            account(name).unwrap_err();
            package(name).unwrap_err();
        }
        for name in ["+a", "A", "a=1", "a_b", "a:amd64", "a*"] {
            package(name).unwrap_err();
        }
        for name in ["0", "Root", "a.b", "a:b"] {
            account(name).unwrap_err();
        }
        unit("etcd").unwrap_err();
    }
}
