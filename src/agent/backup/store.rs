//! A bucket of S3 where snapshots lie, each with its manifest beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, MultipartUpload, ObjectStore as _, ObjectStoreExt as _, PutMode,
    PutOptions, RetryConfig,
};
use rustls::crypto::ring;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::said::{is_absent, is_not_implemented, said};
use super::take::blocking;
use crate::agent::fault::Fault;
use crate::agent::line::hex;
use crate::domain::backup::{Bucket, Found, Keys, MOST_MANIFEST, Manifest, object, together};
use crate::remote::http;

/// What is sent at once, and the most of a snapshot that is in memory: the least that S3 takes for all parts but the last
/// (Amazon S3 multipart upload limits). Ten thousand of them are more than etcd can hold.
const PART: usize = 5 << 20;
/// A part has so long to come through.
const STALL: Duration = Duration::from_mins(1);
const RETRIES: usize = 3;
const MOST_RETRYING: Duration = Duration::from_mins(1);
/// Manifests that are asked for at the same time.
const ASKED: usize = 8;

/// The bucket.
#[derive(Debug)]
pub(super) struct Store {
    objects: AmazonS3,
    bucket: Bucket,
}

/// What became of a snapshot that was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// It is there.
    Kept,
    /// Another one of the same name is there, and stays.
    Elsewhere,
}

/// All requests go by one client of our own: its TLS, its limits.
#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

impl Store {
    /// Nobody is asked yet. No keys: what the machine may do by its role.
    pub(super) fn open(bucket: Bucket, keys: Option<Keys>) -> Result<Self, Fault> {
        Self::build(bucket, keys, AmazonS3Builder::new())
    }

    fn build(bucket: Bucket, keys: Option<Keys>, begin: AmazonS3Builder) -> Result<Self, Fault> {
        let client =
            http::direct(ring::default_provider(), bucket.ca_certificate.as_deref(), STALL)
                .map_err(|fault| {
                    Fault::Invalid(format!("the bucket cannot be reached: {fault}"))
                })?;
        let retry = RetryConfig {
            max_retries: RETRIES,
            retry_timeout: MOST_RETRYING,
            ..RetryConfig::default()
        };
        let mut builder = begin
            .with_bucket_name(&bucket.name)
            .with_virtual_hosted_style_request(!bucket.path_style)
            // A bucket with a lock on its objects takes none without.
            .with_checksum_algorithm(Checksum::SHA256)
            // Not every service has it, and little is removed.
            .with_disable_bulk_delete(true)
            .with_http_connector(Connector(client))
            .with_retry(retry);
        if let Some(region) = &bucket.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &bucket.endpoint {
            builder = builder.with_endpoint(host_of(endpoint, &bucket));
        }
        if let Some(keys) = keys {
            builder =
                builder.with_access_key_id(keys.access_key).with_secret_access_key(keys.secret_key);
        }
        let objects = builder.build();
        let objects = objects.map_err(|it| Fault::Invalid(format!("the bucket: {}", said(&it))))?;
        Ok(Self { objects, bucket })
    }

    /// What lies there of a backup of a cluster, by name. An empty name is that of any.
    pub(super) async fn list(&self, of: (&str, &str)) -> Result<Vec<Found>, Fault> {
        let looking = || failed(format!("look into the bucket {}", self.bucket.name));
        // What all names begin with, as far as that is known.
        let begin = match of {
            ("", _) => String::new(),
            (cluster, "") => format!("{cluster}."),
            (cluster, backup) => format!("{cluster}.{backup}."),
        };
        let folder = match self.bucket.prefix.rsplit_once('/') {
            Some((folder, _)) => Some(path(folder)?),
            None => None,
        };
        let mut all = if begin.is_empty() {
            self.objects.list(folder.as_ref())
        } else {
            self.objects.list_with_offset(folder.as_ref(), &self.at(&begin)?)
        };
        let mut files = Vec::new();
        while let Some(it) = all.try_next().await.map_err(looking())? {
            if let Some(file) = it.location.as_ref().strip_prefix(&self.bucket.prefix) {
                files.push((file.to_owned(), it.size));
            }
        }
        let found = together(files, of).into_iter().map(async |(name, files)| {
            let beside = Manifest::beside(&name);
            let text = match files.get(&beside) {
                Some(size) if *size <= MOST_MANIFEST => self.get(&beside).await?,
                _ => None,
            };
            Ok(Found::of(name, files, text.as_deref(), object))
        });
        stream::iter(found).buffered(ASKED).try_collect().await
    }

    /// Brings a snapshot of this host, whose digest is that of its manifest.
    ///
    /// # Guarantees
    /// It counts with the last step, and none that counts is replaced. What broke off does not count.
    pub(super) async fn bring(&self, file: File, manifest: &Manifest) -> Result<Brought, Fault> {
        if let Some(other) = self.counting(&manifest.name).await? {
            return Ok(brought(&other, manifest));
        }
        let data = object(manifest);
        self.send(Arc::new(file), manifest, &data).await?;
        let text = manifest.print().map_err(|it| Fault::Refused(it.to_string()))?;
        if !self.create(&Manifest::beside(&manifest.name), text.into()).await? {
            // Somebody was faster.
            let other = self.counting(&manifest.name).await?;
            let is_other = other.as_ref().is_some_and(|it| object(it) != data);
            if is_other {
                self.remove(&data).await?;
                return Ok(Brought::Elsewhere);
            }
        }
        let counts = self.counting(&manifest.name).await?;
        counts.map(|it| brought(&it, manifest)).ok_or_else(|| {
            Fault::Refused(format!("{} is not in the bucket, which has taken it", manifest.name))
        })
    }

    /// Removes all of one snapshot.
    pub(super) async fn forget(&self, found: &Found) -> Result<(), Fault> {
        for file in found.leaving() {
            self.remove(file).await?;
        }
        Ok(())
    }

    /// A snapshot that is there, by its manifest, or why it does not count. None: there is no manifest.
    pub(super) async fn find(&self, name: &str) -> Result<Option<Found>, Fault> {
        let beside = Manifest::beside(name);
        let Some(text) = self.get(&beside).await? else { return Ok(None) };
        let manifest = Manifest::parse(&text, name)
            .map_err(|it| Fault::Refused(format!("{beside} in the bucket cannot be used: {it}")))?;
        let data = object(&manifest);
        let mut files = BTreeMap::from([(beside, text.len() as u64)]);
        match self.objects.head(&self.at(&data)?).await {
            Ok(it) => drop(files.insert(data, it.size)),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(format!("look at {data}"))(error)),
        }
        Ok(Some(Found::of(name.to_owned(), files, Some(&text), object)))
    }

    /// The same for one that is to be brought: a manifest that does not count goes.
    async fn counting(&self, name: &str) -> Result<Option<Manifest>, Fault> {
        match self.find(name).await?.map(|it| it.manifest) {
            None => Ok(None),
            Some(Ok(manifest)) => Ok(Some(manifest)),
            Some(Err(_)) => {
                self.remove(&Manifest::beside(name)).await?;
                Ok(None)
            }
        }
    }

    /// Sends the data of a snapshot on, as long as somebody takes it.
    pub(super) async fn fetch(
        &self,
        manifest: &Manifest,
        to: mpsc::Sender<Bytes>,
    ) -> Result<(), Fault> {
        let data = object(manifest);
        let reading = || failed(format!("read {data} in the bucket {}", self.bucket.name));
        let found = self.objects.get(&self.at(&data)?).await.map_err(reading())?;
        let mut parts = found.into_stream();
        while let Some(part) = parts.try_next().await.map_err(reading())? {
            if to.send(part).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// In parts, and proven once more on the way.
    async fn send(&self, file: Arc<File>, manifest: &Manifest, data: &str) -> Result<(), Fault> {
        let sending = || failed(format!("put {data} into the bucket {}", self.bucket.name));
        let at = self.at(data)?;
        let mut digest = Sha256::new();
        let first = part(&file, 0, manifest.size).await?;
        if first.len() as u64 == manifest.size {
            digest.update(&first);
            is_same(digest, manifest)?;
            return self.objects.put(&at, first.into()).await.map(drop).map_err(sending());
        }
        let mut upload = self.objects.put_multipart(&at).await.map_err(sending())?;
        let sent = async {
            let (mut part_of, mut done) = (first, 0);
            loop {
                done += part_of.len() as u64;
                digest.update(&part_of);
                upload.put_part(part_of.into()).await.map_err(sending())?;
                if done == manifest.size {
                    break;
                }
                part_of = part(&file, done, manifest.size).await?;
            }
            is_same(digest, manifest)
        };
        let sent = sent.await;
        let done = match sent {
            Ok(()) => upload.complete().await.map(drop).map_err(sending()),
            Err(fault) => Err(fault),
        };
        if done.is_err() {
            // The first fault is the one to tell. What stays of it does not count, and the service may clean up.
            let _ = upload.abort().await;
        }
        done
    }

    /// False: there is one.
    async fn create(&self, name: &str, content: Bytes) -> Result<bool, Fault> {
        let at = self.at(name)?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let putting = || failed(format!("put {name} into the bucket {}", self.bucket.name));
        match self.objects.put_opts(&at, content.clone().into(), options).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. }) => Ok(false),
            // The service knows no condition. That there was none has just been seen.
            Err(error) if is_not_implemented(&error) => {
                self.objects.put(&at, content.into()).await.map_err(putting())?;
                Ok(true)
            }
            Err(error) => Err(putting()(error)),
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, Fault> {
        let reading = || failed(format!("read {name} in the bucket {}", self.bucket.name));
        let found = match self.objects.get(&self.at(name)?).await {
            Ok(found) => found,
            Err(Error::NotFound { source, .. }) if is_absent(&*source) => {
                return Ok(None);
            }
            Err(error) => return Err(reading()(error)),
        };
        if MOST_MANIFEST < found.meta.size {
            return Err(Fault::Refused(format!("{name} is too long for a manifest")));
        }
        found.bytes().await.map(Some).map_err(reading())
    }

    async fn remove(&self, name: &str) -> Result<(), Fault> {
        match self.objects.delete(&self.at(name)?).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => {
                let doing = format!("remove {name} from the bucket {}", self.bucket.name);
                Err(failed(doing)(error))
            }
        }
    }

    fn at(&self, name: &str) -> Result<Path, Fault> {
        path(&format!("{}{name}", self.bucket.prefix))
    }
}

fn failed(doing: String) -> impl FnOnce(Error) -> Fault {
    move |error| Fault::failed(doing)(std::io::Error::other(said(&error)))
}

/// Where the service names buckets by servers, the client wants that name.
fn host_of(endpoint: &str, bucket: &Bucket) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) if !bucket.path_style => format!("{scheme}://{}.{rest}", bucket.name),
        _ => endpoint.to_owned(),
    }
}

fn path(text: &str) -> Result<Path, Fault> {
    Path::parse(text).map_err(|_| Fault::Invalid(format!("{text:?} can be the name of no object")))
}

fn brought(found: &Manifest, own: &Manifest) -> Brought {
    if found == own { Brought::Kept } else { Brought::Elsewhere }
}

fn is_same(digest: Sha256, manifest: &Manifest) -> Result<(), Fault> {
    if hex(&digest.finalize()) == manifest.sha256 {
        return Ok(());
    }
    let name = &manifest.name;
    Err(Fault::Refused(format!("{name} is damaged on this host: its digest is another")))
}

/// A part of a file, from there on.
async fn part(file: &Arc<File>, from: u64, size: u64) -> Result<Bytes, Fault> {
    let file = Arc::clone(file);
    let length = usize::try_from(size.saturating_sub(from)).unwrap_or(usize::MAX).min(PART);
    blocking(move || {
        let mut buffer = vec![0; length];
        file.read_exact_at(&mut buffer, from).map_err(Fault::failed("read a snapshot"))?;
        Ok(buffer.into())
    })
    .await
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test serves on a loopback port")]
mod tests {
    use std::io::Write as _;
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A service that answers as it is told, and what it was asked: the heads, and names of bodies that were put.
    async fn service(answer: fn(&str) -> (u16, &'static str)) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heads = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut text = Vec::new();
                while !text.ends_with(b"\r\n\r\n") {
                    text.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(text).unwrap();
                let length = head.lines().find_map(|it| it.strip_prefix("content-length: "));
                let mut body = vec![0; length.map_or(0, |it| it.parse().unwrap())];
                stream.read_exact(&mut body).await.unwrap();
                let (status, content) = answer(&head);
                // A HEAD has the length of what a GET would have.
                let length = if head.starts_with("HEAD") { 4 } else { content.len() };
                let head_of = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\netag: \"x\"\r\nconnection: close\r\n\r\n"
                );
                heads.lock().unwrap().push(head);
                let _ = stream.write_all(format!("{head_of}{content}").as_bytes()).await;
            }
        });
        (at, asked)
    }

    fn bucket(at: &str) -> Bucket {
        let (name, endpoint) = ("b".to_owned(), Some(at.to_owned()));
        Bucket { name, endpoint, path_style: true, prefix: "x/".to_owned(), ..Bucket::default() }
    }

    #[tokio::test]
    async fn a_machine_is_asked_for_what_its_role_may_do() {
        let (at, asked) = service(|head| match head.split(' ').nth(1).unwrap() {
            "/latest/api/token" => (200, "token"),
            "/latest/meta-data/iam/security-credentials/" => (200, "role"),
            "/latest/meta-data/iam/security-credentials/role" => (
                200,
                "{\"Code\": \"Success\", \"Type\": \"AWS-HMAC\", \"AccessKeyId\": \"of-the-role\", \
                 \"SecretAccessKey\": \"hunter2\", \"Token\": \"t\", \
                 \"LastUpdated\": \"2026-01-01T00:00:00Z\", \"Expiration\": \"2100-01-01T00:00:00Z\"}",
            ),
            _ => (404, "<Error><Code>NoSuchKey</Code></Error>"),
        })
        .await;
        let begin = AmazonS3Builder::new().with_metadata_endpoint(&at);
        let store = Store::build(bucket(&at), None, begin).unwrap();
        assert_eq!(store.find("p.n.1").await.unwrap(), None);
        let asked = asked.lock().unwrap().clone();
        let last = asked.last().unwrap();
        assert!(last.starts_with("GET /b/x/p.n.1.json "), "{last}");
        assert!(last.contains("Credential=of-the-role/") && !last.contains("hunter2"), "{last}");
    }

    #[tokio::test]
    async fn a_service_without_conditions_is_asked_before() {
        let (at, asked) = service(|head| {
            if head.starts_with("PUT") && head.contains("if-none-match: *") {
                (501, "<Error><Code>NotImplemented</Code></Error>")
            } else if head.starts_with("GET") {
                (404, "<Error><Code>NoSuchKey</Code></Error>")
            } else {
                (200, "")
            }
        })
        .await;
        let text = |it: &str| it.to_owned();
        let keys = Keys { access_key: text("hunter2"), secret_key: text("hunter3") };
        let store = Store::open(bucket(&at), Some(keys)).unwrap();
        let sha256 = hex(&Sha256::digest(b"data"));
        let manifest = Manifest { name: text("p.n.1"), size: 4, sha256, ..Manifest::empty() };
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"data").unwrap();
        // It has taken the manifest, and says that there is none: that is no success.
        let said = store.bring(file.try_clone().unwrap(), &manifest).await.unwrap_err();
        let said = tonic::Status::from(said).message().to_owned();
        assert_eq!(said, "p.n.1 is not in the bucket, which has taken it");
        let line = |it: &String| it.lines().next().unwrap().to_owned();
        let mut lines: Vec<_> = asked.lock().unwrap().iter().map(line).collect();
        // A refusal that sounds like a fault of the service is tried again.
        lines.dedup();
        let data = object(&manifest);
        let expected = [
            text("GET /b/x/p.n.1.json HTTP/1.1"),
            format!("PUT /b/x/{data} HTTP/1.1"),
            text("PUT /b/x/p.n.1.json HTTP/1.1"),
            text("GET /b/x/p.n.1.json HTTP/1.1"),
        ];
        assert_eq!(lines, expected);

        // What is damaged on its host is not brought at all.
        let before = asked.lock().unwrap().len();
        let manifest = Manifest { sha256: hex(&Sha256::digest(b"dada")), ..manifest };
        let said = store.bring(file, &manifest).await.unwrap_err();
        let said = tonic::Status::from(said).message().to_owned();
        assert_eq!(said, "p.n.1 is damaged on this host: its digest is another");
        assert_eq!(asked.lock().unwrap().len(), before + 1);
    }

    #[test]
    fn buckets_are_named_by_servers_or_by_paths() {
        let at = |path_style| Bucket { path_style, ..bucket("https://s3.example") };
        assert_eq!(host_of("https://s3.example", &at(false)), "https://b.s3.example");
        assert_eq!(host_of("https://s3.example", &at(true)), "https://s3.example");
    }
}
