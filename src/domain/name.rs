//! Names and paths that are safe wherever they are printed, and what all resources with data say in the same words.

use std::fmt;

use super::text::texts;

/// Why a text is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// Of a member or a node.
    #[error("it is named with 1 to 63 letters, digits, `-`, `_` and `.`")]
    Name,
    /// Of a cluster.
    #[error("a cluster is named with 1 to 40 lower-case letters, digits and `-`, none at the ends")]
    ClusterName,
    /// Of a directory.
    #[error(
        "a directory is an absolute path of letters, digits, `-`, `_`, `.` and `/`, without `..`"
    )]
    Folder,
}

/// What becomes of what a resource keeps on its hosts when it is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDestroy {
    /// Moved aside.
    Keep,
    /// Deleted.
    Purge,
}

texts! { TextFault:
    /// The name of a member or a node: its key in the map. A label, never part of a path.
    Name else Name if |it| (1..=63).contains(&it.len()) && it.bytes().all(|it| is_plain(it, b"-_."));
    /// The name of a cluster or a control plane: part of its units and its paths.
    ClusterName else ClusterName if |it| {
        let is_fine = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        (1..=40).contains(&it.len())
            && it.bytes().all(is_fine)
            && !it.starts_with('-')
            && !it.ends_with('-')
    };
    /// An absolute path without surprises: no `..`, no spaces, no signs that a unit file would expand, no slash at its end.
    Folder else Folder if |it| {
        let is_part = |it: &str| !it.is_empty() && it != "." && it != "..";
        it.bytes().all(|it| is_plain(it, b"-_./"))
            && it.strip_prefix('/').is_some_and(|it| it.split('/').all(is_part))
    };
}

fn is_plain(it: u8, signs: &[u8]) -> bool {
    it.is_ascii_alphanumeric() || signs.contains(&it)
}

/// Whether this can be a variable of a process in the file of a unit: its value could otherwise end its line.
pub fn is_variable(name: &str, value: &str) -> bool {
    name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
        && name.starts_with(|it: char| !it.is_ascii_digit())
        && !value.contains(char::is_control)
}

/// Names, or what else has one, with commas between them.
pub struct List<'a, T = Name>(pub &'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn names_and_folders_have_one_safe_spelling() {
        fn check<T: FromStr + fmt::Display>(good: &[&str], bad: &[&str]) {
            for text in good {
                assert_eq!(text.parse::<T>().ok().map(|it| it.to_string()).as_deref(), Some(*text));
            }
            for text in bad {
                assert!(text.parse::<T>().is_err(), "{text:?}");
            }
        }
        check::<Name>(&["a", "node-1.example", "A_b"], &["", "a=b", "a,b", "a b", &"a".repeat(64)]);
        check::<ClusterName>(&["prod", "a-1"], &["", "-a", "a-", "Prod", "a_b", &"a".repeat(41)]);
        check::<Folder>(
            &["/var/lib/etcd/prod"],
            &["", "/", "var", "/a/../b", "/a//b", "/a/", "/a b", "/a%b", "/a\n"],
        );
    }

    #[test]
    fn a_variable_stays_on_its_line() {
        for (name, value, is_fine) in [
            ("GOMEMLIMIT", "2GiB", true),
            ("GOGC", "1\nETCD_NAME=x", false),
            ("A B", "", false),
            ("1A", "", false),
            ("", "", false),
        ] {
            assert_eq!(is_variable(name, value), is_fine, "{name}={value}");
        }
    }
}
