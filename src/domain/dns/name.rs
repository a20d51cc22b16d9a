//! Names of the DNS, as they are compared: in lower case, without a dot at the end.

use std::fmt;
use std::str::FromStr;

/// A name with at least one label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or nothing between two dots.
    #[error("a label is empty")]
    Empty,
    /// Internationalised names travel in another form.
    #[error("{0:?} has letters beyond ASCII: write it in its ASCII form, which begins with `xn--`")]
    Foreign(String),
    /// A sign that names of hosts and services do not have.
    #[error("{0:?} has signs other than letters, digits, `-` and `_`")]
    Sign(String),
    /// RFC 1035, section 2.3.4.
    #[error("{0:?} is longer than 63 characters")]
    LongLabel(String),
    /// RFC 1035, section 2.3.4: 255 bytes on the wire, of which a name in text lacks two.
    #[error("it has {0} characters, and a name at most 253")]
    Long(usize),
}

/// Signs of the longest name.
const MOST: usize = 253;
/// Signs of the longest label.
const MOST_OF_LABEL: usize = 63;

impl Name {
    /// The name `relative` in `zone`; `@` is the zone itself.
    ///
    /// # Errors
    /// It is no name, or too long together with the zone.
    pub fn within(relative: &str, zone: &Self) -> Result<Self, NameError> {
        if relative == "@" {
            return Ok(zone.clone());
        }
        let relative: Self = relative.parse()?;
        format!("{relative}.{zone}").parse()
    }

    /// A name as a server sent it, whatever it holds: nothing of the kind is ever sent back as a wish.
    pub fn received(text: &str) -> Self {
        Self(text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase())
    }

    /// The labels, from the left.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// What stands before the zone; `@` for the zone itself. `None` if the name is not in the zone.
    pub fn relative_to(&self, zone: &Self) -> Option<&str> {
        match self.0.strip_suffix(zone.0.as_str())? {
            "" => Some("@"),
            before => before.strip_suffix('.'),
        }
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        text.split('.').enumerate().try_for_each(|(at, label)| check(label, at == 0))?;
        if MOST < text.len() {
            return Err(NameError::Long(text.len()));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

fn check(label: &str, is_first: bool) -> Result<(), NameError> {
    let is_fine = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    match label {
        "" => Err(NameError::Empty),
        // A wildcard is a whole label, the leftmost one (RFC 4592, section 2.1.1).
        "*" if is_first => Ok(()),
        it if !it.is_ascii() => Err(NameError::Foreign(it.to_owned())),
        it if !it.bytes().all(is_fine) => Err(NameError::Sign(it.to_owned())),
        it if MOST_OF_LABEL < it.len() => Err(NameError::LongLabel(it.to_owned())),
        _ => Ok(()),
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_compared_in_lower_case_and_without_its_last_dot() {
        let check = |text: &str, wanted: &str| {
            assert_eq!(text.parse::<Name>().unwrap().to_string(), wanted);
        };
        check("Example.TEST.", "example.test");
        check("a", "a");
        check("*.apps.example.test", "*.apps.example.test");
        check("_acme-challenge.x", "_acme-challenge.x");
        check("-a-.1.2", "-a-.1.2");
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        let check = |text: &str, wanted: &str| {
            let error = text.parse::<Name>().unwrap_err().to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        };
        for text in ["", ".", "..", "a..b", ".a", "a.."] {
            check(text, "a label is empty");
        }
        for text in ["a b", "a/b", "a.*", "**", "@", "a.@", "a\\.b", "a\n", "\"", "10.0.0.1:53"] {
            check(text, "has signs other than");
        }
        check("bücher.example", "`xn--`");
        check(&"a".repeat(64), "longer than 63");
        check(&format!("{}.", vec!["a"; 128].join(".")), "has 255 characters");
        assert!("a".repeat(63).parse::<Name>().is_ok());
        assert!(vec!["a"; 127].join(".").parse::<Name>().is_ok());
    }

    #[test]
    fn a_name_has_a_place_in_its_zone() {
        let zone: Name = "example.test".parse().unwrap();
        let check = |relative: &str, whole: &str, again: &str| {
            let name = Name::within(relative, &zone).unwrap();
            assert_eq!(name.to_string(), whole);
            assert_eq!(name.relative_to(&zone), Some(again));
        };
        check("@", "example.test", "@");
        check("API.", "api.example.test", "api");
        check("a.b", "a.b.example.test", "a.b");
        let elsewhere = |text: &str| text.parse::<Name>().unwrap().relative_to(&zone).is_none();
        assert!(elsewhere("bexample.test") && elsewhere("test") && elsewhere("example.test.com"));
        let long = vec!["a"; 127].join(".");
        assert!(matches!(Name::within(&long, &zone), Err(NameError::Long(_))));
    }

    proptest! {
        #[test]
        fn spellings_of_a_name_are_equal(text in "[a-z0-9_-]{1,20}(\\.[a-z0-9_-]{1,20}){0,5}") {
            let name: Name = text.parse().unwrap();
            prop_assert_eq!(&text.to_ascii_uppercase().parse::<Name>().unwrap(), &name);
            prop_assert_eq!(&format!("{text}.").parse::<Name>().unwrap(), &name);
            prop_assert_eq!(&name.to_string().parse::<Name>().unwrap(), &name);
            prop_assert_eq!(&Name::received(&format!("{}.", text.to_ascii_uppercase())), &name);
        }

        #[test]
        fn no_text_makes_it_panic_or_leaves_the_limits(text in "\\PC{0,300}") {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert!(name.to_string().len() <= MOST);
                prop_assert!(name.labels().all(|it| (1..=MOST_OF_LABEL).contains(&it.len())));
            }
        }
    }
}
