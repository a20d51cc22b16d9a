//! The first line of an agent, behind whatever a login script printed.

use bytes::{Buf as _, Bytes, BytesMut};
use rustls::crypto::aws_lc_rs;

/// More noise than this before the first word of ours is not waited out.
const MOST_NOISE: usize = 1 << 20;
/// A line of ours is far shorter.
const LONGEST_LINE: usize = 256;
const NONCE_BYTES: usize = 16;

/// A word that no login script knows: 32 hexadecimal digits, different each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nonce(String);

/// There is no end of what comes before the first line of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST_NOISE} bytes come before the first word of the agent")]
pub(super) struct Noisy;

/// Finds the lines `ha-agent NONCE …` in what arrives.
#[derive(Debug)]
pub(super) struct Lines {
    mark: Vec<u8>,
    heard: BytesMut,
    noise: usize,
}

impl Nonce {
    /// A fresh one. `None`: this machine has no randomness to give.
    pub(super) fn new() -> Option<Self> {
        let mut bytes = [0; NONCE_BYTES];
        aws_lc_rs::default_provider().secure_random.fill(&mut bytes).ok()?;
        Some(Self(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Lines {
    pub(super) fn new(nonce: &Nonce) -> Self {
        let mark = format!("ha-agent {} ", nonce.as_str()).into_bytes();
        Self { mark, heard: BytesMut::new(), noise: 0 }
    }

    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
    }

    /// What stands behind the nonce in the next line, once all of that line is there.
    pub(super) fn line(&mut self) -> Result<Option<String>, Noisy> {
        let found = self.heard.windows(self.mark.len()).position(|it| it == self.mark);
        // The beginning of a mark may have come already.
        let noise = found.unwrap_or(self.heard.len().saturating_sub(self.mark.len()));
        self.heard.advance(noise);
        self.noise += noise;
        if MOST_NOISE < self.noise {
            return Err(Noisy);
        }
        if found.is_none() {
            return Ok(None);
        }
        let Some(end) = self.heard.iter().position(|it| *it == b'\n') else {
            return if LONGEST_LINE < self.heard.len() { Err(Noisy) } else { Ok(None) };
        };
        let line = self.heard.split_to(end + 1);
        let text = line.get(self.mark.len()..end).unwrap_or_default();
        Ok(Some(String::from_utf8_lossy(text).trim_end().to_owned()))
    }

    /// What came behind the last line.
    pub(super) fn rest(self) -> Bytes {
        self.heard.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> (Vec<String>, Bytes) {
        let mut lines = Lines::new(&Nonce("cafe".to_owned()));
        let mut found = Vec::new();
        for chunk in chunks {
            lines.hear(chunk);
            found.extend(std::iter::from_fn(|| lines.line().unwrap()));
        }
        (found, lines.rest())
    }

    #[test]
    fn a_nonce_fits_the_command_line_of_the_agent_and_is_new_each_time() {
        let (one, other) = (Nonce::new().unwrap(), Nonce::new().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 2 * NONCE_BYTES);
        assert!(one.as_str().bytes().all(|it| it.is_ascii_hexdigit()));
    }

    #[test]
    fn lines_are_found_behind_noise() {
        let check = |chunks: &[&[u8]], expected: &[&str], rest: &[u8]| {
            let (found, left) = lines(chunks);
            assert_eq!(found, expected, "{chunks:?}");
            assert!(left.ends_with(rest), "{left:?}");
        };
        check(&[b"ha-agent cafe 1\n"], &["1"], b"");
        check(&[b"ha-agent cafe 1\nPRI"], &["1"], b"PRI");
        check(
            &[b"Welcome! ha-agent cafe need x86_64\nha-agent ca", b"fe 1\n\0\0"],
            &["need x86_64", "1"],
            b"\0\0",
        );
        check(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nha-agent babe 1\n"], &[], b"babe 1\n");
        check(&[b"ha-agent cafe 1"], &[], b"ha-agent cafe 1");
        check(&[b"ha-agent cafe \xff\r\n"], &["\u{fffd}"], b"");
    }

    #[test]
    fn noise_without_end_is_refused() {
        let mut lines = Lines::new(&Nonce("cafe".to_owned()));
        let chunk = vec![b'x'; 64 << 10];
        let refused = (0..17).map(|_| {
            lines.hear(&chunk);
            lines.line()
        });
        assert_eq!(refused.last(), Some(Err(Noisy)));
        let mut lines = Lines::new(&Nonce("cafe".to_owned()));
        lines.hear(b"ha-agent cafe ");
        lines.hear(&[b'x'; LONGEST_LINE]);
        assert_eq!(lines.line(), Err(Noisy));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            noise in prop::collection::vec(any::<u8>(), 0..300),
            cut in 1..20_usize,
        ) {
            let all = [&noise[..], b"ha-agent cafe 1\nrest"].concat();
            let chunks: Vec<_> = all.chunks(cut).collect();
            let (found, rest) = lines(&chunks);
            prop_assert_eq!(found.last().map(String::as_str), Some("1"));
            prop_assert_eq!(&rest[..], b"rest");
        }
    }
}
