//! What types of text have in common, each of which admits one safe spelling.

/// Types that hold a text as it was written, once a rule has found it fine. Each line: its documentation, its name, the
/// variant of the fault for whatever else is written, and the rule.
macro_rules! texts {
    ($fault:ident: $($(#[$doc:meta])* $name:ident else $variant:ident if $is_fine:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// As it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $fault;

            fn from_str(text: &str) -> Result<Self, $fault> {
                let is_fine: fn(&str) -> bool = $is_fine;
                if is_fine(text) { Ok(Self(text.to_owned())) } else { Err($fault::$variant) }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
pub(super) use texts;

/// The three numbers of a release, `3.6.16`: without leading zeros, signs and anything after them.
pub(super) fn release(text: &str) -> Option<(u16, u16, u16)> {
    let number = |it: &str| -> Option<u16> {
        let number: u16 = it.parse().ok()?;
        (number.to_string() == it).then_some(number)
    };
    let mut parts = text.split('.');
    let mut next = || parts.next().and_then(number);
    let found = (next()?, next()?, next()?);
    parts.next().is_none().then_some(found)
}
