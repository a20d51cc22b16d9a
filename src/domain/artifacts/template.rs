//! URLs with gaps, so that mirrors and closed sites can lay files out as they like.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::release::Release;

/// A URL with `{version}`, `{os}`, `{arch}` and `{name}` where the release is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Cow<'static, str>);

/// Why a text is no template of a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A local path, `ftp://`, or nothing.
    #[error("the URL begins neither with https:// nor with http://")]
    Scheme,
    /// Nobody to ask.
    #[error("the URL names no server")]
    Server,
    /// They would be told to every host, and to whoever reads a log.
    #[error(
        "the URL holds a user or a password; give them to a proxy, or protect the mirror otherwise"
    )]
    Credentials,
    /// Spaces, line ends, letters beyond ASCII, quotes.
    #[error("{0:?} has no place in a URL")]
    Sign(char),
    /// `{`, or `}` without its other half.
    #[error("a brace of the URL stands alone")]
    Brace,
    /// A gap that nothing fills.
    #[error("nothing is known for {{{0}}}: there are {{version}}, {{os}}, {{arch}} and {{name}}")]
    Placeholder(String),
    /// A directory, or a name that no file on a host could have.
    #[error("the last part of the URL is no name of a file: letters, digits, `.`, `_` and `-`")]
    File,
    /// More than servers take.
    #[error("the URL has more than {MOST_BYTES} characters")]
    Length,
}

const MOST_BYTES: usize = 2000;
const PLACEHOLDERS: [&str; 4] = ["version", "os", "arch", "name"];

impl Template {
    /// One that is known to be right.
    pub(super) const fn upstream(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The URL for a release.
    pub fn render(&self, release: &Release) -> String {
        self.0
            .replace("{version}", release.version().as_str())
            .replace("{os}", "linux")
            .replace("{arch}", release.architecture().name())
            .replace("{name}", release.name())
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if MOST_BYTES < text.len() {
            return Err(TemplateError::Length);
        }
        let is_fine = |it: char| it.is_ascii_graphic() && !"\"<>\\^`|#".contains(it);
        if let Some(sign) = text.chars().find(|it| !is_fine(*it)) {
            return Err(TemplateError::Sign(sign));
        }
        let rest = ["https://", "http://"].iter().find_map(|it| text.strip_prefix(it));
        let rest = rest.ok_or(TemplateError::Scheme)?;
        let (server, path) = rest.split_once('/').unwrap_or((rest, ""));
        if server.is_empty() || server.starts_with(':') || server.contains('?') {
            return Err(TemplateError::Server);
        }
        if server.contains('@') {
            return Err(TemplateError::Credentials);
        }
        let bare = without_placeholders(path)?;
        if without_placeholders(server)? != server {
            return Err(TemplateError::Server);
        }
        if is_file(file(&bare)) {
            Ok(Self(text.to_owned().into()))
        } else {
            Err(TemplateError::File)
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The last part of the path of a URL, or of a path.
pub(super) fn file(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

fn is_file(name: &str) -> bool {
    let is_fine = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
    !name.is_empty()
        && name.len() <= 50
        && name.bytes().all(is_fine)
        && !name.starts_with(['.', '-'])
}

/// With a letter in each gap.
fn without_placeholders(text: &str) -> Result<String, TemplateError> {
    let mut bare = String::new();
    let mut parts = text.split('{');
    let first = parts.next().unwrap_or_default();
    bare.push_str(first);
    for part in parts {
        let (name, rest) = part.split_once('}').ok_or(TemplateError::Brace)?;
        if !PLACEHOLDERS.contains(&name) {
            return Err(TemplateError::Placeholder(name.to_owned()));
        }
        bare.push('x');
        bare.push_str(rest);
    }
    if bare.contains('}') { Err(TemplateError::Brace) } else { Ok(bare) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::artifacts::Architecture;

    fn release() -> Release {
        Release::kubernetes("1.35.0".parse().unwrap(), Architecture::Amd64, "kubelet")
    }

    #[test]
    fn gaps_are_filled() {
        let check = |text: &str, url: &str| {
            assert_eq!(text.parse::<Template>().unwrap().render(&release()), url);
        };
        check("https://a/k/{name}", "https://a/k/kubelet");
        check(
            "http://a:8080/{os}/{arch}/v{version}/{name}-{version}.x?token={arch}",
            "http://a:8080/linux/amd64/v1.35.0/kubelet-1.35.0.x?token=amd64",
        );
        check("https://[2001:db8::1]/%7Ea/kubelet", "https://[2001:db8::1]/%7Ea/kubelet");
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let check = |text: &str, fault| assert_eq!(text.parse::<Template>(), Err(fault), "{text}");
        check("", TemplateError::Scheme);
        check("/srv/{name}", TemplateError::Scheme);
        check("ftp://a/{name}", TemplateError::Scheme);
        check("HTTPS://a/{name}", TemplateError::Scheme);
        check("https:///{name}", TemplateError::Server);
        check("https://:80/{name}", TemplateError::Server);
        check("https://{name}.example/x", TemplateError::Server);
        check("https://me:secret@a/x", TemplateError::Credentials);
        check("https://a/x y", TemplateError::Sign(' '));
        check("https://a/x\r\nHost: b", TemplateError::Sign('\r'));
        check("https://a/\0", TemplateError::Sign('\0'));
        check("https://a/ä", TemplateError::Sign('ä'));
        check("https://a/x#y", TemplateError::Sign('#'));
        check("https://a/{file}", TemplateError::Placeholder("file".to_owned()));
        check("https://a/{}", TemplateError::Placeholder(String::new()));
        check("https://a/{name", TemplateError::Brace);
        check("https://a/name}", TemplateError::Brace);
        check("https://a/{na{name}", TemplateError::Brace);
        check("https://?/a", TemplateError::Server);
        check("https://a", TemplateError::File);
        check("https://a/{version}/", TemplateError::File);
        check("https://a/x/..", TemplateError::File);
        check("https://a/a%2Fb", TemplateError::File);
        check(&format!("https://a/{}", "x".repeat(3000)), TemplateError::Length);
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_one_word_with_a_file(text in "https?://[ -~]{0,60}\\PC{0,3}") {
            if let Ok(template) = text.parse::<Template>() {
                let url = template.render(&release());
                let is_word = url.chars().all(|it| it.is_ascii_graphic() && !"{}".contains(it));
                prop_assert!(is_word, "{}", url);
                prop_assert!(is_file(&file(&url).replace("1.35.0", "")) || file(&url) == "1.35.0");
            }
        }
    }
}
