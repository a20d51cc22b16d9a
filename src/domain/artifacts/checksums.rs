//! Reads files of checksums as projects publish them.

use super::digest::{Digest, DigestError};

/// Why a file of checksums does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumError {
    /// A page of a portal, an error of a mirror.
    #[error("this is no file of checksums: {0:?} is neither a digest nor a line with one")]
    Unreadable(String),
    /// Of another release, perhaps.
    #[error("the file of checksums has none for {0}")]
    Absent(String),
    /// It cannot be told which one is right.
    #[error("the file of checksums has two that differ for {0}")]
    Twice(String),
}

/// The digest of a file. Both usual forms are read: lines as `sha256sum` writes them, and one digest alone.
///
/// # Errors
/// Also when a line is neither: a file that is partly something else is not to be trusted in the rest.
pub fn find(text: &str, file: &str) -> Result<Digest, ChecksumError> {
    let lines = text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
    let lines: Vec<_> = lines.map(parse).collect::<Result<_, _>>()?;
    if let [(digest, None)] = lines[..] {
        return Ok(digest);
    }
    let mut found = lines.iter().filter(|(_, name)| *name == Some(file)).map(|(digest, _)| *digest);
    let Some(digest) = found.next() else { return Err(ChecksumError::Absent(file.to_owned())) };
    if found.all(|it| it == digest) {
        Ok(digest)
    } else {
        Err(ChecksumError::Twice(file.to_owned()))
    }
}

/// The digest and the name of the file without directories. A `*` before the name says that it was read as bytes.
fn parse(line: &str) -> Result<(Digest, Option<&str>), ChecksumError> {
    let (digest, name) = match line.split_once(char::is_whitespace) {
        None => (line, None),
        Some((digest, name)) => {
            let name = name.trim_start();
            let name = name.strip_prefix('*').unwrap_or(name);
            (digest, Some(name.rsplit('/').next().unwrap_or(name)))
        }
    };
    let unreadable = |_: DigestError| ChecksumError::Unreadable(line.chars().take(60).collect());
    Ok((digest.parse().map_err(unreadable)?, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms() {
        let [a, b] = ["a", "b"].map(|it| it.repeat(64));
        let check = |text: String, expected: Result<&str, ChecksumError>| {
            let expected = expected.map(|it| it.parse().unwrap());
            assert_eq!(find(&text, "x.tar.gz"), expected, "{text}");
        };
        let absent = || Err(ChecksumError::Absent("x.tar.gz".to_owned()));
        check(a.clone(), Ok(&a));
        check(format!("{a}\n"), Ok(&a));
        check(format!("{a}  x.tar.gz\n{b}  y.tar.gz\n"), Ok(&a));
        check(format!("# of today\r\n\r\n{b} *./out/x.tar.gz\r\n{a}  y\r\n"), Ok(&b));
        check(format!("{a}  x.tar.gz\n{a}  x.tar.gz\n"), Ok(&a));
        check(format!("{a}  y.tar.gz\n"), absent());
        check(format!("{a}  xx.tar.gz\n{b}  x.tar.gz.sig\n"), absent());
        check(format!("{a}\n{b}\n"), absent());
        check(String::new(), absent());
        check(
            format!("{a}  x.tar.gz\n{b}  x.tar.gz\n"),
            Err(ChecksumError::Twice("x.tar.gz".into())),
        );
        check("<html>".to_owned(), Err(ChecksumError::Unreadable("<html>".to_owned())));
        let line = format!("{}  x.tar.gz", "a".repeat(40));
        check(line.clone(), Err(ChecksumError::Unreadable(line)));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "(\\PC|[ \n\r\t*#]){0,200}") {
            let _ = find(&text, "x");
        }
    }
}
