//! Keys that leave a host encrypted to people, and in no other form.

use std::sync::Arc;

use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::change::Host;
use super::fault::Fault;
use super::files::look;
use super::place::{HostPath, Root};
use crate::domain::recovery::{Bundle, Recipient, RecipientFault, Share, seal};
use crate::proto::agent::file::Kind;
use crate::proto::agent::{SealFilesReply, SealFilesRequest};

/// A file of keys has some 250 bytes, a certificate less than 2 KiB.
const MOST_BYTES: u64 = 64 << 10;

/// Reads the files and seals them.
pub(super) async fn seal_files(
    host: &Arc<Host>,
    request: SealFilesRequest,
) -> Result<SealFilesReply, Fault> {
    let invalid = |it: RecipientFault| Fault::Invalid(it.to_string());
    let recipients: Result<Vec<Recipient>, _> =
        request.recipients.iter().map(|it| it.parse()).collect();
    let recipients = recipients.map_err(invalid)?;
    host.blocking(move |it| sealed(&it.root, request, recipients)).await
}

fn sealed(
    root: &Root,
    request: SealFilesRequest,
    recipients: Vec<Recipient>,
) -> Result<SealFilesReply, Fault> {
    let mut files = Vec::new();
    for file in request.files {
        files.push((file.name, text(root, &HostPath::parse(&file.path)?)?));
    }
    let bundle = Bundle::new(request.kind, request.name, request.id, files);
    let plain = bundle.print().map_err(Fault::failed("write a bundle"))?;
    let shares = recipients.into_iter().map(share).collect::<Result<Vec<_>, _>>()?;
    let bundle = seal(&plain, &random()?, &random()?, &shares);
    Ok(SealFilesReply { bundle: bundle.map_err(|it| Fault::Refused(it.to_string()))? })
}

fn text(root: &Root, path: &HostPath) -> Result<String, Fault> {
    let missing = || Fault::Refused(format!("there is no {path}"));
    let place = root.find(path)?.ok_or_else(missing)?;
    let (seen, content) = look::read(&place, MOST_BYTES)?;
    if seen.kind() == Kind::Absent {
        return Err(missing());
    }
    String::from_utf8(content).map_err(|_| Fault::Refused(format!("{path} is no text")))
}

/// With a fresh key, which is gone afterwards.
fn share(to: Recipient) -> Result<Share, Fault> {
    let own = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).map_err(unspecified)?;
    let public = own.compute_public_key().map_err(unspecified)?;
    let public = public.as_ref().try_into().map_err(|_| unspecified(ring::error::Unspecified))?;
    let theirs = UnparsedPublicKey::new(&X25519, to.bytes().to_vec());
    agree_ephemeral(own, &theirs, |secret| Share::new(to, public, secret)).map_err(unspecified)
}

fn random() -> Result<[u8; 16], Fault> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(unspecified)?;
    Ok(bytes)
}

/// It does not say why.
fn unspecified(_: ring::error::Unspecified) -> Fault {
    Fault::failed("seal a bundle")(std::io::Error::other("the cipher or the system refuses"))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has a directory of its own")]
mod tests {
    use super::*;
    use crate::proto::agent::SealedFile;

    const PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

    fn request(path: &str) -> SealFilesRequest {
        let file = SealedFile { name: "sa.key".to_owned(), path: path.to_owned().into() };
        SealFilesRequest { files: vec![file], kind: "k".to_owned(), ..SealFilesRequest::default() }
    }

    #[test]
    fn files_are_sealed_each_time_anew_and_what_is_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sa.key"), "hunter2").unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let to = || vec![PUBLIC.parse().unwrap()];
        let one = sealed(&root, request("/sa.key"), to()).unwrap().bundle;
        let other = sealed(&root, request("/sa.key"), to()).unwrap().bundle;
        assert!(one.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") && one != other, "{one}");
        let fault = |path, to| sealed(&root, request(path), to).unwrap_err().to_string();
        assert_eq!(fault("/absent", to()), "there is no /absent");
        assert_eq!(fault("/sa.key", vec![]), "there is no recipient");
    }

    #[cfg(feature = "provider")]
    #[test]
    fn what_an_agent_has_sealed_its_owner_opens() {
        use crate::domain::recovery::{Identity, open};
        let secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sa.key"), "hunter2").unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let bundle = sealed(&root, request("/sa.key"), vec![PUBLIC.parse().unwrap()]).unwrap();
        let opened = open(&bundle.bundle, &secret.parse::<Identity>().unwrap()).unwrap();
        assert_eq!((opened.kind.as_str(), opened.files["sa.key"].as_str()), ("k", "hunter2"));
    }
}
