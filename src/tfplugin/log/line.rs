//! The text of one log line. Pure.

use std::time::SystemTime;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use tracing::Level;

/// go-plugin cuts a line at 64 KiB, and what is cut is no JSON and loses its level.
pub(super) const LIMIT: usize = 60 << 10;
/// How much of a long field stays when a line is too long.
const FIELD_LIMIT: usize = 1 << 10;
const CUT: &str = "… (cut)";

/// What is logged.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: SystemTime,
    pub(super) level: Level,
    pub(super) module: String,
    /// `file:line`.
    pub(super) caller: Option<String>,
    pub(super) message: String,
    pub(super) fields: Map<String, Value>,
}

impl Line {
    /// One JSON object and a line feed, at most [`LIMIT`] bytes.
    ///
    /// Message, level and timestamp are always strings, and the timestamp has six digits of a second: go-plugin
    /// panics on the former and takes the whole line for raw text on the latter.
    pub(super) fn render(mut self) -> String {
        let text = self.object();
        if text.len() < LIMIT {
            return text + "\n";
        }
        let message = std::mem::take(&mut self.message);
        shorten(&mut self.fields);
        if LIMIT / 2 < self.object().len() {
            self.fields.clear();
        }
        self.message = cut(&message, LIMIT - 1 - self.object().len());
        self.object() + "\n"
    }

    fn object(&self) -> String {
        // A name with an `@` is hclog's, and so is never a field's.
        let fields = self.fields.iter().filter(|(name, _)| !name.starts_with('@'));
        let mut all: Map<_, _> = fields.map(|(name, it)| (name.clone(), it.clone())).collect();
        all.insert("@level".to_owned(), level(self.level).into());
        all.insert("@message".to_owned(), self.message.clone().into());
        all.insert("@module".to_owned(), self.module.clone().into());
        all.insert("@timestamp".to_owned(), timestamp(self.at).into());
        if let Some(caller) = &self.caller {
            all.insert("@caller".to_owned(), caller.clone().into());
        }
        Value::Object(all).to_string()
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn timestamp(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, micro) = at.to_hms_micro();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z")
}

fn shorten(fields: &mut Map<String, Value>) {
    for field in fields.values_mut() {
        if let Value::String(text) = field {
            *text = cut(text, FIELD_LIMIT);
        }
    }
}

/// The longest beginning of `text` that takes at most `room` bytes inside of a JSON string, mark included.
fn cut(text: &str, room: usize) -> String {
    let mut left = room.saturating_sub(CUT.len());
    let mut whole = room;
    let mut end = 0;
    for (at, char) in text.char_indices() {
        let size = escaped(char);
        if size <= left {
            left -= size;
            end = at + char.len_utf8();
        } else {
            left = 0;
        }
        let Some(rest) = whole.checked_sub(size) else { return format!("{}{CUT}", &text[..end]) };
        whole = rest;
    }
    text.to_owned()
}

fn escaped(char: char) -> usize {
    match char {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => char.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn line(message: &str, fields: &Value) -> Line {
        Line {
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_042),
            level: Level::WARN,
            module: "ha".to_owned(),
            caller: Some("src/a.rs:7".to_owned()),
            message: message.to_owned(),
            fields: fields.as_object().unwrap().clone(),
        }
    }

    fn parsed(text: &str) -> Value {
        assert!(text.len() <= LIMIT, "{} bytes", text.len());
        assert_eq!(text.find('\n'), Some(text.len() - 1));
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_line_is_as_hclog_writes_it() {
        let fields = json!({ "tf_rpc": "Read", "n": 3, "ok": true, "@level": 5 });
        assert_eq!(
            line("two\nlines", &fields).render(),
            "{\"@caller\":\"src/a.rs:7\",\"@level\":\"warn\",\"@message\":\"two\\nlines\",\"@module\":\"ha\",\
             \"@timestamp\":\"2023-11-14T22:13:20.000042Z\",\"n\":3,\"ok\":true,\"tf_rpc\":\"Read\"}\n"
        );
    }

    #[test]
    fn a_long_message_is_cut_and_stays_json() {
        for letter in ["a", "ü", "\"", "\u{1}"] {
            let text = line(&letter.repeat(100_000), &json!({ "kept": "x" })).render();
            assert!(LIMIT - 16 < text.len(), "{letter:?} leaves {} bytes", text.len());
            let parsed = parsed(&text);
            assert!(parsed["@message"].as_str().unwrap().ends_with(CUT));
            assert_eq!(parsed["kept"], "x");
        }
    }

    #[test]
    fn long_fields_are_cut_before_the_message() {
        let text = line("short", &json!({ "state": "x".repeat(100_000) })).render();
        let parsed = parsed(&text);
        assert_eq!(parsed["@message"], "short");
        assert_eq!(parsed["state"].as_str().unwrap().len(), FIELD_LIMIT);
    }

    #[test]
    fn too_many_fields_are_left_out() {
        let fields: Map<_, _> =
            (0..100).map(|at| (format!("f{at}"), json!("x".repeat(2000)))).collect();
        let text = line("short", &Value::Object(fields)).render();
        assert_eq!(parsed(&text)["@message"], "short");
    }

    #[test]
    fn a_cut_keeps_what_fits() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("0123456789abcdef", 12), format!("012{CUT}"));
    }
}
