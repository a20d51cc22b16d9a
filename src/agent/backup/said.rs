//! What a service of S3 has said, without what may be secret. Pure.
//!
//! Its answers may name the access key, and what was signed with the other one: of them the status and the code are told.
//! The client hands them on as texts alone (object_store 0.14, `client/retry.rs`).

use std::error::Error;

use object_store::client::HttpError;

use crate::agent::fault::chain;

/// Before the status of an answer, and its body.
const STATUS: &str = "status code: ";
/// Before the body of an answer that says to be a success.
const RESPONSE: &str = "error response: ";
/// No status that HTTP knows has a longer name.
const LONGEST: usize = 48;

/// A fault as a text.
pub(super) fn said(error: &(dyn Error + 'static)) -> String {
    let mut at = Some(error);
    while let Some(error) = at {
        if error.is::<HttpError>() {
            return chain(error);
        }
        at = error.source();
    }
    answer(&error.to_string())
}

/// Whether the service does not know what was asked of it.
pub(super) fn is_not_implemented(error: &object_store::Error) -> bool {
    let text = error.to_string();
    let status = text.split_once(STATUS).map(|it| it.1).unwrap_or_default();
    status.starts_with("501") || status.starts_with("405")
}

/// Whether the object is missing, and nothing else: not the bucket, nor who asks.
pub(super) fn is_absent(error: &dyn Error) -> bool {
    code(&error.to_string()).is_none_or(|it| it == "NoSuchKey")
}

fn answer(text: &str) -> String {
    let code = code(text).map(|it| format!(", {it}")).unwrap_or_default();
    if let Some((_, rest)) = text.split_once(STATUS) {
        let is_part = |it: &char| it.is_ascii_alphanumeric() || *it == ' ';
        let status: String = rest.chars().take_while(is_part).take(LONGEST).collect();
        return format!("the service answered with status {}{code}", status.trim_end());
    }
    if text.contains(RESPONSE) {
        return format!("the service answered with a fault{code}");
    }
    // Nothing of a body.
    text.split('<').next().unwrap_or_default().trim_end().to_owned()
}

/// From the XML of an answer.
fn code(text: &str) -> Option<&str> {
    let code = text.split_once("<Code>")?.1.split_once("</Code>")?.0;
    let is_word = !code.is_empty() && code.bytes().all(|it| it.is_ascii_alphanumeric());
    (is_word && code.len() <= LONGEST).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_answer_status_and_code_are_told() {
        let body = "<?xml version=\"1.0\"?><Error><Code>InvalidAccessKeyId</Code><Message>hunter2</Message>\
                    <AWSAccessKeyId>hunter2</AWSAccessKeyId></Error>";
        let before = "Error performing PUT https://s3.example/b/x in 3ms - Server returned";
        let check = |text: &str, expected: &str| assert_eq!(answer(text), expected, "{text}");
        check(
            &format!("{before} non-2xx status code: 403 Forbidden: {body}"),
            "the service answered with status 403 Forbidden, InvalidAccessKeyId",
        );
        check(
            &format!("{before} error response: {body}"),
            "the service answered with a fault, InvalidAccessKeyId",
        );
        for body in ["", "hunter2", "<Code>", "<Code>hunter 2</Code>", "<Code></Code>"] {
            let text = format!("{before} non-2xx status code: 502 Bad Gateway: {body}");
            check(&text, "the service answered with status 502 Bad Gateway");
        }
        check("no such thing: <Key>hunter2</Key>", "no such thing:");
    }
}
