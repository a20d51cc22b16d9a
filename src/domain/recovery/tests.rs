//! Bundles of our own and one of the reference implementation.
#![cfg(feature = "provider")]

use super::*;

/// Of `age-keygen`.
const SECRET: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

/// By version 1.2.1 of the reference implementation, for two: what [`bundle`] has.
const THEIRS: &str = "\
-----BEGIN AGE ENCRYPTED FILE-----\n\
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSB2NjlGcjF1cjlpNEkyL3A0\n\
Q2lmS25YQlpFbDVDZlZ5SFlTZlFMcDdaVmd3ClZqODl1TUN4c3I2VmsxTTRuSGtJ\n\
RSs3UExNWTNoR2Q2V0VnTHBkOVhNeWsKLT4gWDI1NTE5IGVXa0htYUdyS292MmV1\n\
WHlXL0pyZUUwWERFbDR2NFczVmpxVXl1VHNseVEKcUx2RmJjNlJZS0ZDYTFJUi84\n\
YmdTdlZINVZiUnYyWThsRmFGUDVqQnZZdwotLS0gVGFkV0dqUFkrTkhjV3hpN3dN\n\
eVI0SEJLV2hzUkRkSnFmOGlDbGZxek1kUQqJPm43taaq5mnSSvvZ57xlvekzgpes\n\
KkHoHHvjAndsT+fBwqxQbQaVlXMOeYq54Ep4fiBP4Y4NlCjBdMroJkePS7sJpkuk\n\
jcWUcPTq7Qbtf/YxovMpKRfgZ91uyz28un1qUu6btb6Ocw/Sr3YIM7yHb+UR0Bts\n\
kao=\n\
-----END AGE ENCRYPTED FILE-----\n\
";

fn bundle() -> Bundle {
    let files = [("sa.key".to_owned(), "hunter2".to_owned())];
    Bundle::new("control_plane".to_owned(), "prod".to_owned(), "7".to_owned(), files)
}

fn identity() -> Identity {
    SECRET.parse().unwrap()
}

/// A key that another would have made.
fn other() -> Identity {
    Identity::of([7; 32]).unwrap()
}

fn sealed(content: &[u8], to: &[Recipient]) -> String {
    // Its private half would be fresh.
    let ours = other();
    let share = |it: &Recipient| {
        Share::new(it.clone(), *ours.recipient().bytes(), &ours.agree(it.bytes()).unwrap())
    };
    let shares: Vec<_> = to.iter().map(share).collect();
    seal(content, &[1; 16], &[2; 16], &shares).unwrap()
}

#[test]
fn a_pair_is_read_as_age_prints_it() {
    assert_eq!(identity().recipient().to_string(), PUBLIC);
    assert_eq!(PUBLIC.parse::<Recipient>().unwrap(), identity().recipient());
    let file = format!("# created: 2026-11-30T00:00:00Z\n# public key: {PUBLIC}\n{SECRET}\n");
    assert_eq!(file.parse::<Identity>().unwrap().recipient(), identity().recipient());
    let refused = |text: &str| text.parse::<Recipient>().unwrap_err().to_string();
    assert!(refused(SECRET).starts_with("this is a private key"), "{}", refused(SECRET));
    for text in
        ["", "age1", &PUBLIC[..PUBLIC.len() - 1], &PUBLIC.replace("zvk", "zvq"), "ssh-ed25519 A"]
    {
        assert!(refused(text).contains("is no public key of age"), "{text}");
    }
    for text in ["", "# nothing", PUBLIC, "AGE-SECRET-KEY-1"] {
        assert_eq!(text.parse::<Identity>().unwrap_err(), OpenFault::Identity, "{text}");
    }
    assert_eq!(
        format!("{:?} {:?}", identity(), bundle()),
        "Identity(…) Bundle(control_plane \"prod\")"
    );
}

#[test]
fn what_is_sealed_is_opened_by_each_recipient_and_by_nobody_else() {
    let (ours, theirs) = (identity(), other());
    let content = bundle().print().unwrap();
    let both = sealed(&content, &[theirs.recipient(), ours.recipient()]);
    assert!(both.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"), "{both}");
    assert!(both.lines().all(|it| it.len() <= 64), "{both}");
    for identity in [&ours, &theirs] {
        assert_eq!(open(&both, identity), Ok(bundle()));
    }
    let one = sealed(&content, &[theirs.recipient()]);
    assert_eq!(open(&one, &ours), Err(OpenFault::OtherRecipients));
    // As a heredoc or a mail leaves it.
    assert_eq!(open(&format!("\n{}\n\n", one.replace('\n', "\r\n")), &theirs), Ok(bundle()));
    let something = sealed(b"{}", &[theirs.recipient()]);
    assert_eq!(open(&something, &theirs), Err(OpenFault::OtherContent));
}

#[test]
fn nothing_is_sealed_to_nobody_and_nothing_that_would_be_cut() {
    let fault = |size: usize, shares: &[Share]| {
        seal(&vec![0; size], &[1; 16], &[2; 16], shares).unwrap_err().to_string()
    };
    assert_eq!(fault(1, &[]), "there is no recipient");
    let share = Share::new(other().recipient(), [3; 32], &[4; 32]);
    assert_eq!(fault((64 << 10) + 1, &[share]), "65537 bytes are more than fit into a bundle");
}

/// Each byte of it counts.
#[test]
fn a_bundle_that_was_changed_is_refused() {
    let ours = identity();
    let text = sealed(&bundle().print().unwrap(), &[ours.recipient()]);
    let bytes = header::unarmor(&text).unwrap();
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert!(open(&header::armor(&other), &ours).is_err(), "byte {at}");
        assert!(open(&header::armor(&bytes[..at]), &ours).is_err(), "{at} bytes");
    }
    for text in ["", "hunter2", &text[..text.len() / 2]] {
        assert_eq!(open(text, &ours), Err(OpenFault::Malformed));
    }
}

#[test]
fn what_another_tool_has_sealed_is_opened() {
    assert_eq!(open(THEIRS, &identity()), Ok(bundle()));
    assert_eq!(open(THEIRS, &other()), Err(OpenFault::OtherRecipients));
}
