//! A stored snapshot, proven and laid open.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::draft::Draft;
use crate::agent::backup::{Hashing, unpack};
use crate::agent::change::{Deed, Host};
use crate::agent::fault::Fault;
use crate::agent::files::look;
use crate::agent::line::hex;
use crate::agent::place::{HostPath, Root};
use crate::agent::snapshot::{DIGEST, Pages};
use crate::domain::backup::pages::check;
use crate::domain::backup::{Compression, MOST_MANIFEST, Manifest};
use crate::proto::agent::{StageSnapshotReply, StageSnapshotRequest};
use crate::remote::etcd::Proof;

/// Proves what is stored by all that is known of it, and keeps the data as it was before it was compressed.
pub(in crate::agent) async fn stage(
    host: &Arc<Host>,
    mut request: StageSnapshotRequest,
) -> Result<StageSnapshotReply, Fault> {
    let claim = request.claim.take();
    let (from, into) = (HostPath::parse(&request.path)?, HostPath::parse(&request.into)?);
    let deed = Deed::new(format!("prove {from} and lay it open as {into}"), &request);
    let work = move |root: &Root| lay_open(root, &from, &request.manifest, &into);
    host.change_files(claim, deed, work).await
}

fn lay_open(
    root: &Root,
    from: &HostPath,
    manifest: &[u8],
    into: &HostPath,
) -> Result<StageSnapshotReply, Fault> {
    let damaged =
        |why: &dyn std::fmt::Display| Fault::Refused(format!("{from} cannot be restored: {why}"));
    let manifest = match manifest {
        [] => None,
        path => Some(described(root, from, &HostPath::parse(path)?)?),
    };
    let Some((file, stat)) = look::open(&root.place(from)?)? else {
        return Err(damaged(&"it is not there"));
    };
    let known = manifest.as_ref().map(|it| it.database_size);
    let stored = u64::try_from(stat.st_size).unwrap_or_default();
    let draft = Draft::begin(root, into, known.unwrap_or(stored))?;
    let compression = manifest.as_ref().map_or(Compression::None, |it| it.compression);
    let mut reader = Hashing::new(file);
    let (digest, proof) = lay(&mut reader, compression, draft.part.file(), known.unwrap_or(stored))
        .map_err(|it| damaged(&it))?;
    let (sha256, size) = reader.finish().map_err(Fault::failed(format!("read {from}")))?;
    if let Some(manifest) = &manifest
        && (size != manifest.size || hex(&sha256) != manifest.sha256)
    {
        return Err(damaged(&"it is not what its manifest describes"));
    }
    let size = proof.finish().map_err(|it| damaged(&it))?;
    let facts = check(&Pages(draft.part.file()), size - DIGEST).map_err(|it| damaged(&it))?;
    if let Some(manifest) = &manifest
        && (size != manifest.database_size || facts.revision != manifest.revision)
    {
        return Err(damaged(&"its data is not what its manifest describes"));
    }
    draft.keep()?;
    let text = manifest.map(|it| it.print()).transpose();
    let text = text.map_err(|it| Fault::Refused(it.to_string()))?.unwrap_or_default();
    Ok(StageSnapshotReply {
        manifest: text.into(),
        digest: digest.to_vec().into(),
        size,
        revision: facts.revision,
    })
}

/// The manifest of this very file.
fn described(root: &Root, from: &HostPath, manifest: &HostPath) -> Result<Manifest, Fault> {
    let file = from.split().map(|it| it.1.to_string_lossy().into_owned()).unwrap_or_default();
    let name = Compression::before_end(&file).unwrap_or(&file);
    let text = look::read(&root.place(manifest)?, MOST_MANIFEST)?.1;
    let found = Manifest::parse(&text, name);
    let found = found.map_err(|it| Fault::Refused(format!("{manifest} cannot be used: {it}")))?;
    if found.file() != file {
        return Err(Fault::Refused(format!("{manifest} describes {}", found.file())));
    }
    Ok(found)
}

/// Writes what was stored, but not more than it can be.
fn lay(
    stored: &mut impl Read,
    compression: Compression,
    mut to: &File,
    most: u64,
) -> io::Result<([u8; 32], Proof)> {
    let (mut proof, mut digest, mut done) = (Proof::default(), Sha256::new(), 0_u64);
    unpack(stored, compression, |part| {
        done += part.len() as u64;
        if most < done {
            return Err(io::Error::other(format!("it has more than {most} bytes")));
        }
        proof.push(part);
        digest.update(part);
        to.write_all(part)
    })?;
    Ok((digest.finalize().into(), proof))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::domain::backup::pages::snapshot;

    /// A snapshot at revision 9, stored with its manifest.
    fn stored(compression: Compression) -> (TempDir, Manifest) {
        let folder = tempfile::tempdir().unwrap();
        let bytes = match compression {
            Compression::None => snapshot(),
            Compression::Zstd => zstd::stream::encode_all(&snapshot()[..], 3).unwrap(),
        };
        let manifest = Manifest {
            name: "p.n.1".to_owned(),
            compression,
            revision: 9,
            size: bytes.len() as u64,
            sha256: hex(&Sha256::digest(&bytes)),
            database_size: snapshot().len() as u64,
            ..Manifest::empty()
        };
        fs::write(folder.path().join(manifest.file()), bytes).unwrap();
        describe(&folder, &manifest);
        (folder, manifest)
    }

    fn describe(folder: &TempDir, manifest: &Manifest) {
        fs::write(folder.path().join("p.n.1.json"), manifest.print().unwrap()).unwrap();
    }

    fn open(folder: &TempDir, file: &str) -> Result<StageSnapshotReply, String> {
        let root = Root::open(Some(folder.path())).unwrap();
        let path = |it: &str| HostPath::parse(it.as_bytes()).unwrap();
        let into = path("/var/restore/it.db");
        let done = lay_open(&root, &path(&format!("/{file}")), b"/p.n.1.json", &into);
        let there = fs::read_dir(folder.path().join("var/restore"));
        let names = there.map(Iterator::count).unwrap_or_default();
        assert_eq!(names, usize::from(done.is_ok()), "nothing else is left");
        done.map_err(|it| tonic::Status::from(it).message().to_owned())
    }

    #[test]
    fn what_is_stored_is_laid_open() {
        for compression in [Compression::None, Compression::Zstd] {
            let (folder, manifest) = stored(compression);
            let reply = open(&folder, &manifest.file()).unwrap();
            assert_eq!((reply.size, reply.revision), (snapshot().len() as u64, 9));
            assert_eq!(reply.digest, Sha256::digest(snapshot()).to_vec());
            assert_eq!(reply.manifest, manifest.print().unwrap());
            assert_eq!(fs::read(folder.path().join("var/restore/it.db")).unwrap(), snapshot());
        }
    }

    #[test]
    fn whatever_was_changed_is_refused() {
        for compression in [Compression::None, Compression::Zstd] {
            let (folder, manifest) = stored(compression);
            let file = folder.path().join(manifest.file());
            let bytes = fs::read(&file).unwrap();
            for at in (0..bytes.len()).step_by(211) {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << (at % 8);
                fs::write(&file, damaged).unwrap();
                let said = open(&folder, &manifest.file()).unwrap_err();
                assert!(said.contains("cannot be restored: "), "{said}");
            }
            for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
                fs::write(&file, &bytes[..length]).unwrap();
                open(&folder, &manifest.file()).unwrap_err();
            }
            fs::write(&file, &bytes).unwrap();
            let check = |edit: fn(&mut Manifest), expected: &str| {
                let mut edited = manifest.clone();
                edit(&mut edited);
                describe(&folder, &edited);
                let said = open(&folder, &manifest.file()).unwrap_err();
                assert!(said.contains(expected), "{said}");
            };
            check(|it| it.name = "p.n.2".to_owned(), "it is the manifest of \"p.n.2\"");
            check(|it| it.sha256 = "0".repeat(64), "it is not what its manifest describes");
            check(|it| it.size += 1, "it is not what its manifest describes");
            check(|it| it.revision = 8, "its data is not what its manifest describes");
            check(|it| it.database_size -= 1, "it has more than");
            check(|it| it.database_size += 1, "its data is not what its manifest describes");
            fs::remove_file(folder.path().join("p.n.1.json")).unwrap();
            open(&folder, &manifest.file()).unwrap_err();
        }
    }
}
