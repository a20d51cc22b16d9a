//! One snapshot: from the member on this host to the disk, proven on the way and once more as it lies there.
//!
//! Where snapshots go to a store it stays on the disk until the store has it; `ship` brings it there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use super::shelf::Shelf;
use crate::agent::clock;
use crate::agent::fault::{Fault, chain};
use crate::agent::forward;
use crate::agent::line::hex;
use crate::agent::part::Part;
use crate::agent::place::{HostPath, Root};
use crate::agent::record::get_records;
use crate::agent::snapshot::{WAITING, credentials, receive, send, unasked};
use crate::domain::backup::{Compression, Manifest, Moment, Schedule, Settings, stamp, surplus};
use crate::domain::consumers::Consumers;
use crate::remote::etcd::{Api, CoverKey, Proof, StatusResponse};

/// A step of reading.
const CHUNK: usize = 64 << 10;
/// Of Zstandard: its own default, which keeps up with a disk.
const LEVEL: i32 = 3;

/// What became of a snapshot.
#[derive(Debug)]
pub(super) enum Outcome {
    Kept(Box<Manifest>),
    /// Another host has one of this slot.
    Elsewhere,
}

/// A member, as it says itself.
pub(super) struct Voter {
    pub(super) api: Api,
    pub(super) status: StatusResponse,
}

/// Asks the member on this host.
pub(super) async fn ask(root: &Arc<Root>, settings: &Settings) -> Result<Voter, Fault> {
    let member = &settings.member;
    let (at, paths) = (
        Arc::clone(root),
        [&member.authority, &member.certificate, &member.key].map(String::clone),
    );
    let read = move || credentials(&at, [&paths[0], &paths[1], &paths[2]].map(String::as_bytes));
    let credentials = blocking(read).await?;
    let (stream, address) = forward::connect(&member.endpoint).await?;
    let api = Api::open(stream, address.ip(), &credentials).await;
    let api = api.map_err(|it| unasked(&member.endpoint, it))?;
    let status = api.status().await.map_err(|it| unasked(&member.endpoint, it))?;
    Ok(Voter { api, status })
}

/// Takes the snapshot of a slot, or one beside the schedule.
///
/// # Guarantees
/// What is kept has a right digest, pages that hold together, and every change that a quorum had at the beginning.
/// Of a slot one host at most keeps one, unless the cluster takes no note of it. What was kept stays until there is more
/// than is wished, and a newer one is verified.
pub(super) async fn take(
    root: &Arc<Root>,
    settings: &Settings,
    schedule: &Schedule,
    slot: Option<Moment>,
    ending: Option<watch::Receiver<bool>>,
) -> Result<Outcome, Fault> {
    let endpoint = &settings.member.endpoint;
    let Voter { api, status } = ask(root, settings).await?;
    if status.is_learner {
        return Err(Fault::Refused(format!("{endpoint} is a learner, whose data may be old")));
    }
    let key = CoverKey::of(&settings.name);
    // A linearizable read: a quorum is there, and this is what it had.
    let before = api.cover(&key).await.map_err(|it| unasked(endpoint, it))?;
    let taken = clock::seconds();
    let manifest = Manifest {
        name: format!("{}{}", settings.prefix(), stamp(slot.unwrap_or(taken))),
        cluster: settings.cluster.name.clone(),
        cluster_resource: settings.cluster.resource.clone(),
        cluster_id: format!("{:x}", status.header.map(|it| it.cluster).unwrap_or_default()),
        backup: settings.name.clone(),
        member: settings.member.name.clone(),
        slot,
        taken,
        etcd_version: status.version.clone(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        compression: settings.compression,
        encryption_keys: encryption_keys(root, settings).await?,
        ..Manifest::empty()
    };
    let path = HostPath::parse(settings.directory.as_bytes())?;
    let size = u64::try_from(status.db_size).unwrap_or_default();
    let (at, name) = (Arc::clone(root), manifest.name.clone());
    let begin = move || {
        let shelf = Shelf::make(&at, &path)?;
        let part = shelf.part(&format!("{name}.raw"), size)?;
        Ok((shelf, part))
    };
    let (shelf, part) = blocking(begin).await?;
    let (sender, parts) = mpsc::channel(WAITING);
    let sending = send(&api, endpoint, sender, ending);
    let (at, least) = (Arc::clone(root), before.revision);
    let filling = blocking(move || {
        let name = manifest.name.clone();
        let (size, facts) = receive(&part, parts, &name, least)?;
        let manifest = Manifest { database_size: size, revision: facts.revision, ..manifest };
        store(&at, &shelf, part, manifest).map(|it| (shelf, it))
    });
    let (sent, kept) = tokio::join!(sending, filling);
    // What broke off on its way is damaged too. A disk that is full is no fault of the member.
    sent?;
    let (shelf, manifest) = kept?;
    // It is noted once the store has it: until then another host is welcome to take one.
    let is_elsewhere =
        settings.store.is_none() && !note(root, settings, &manifest).await && slot.is_some();
    let (at, settings, schedule) = (Arc::clone(root), settings.clone(), schedule.clone());
    let rest = move || {
        let mut all = shelf.list(&at, (&settings.cluster.name, &settings.name))?;
        if is_elsewhere {
            all.retain(|it| it.name == manifest.name);
            all.iter().try_for_each(|it| shelf.forget(it))?;
            return Ok(Outcome::Elsewhere);
        }
        surplus(&settings.retention, &schedule, &all).try_for_each(|it| shelf.forget(it))?;
        Ok(Outcome::Kept(Box::new(manifest)))
    };
    blocking(rest).await
}

/// As this host remembers who uses the cluster. What it does not know or cannot read it does not tell.
async fn encryption_keys(
    root: &Arc<Root>,
    settings: &Settings,
) -> Result<BTreeMap<String, String>, Fault> {
    let (at, name) = (Arc::clone(root), Consumers::record(&settings.cluster.name));
    let records = blocking(move || get_records(&at, &[name])).await?;
    let known =
        records.first().and_then(|it| serde_json::from_slice::<Consumers>(&it.content).ok());
    Ok(known.unwrap_or_default().encryption_keys())
}

/// Says in the cluster that there is this one. False: there was one of its moment, or a later one. What the cluster takes
/// no note of counts all the same: one too many is better than none.
pub(super) async fn note(root: &Arc<Root>, settings: &Settings, manifest: &Manifest) -> bool {
    cover(root, settings, manifest.covers()).await.unwrap_or_else(|fault| {
        tell(&format!("the cluster takes no note of {}: {}", manifest.name, chain(&fault)));
        true
    })
}

async fn cover(root: &Arc<Root>, settings: &Settings, until: Moment) -> Result<bool, Fault> {
    let key = &CoverKey::of(&settings.name);
    let said = |it| unasked(&settings.member.endpoint, it);
    // Anew: much may have happened to the connection while the data came.
    let api = ask(root, settings).await?.api;
    loop {
        let found = api.cover(key).await.map_err(said)?;
        if found.until.is_some_and(|it| until <= it) {
            return Ok(false);
        }
        if api.set_cover(key, found, until).await.map_err(said)? {
            return Ok(true);
        }
    }
}

/// Puts what was proven where it counts.
fn store(root: &Root, shelf: &Shelf, raw: Part, manifest: Manifest) -> Result<Manifest, Fault> {
    let failed = |doing: &'static str| {
        let name = manifest.name.clone();
        move |it: io::Error| Fault::failed(format!("{doing} {name}"))(it)
    };
    let part = match manifest.compression {
        Compression::None => raw,
        Compression::Zstd => {
            let part = shelf.part(&manifest.name, 0)?;
            let from = raw.rewound().map_err(failed("read"))?;
            compress(from, part.file(), manifest.database_size).map_err(failed("compress"))?;
            part
        }
    };
    let mut stored = Hashing::new(part.rewound().map_err(failed("read"))?);
    // As it lies there now.
    prove(&mut stored, manifest.compression).map_err(failed("read back"))?;
    let (sha256, size) = stored.finish().map_err(failed("read back"))?;
    let manifest = Manifest { sha256: hex(&sha256), size, ..manifest };
    shelf.keep(root, &part, &manifest)?;
    Ok(manifest)
}

fn compress(mut from: &File, to: &File, size: u64) -> io::Result<()> {
    let mut encoder = zstd::stream::write::Encoder::new(to, LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(size))?;
    copy(&mut from, |part| encoder.write_all(part))?;
    encoder.finish().map(drop)
}

/// Whether what is stored is a snapshot, by the digest at its end.
fn prove(stored: &mut impl Read, compression: Compression) -> io::Result<()> {
    let mut proof = Proof::default();
    unpack(stored, compression, |part| {
        proof.push(part);
        Ok(())
    })?;
    proof.finish().map(drop).map_err(io::Error::other)
}

/// Hands on what was stored, part by part, as it was before it was compressed.
pub(in crate::agent) fn unpack(
    stored: &mut impl Read,
    compression: Compression,
    to: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    match compression {
        Compression::None => copy(stored, to),
        Compression::Zstd => copy(&mut zstd::stream::read::Decoder::new(stored)?, to),
    }
}

/// Hands on what is read, part by part.
fn copy(from: &mut impl Read, mut to: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => to(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Hashes and counts what is read.
pub(in crate::agent) struct Hashing<R> {
    reader: R,
    digest: Sha256,
    size: u64,
}

impl<R: Read> Hashing<R> {
    pub(in crate::agent) fn new(reader: R) -> Self {
        Self { reader, digest: Sha256::new(), size: 0 }
    }

    /// With what nobody has read.
    pub(in crate::agent) fn finish(mut self) -> io::Result<([u8; 32], u64)> {
        copy(&mut self, |_| Ok(()))?;
        Ok((self.digest.finalize().into(), self.size))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        self.digest.update(&into[..read]);
        self.size += read as u64;
        Ok(read)
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    spawn_blocking(work).await.map_err(Fault::failed("finish the work"))?
}

/// For the log of the service.
pub(super) fn tell(text: &str) {
    // There is nobody else to tell.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use super::*;
    use crate::domain::backup::pages::snapshot;

    #[test]
    fn what_is_stored_is_read_back_and_a_flipped_bit_is_found() {
        for compression in [Compression::None, Compression::Zstd] {
            let folder = tempfile::tempdir().unwrap();
            let root = Root::open(Some(folder.path())).unwrap();
            let shelf = Shelf::make(&root, &HostPath::parse(b"/b").unwrap()).unwrap();
            let raw = shelf.part("p.n.1.raw", 0).unwrap();
            raw.file().write_all(&snapshot()).unwrap();
            let manifest = Manifest {
                name: "p.n.1".to_owned(),
                compression,
                database_size: snapshot().len() as u64,
                ..Manifest::empty()
            };
            let kept = store(&root, &shelf, raw, manifest).unwrap();
            let file = folder.path().join("b").join(kept.file());
            let bytes = std::fs::read(&file).unwrap();
            assert_eq!(kept.size, bytes.len() as u64);
            assert_eq!(kept.sha256, hex(&Sha256::digest(&bytes)));
            prove(&mut &bytes[..], compression).unwrap();
            for at in (0..bytes.len()).step_by(37) {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << (at % 8);
                // A bit that means nothing to Zstandard may be flipped; then the digest of the file is another.
                let is_same = prove(&mut &damaged[..], compression).is_ok();
                assert!(!is_same || hex(&Sha256::digest(&damaged)) != kept.sha256);
                assert!(!is_same || compression == Compression::Zstd, "at {at}");
            }
            prove(&mut &bytes[..bytes.len() / 2], compression).unwrap_err();
        }
    }
}
