//! Lines of text with fields: readable by people, exact for any text, and a torn one is noticed. Pure.

use std::fmt::Write as _;

/// Fields with tabs between, and a line feed. What a field could break is escaped.
pub(super) fn render(fields: &[&str]) -> String {
    let mut line = fields.iter().map(|it| escape(it)).collect::<Vec<_>>().join("\t");
    line.push('\n');
    line
}

/// The fields of a line without its line feed. None when there is another number of them, or an escape is broken.
pub(super) fn parse<const N: usize>(line: &str) -> Option<[String; N]> {
    let fields: Option<Vec<_>> = line.split('\t').map(unescape).collect();
    fields?.try_into().ok()
}

/// Two digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn escape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    for sign in field.chars() {
        if sign == '\\' || sign.is_control() {
            text.extend(sign.escape_unicode());
        } else {
            text.push(sign);
        }
    }
    text
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('\\');
    let mut field = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.strip_prefix("u{")?.split_once('}')?;
        field.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        field.push_str(rest);
    }
    Some(field)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_comes_back(a in any::<String>(), b in ".*[\\\\\\t\\n\\r\\x00].*") {
            let line = render(&[&a, &b]);
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(parse::<2>(line.trim_end_matches('\n')), Some([a, b]));
        }
    }

    #[test]
    fn what_is_not_a_line_of_ours_is_none() {
        for line in ["", "a", "a\tb\tc", "a\t\\", "a\t\\u{110000}", "a\t\\n", "a\t\\u{zz}"] {
            assert_eq!(parse::<2>(line), None, "{line:?}");
        }
    }
}
