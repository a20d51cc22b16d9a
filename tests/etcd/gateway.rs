//! An object store of real versitygw over a directory, behind a way that can be cut.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use terraform_provider_ha::domain::backup::{Bucket, Keys};
use terraform_provider_ha::proto::agent::ObjectStore;

use crate::binaries::binaries;
use crate::local::Local;

const VERSION: &str = "1.8.0";
pub(crate) const BUCKET: &str = "backups";
pub(crate) const ACCESS: &str = "hunter2-access-of-the-store";
pub(crate) const SECRET: &str = "hunter2-secret-of-the-store";

pub(crate) struct Gateway {
    program: PathBuf,
    folder: PathBuf,
    behind: SocketAddr,
    front: SocketAddr,
    certificate: PathBuf,
    key: PathBuf,
    running: Mutex<Option<Child>>,
    /// How many bytes still come through to the store.
    left: Arc<AtomicI64>,
}

impl Gateway {
    /// None: there is no program, and that is said.
    pub(crate) fn new(on: &Local) -> Option<Self> {
        let home = binaries("versitygw", VERSION)?;
        let (behind, front) = ((on.number(200), 7070).into(), (on.number(201), 7070).into());
        let front: SocketAddr = front;
        let made = rcgen::generate_simple_self_signed([front.ip().to_string()]).unwrap();
        let (certificate, key) = (on.path("store.crt"), on.path("store.key"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let folder = on.path("store");
        fs::create_dir_all(folder.join(BUCKET)).unwrap();
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let found = Self {
            program: home.join("versitygw"),
            folder,
            behind,
            front,
            certificate,
            key,
            running: Mutex::new(None),
            left: Arc::clone(&left),
        };
        let listener = TcpListener::bind(front).unwrap();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                pass(&client, behind, &left);
            }
        });
        found.start();
        Some(found)
    }

    pub(crate) fn start(&self) {
        let child = Command::new(&self.program)
            .args(["--quiet", "--port", &self.behind.to_string()])
            .arg("--cert")
            .arg(&self.certificate)
            .arg("--key")
            .arg(&self.key)
            .arg("posix")
            .arg(&self.folder)
            .env("ROOT_ACCESS_KEY", ACCESS)
            .env("ROOT_SECRET_KEY", SECRET)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        *self.running.lock().unwrap() = Some(child);
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.behind).is_err() {
            assert!(Instant::now() < until, "the store does not start");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// As a machine that loses its power.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.running.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets so many bytes through to the store, and then nothing more.
    pub(crate) fn cut_after(&self, bytes: i64) {
        self.left.store(bytes, Ordering::SeqCst);
    }

    pub(crate) fn mend(&self) {
        self.left.store(i64::MAX, Ordering::SeqCst);
    }

    /// Of the provider block.
    pub(crate) fn settings(&self) -> String {
        format!(
            "s3 = {{ bucket = \"{BUCKET}\", endpoint = \"https://{}\", path_style = true, prefix = \"etcd/\", \
             ca_certificate = file(\"{}\") }}",
            self.front,
            self.certificate.display()
        )
    }

    /// The same as an agent is told it.
    pub(crate) fn message(&self) -> ObjectStore {
        let bucket = Bucket {
            name: BUCKET.to_owned(),
            endpoint: Some(format!("https://{}", self.front)),
            path_style: true,
            prefix: "etcd/".to_owned(),
            ca_certificate: Some(fs::read_to_string(&self.certificate).unwrap()),
            region: None,
        };
        let keys = Keys { access_key: ACCESS.to_owned(), secret_key: SECRET.to_owned() };
        let (bucket, keys) = (bucket.print().unwrap(), keys.print().unwrap());
        ObjectStore { bucket: bucket.into(), keys: keys.into() }
    }

    /// Where the bucket lies.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.folder.join(BUCKET)
    }

    /// The objects in it, by name.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        files(&self.bucket().join("etcd"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

/// All files below a directory.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(it) if it.is_dir() => found.extend(files(&entry.path())),
            Ok(it) if it.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    found
}

fn pass(client: &TcpStream, to: SocketAddr, left: &Arc<AtomicI64>) {
    let Ok(server) = TcpStream::connect(to) else { return };
    if left.load(Ordering::SeqCst) <= 0 {
        return;
    }
    let ends = |it: &TcpStream| it.try_clone().unwrap();
    let (from, into, left) = (ends(client), ends(&server), Arc::clone(left));
    thread::spawn(move || {
        let limited = |read: usize| {
            let read = i64::try_from(read).unwrap();
            read <= left.fetch_sub(read, Ordering::SeqCst)
        };
        copy(&from, &into, limited);
    });
    let (from, into) = (server, ends(client));
    thread::spawn(move || copy(&from, &into, |_| true));
}

/// Until one of them ends, or no more may come.
fn copy(mut from: &TcpStream, mut into: &TcpStream, may: impl Fn(usize) -> bool) {
    let mut buffer = vec![0; 64 << 10];
    let mut step = || -> io::Result<bool> {
        let read = from.read(&mut buffer)?;
        let goes_on = read > 0 && may(read);
        if goes_on {
            into.write_all(&buffer[..read])?;
        }
        Ok(goes_on)
    };
    while step().unwrap_or(false) {}
    let _ = from.shutdown(Shutdown::Both);
    let _ = into.shutdown(Shutdown::Both);
}
