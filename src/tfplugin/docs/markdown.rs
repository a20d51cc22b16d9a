//! Markdown that renders as its author meant it.

/// A code span, whatever is in it.
pub(super) fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let touches = text.starts_with('`') || text.ends_with('`');
    let pad = if touches { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A code block in this language, whatever is in it.
pub(super) fn block(language: &str, text: &str) -> String {
    let fence = "`".repeat((longest_run(text) + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end())
}

fn longest_run(text: &str) -> usize {
    text.split(|it| it != '`').map(str::len).max().unwrap_or(0)
}

/// Markdown in which `<name>` is text and no HTML. Links in `<…>` and code stay as they are.
pub(super) fn clean(markdown: &str) -> String {
    let lines = markdown.trim().lines().map(str::trim_end);
    outside_code(&lines.collect::<Vec<_>>().join("\n"), is_html)
}

/// A text of a rule, which is shown in diagnostics too, as Markdown on one line: its code spans are
/// code, everything else means itself.
pub(super) fn inline(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    outside_code(&words.join(" "), |before, it, after| match it {
        '*' | '|' | '\\' => true,
        // Inside of a word it is no emphasis.
        '_' => !is_word(before) || !is_word(after.chars().next()),
        '[' => after.contains("]("),
        it => is_html(before, it, after),
    })
}

fn is_word(it: Option<char>) -> bool {
    it.is_some_and(char::is_alphanumeric)
}

/// Whether `it` would start an HTML tag.
fn is_html(before: Option<char>, it: char, after: &str) -> bool {
    let starts = after.starts_with(|it: char| it.is_ascii_alphabetic() || "/!?".contains(it));
    let is_link = ["http://", "https://", "mailto:"].iter().any(|it| after.starts_with(it));
    it == '<' && starts && !is_link && before != Some('\\')
}

/// Puts a backslash before each character outside of code for which `escapes` says so, by the
/// character before it and the text after it.
fn outside_code(text: &str, escapes: impl Fn(Option<char>, char, &str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut before) = (text, None);
    while let Some(it) = rest.chars().next() {
        let code = code_length(rest);
        if 0 < code {
            out.push_str(&rest[..code]);
            (rest, before) = (&rest[code..], Some('`'));
            continue;
        }
        let after = &rest[it.len_utf8()..];
        if escapes(before, it, after) {
            out.push('\\');
        }
        out.push(it);
        (rest, before) = (after, Some(it));
    }
    out
}

/// How long the code is that the text starts with: a span or a block in backticks, with its marks.
fn code_length(text: &str) -> usize {
    let run = |text: &str| text.len() - text.trim_start_matches('`').len();
    let mark = run(text);
    let mut at = mark;
    while 0 < mark
        && let Some(next) = text[at..].find('`')
    {
        let closing = run(&text[at + next..]);
        at += next + closing;
        if closing == mark {
            return at;
        }
    }
    // Without a closing mark the backticks are text.
    mark
}

/// The first paragraph on one line without marks, for the front matter.
pub(super) fn summary(markdown: &str) -> String {
    let first = markdown.trim().split("\n\n").next().unwrap_or_default();
    let words: Vec<_> = first.split_whitespace().collect();
    let text = words.join(" ").replace("**", "").replace('`', "");
    without_links(&text)
}

/// `[text](target)` becomes `text`.
fn without_links(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, opened)) = rest.split_once('[') {
        out.push_str(before);
        let link = opened.split_once("](").and_then(|(shown, tail)| {
            let (_, tail) = tail.split_once(')')?;
            (!shown.contains(['[', ']'])).then_some((shown, tail))
        });
        let (shown, tail) = link.unwrap_or(("[", opened));
        out.push_str(shown);
        rest = tail;
    }
    out + rest
}

/// A sentence: with a mark at its end.
pub(super) fn sentence(text: &str) -> String {
    let ends = text.ends_with(['.', '!', '?', ':']);
    format!("{text}{}", if ends { "" } else { "." })
}

/// `a`, `b` and `c`.
pub(super) fn listed(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|it| code(it)).collect();
    match names.as_slice() {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        other => other.concat(),
    }
}

/// The text as a list item: its further lines are moved in by as much as the mark takes. Items with
/// another `mark` than those before them begin a list of their own.
pub(super) fn item(mark: char, text: &str) -> String {
    let mut out = format!("{mark} ");
    for (index, line) in text.lines().enumerate() {
        if 0 < index && !line.is_empty() {
            out.push_str("  ");
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_in_descriptions_is_text() {
        let check = |text, wanted: &str| assert_eq!(clean(text), wanted);
        check("/var/lib/etcd/<name>, 1 < 2", "/var/lib/etcd/\\<name>, 1 < 2");
        check("`a <b>` ``c ` <d>`` <e", "`a <b>` ``c ` <d>`` \\<e");
        check("```\n<a>\n```\n<b>", "```\n<a>\n```\n\\<b>");
        check("<https://example.com/> \\<a> <!-- b", "<https://example.com/> \\<a> \\<!-- b");
        check("a lone ` and <b>", "a lone ` and \\<b>");
    }

    #[test]
    fn texts_of_rules_mean_themselves() {
        let check = |text, wanted: &str| assert_eq!(inline(text), wanted);
        check("a*b*c or _d_ or e_f | `g*h*`", "a\\*b\\*c or \\_d\\_ or e_f \\| `g*h*`");
        check("[a](b)  or\n[c-z]", "\\[a](b) or [c-z]");
    }

    #[test]
    fn code_may_hold_backticks() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`a``b"), "``` `a``b ```");
        assert_eq!(block("shell", "```\n"), "````shell\n```\n````\n");
    }

    #[test]
    fn a_summary_is_the_first_paragraph_without_marks() {
        let text = "A [shelf](https://a.example) of\n`books`, **all** [1] of them.\n\nMore.";
        assert_eq!(summary(text), "A shelf of books, all [1] of them.");
        assert_eq!(summary(""), "");
    }
}
