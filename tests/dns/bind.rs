//! BIND as a child process: its own directory, its own key, a high port of 127.0.0.1 or `::1`.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use terraform_provider_ha::remote::dns::{
    Algorithm, Answer, Change, Client, Fault, Key, Name, Question, RData, RecordType, Server,
    Settings, Transport, Update, Updated, ask,
};

/// Long enough for a busy machine: a server that takes longer does not come up.
const LIMIT: Duration = Duration::from_secs(20);

/// Each has a key of its name beside `ha`, with the same secret, which may change the zone too.
pub(crate) const ALGORITHMS: [&str; 5] =
    ["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha1", "hmac-md5"];

/// A running server.
pub(crate) struct Bind {
    pub(crate) server: Server,
    /// In base64, as `tsig-keygen` has made it.
    pub(crate) secret: String,
    settings: Settings,
    directory: TempDir,
    child: Child,
}

/// What is special about a server.
#[derive(Clone, Copy, Default)]
pub(crate) struct Special<'a> {
    /// Gets the zone from this one.
    pub(crate) primary: Option<&'a Bind>,
    /// Where its secondary will be, which it tells of changes.
    pub(crate) secondary: Option<u16>,
    /// The file of its zone is not readable.
    pub(crate) is_broken: bool,
}

/// The program, or why it is left out.
fn named() -> Option<&'static Path> {
    let found = ["/usr/sbin/named", "/usr/local/sbin/named"].map(Path::new);
    let found = found.into_iter().find(|it| it.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "named is not installed: run scripts/setup");
        eprintln!("left out: named is not installed; `scripts/setup` installs it");
    }
    found
}

/// A port that nobody uses at `address`, by UDP nor by TCP.
pub(crate) fn free_port(address: IpAddr) -> u16 {
    (0..100)
        .find_map(|_| {
            let port = TcpListener::bind((address, 0)).ok()?.local_addr().ok()?.port();
            UdpSocket::bind((address, port)).ok()?;
            Some(port)
        })
        .expect("a port is free")
}

/// Whether there is a second address of this machine for a second name server.
pub(crate) fn has_ipv6() -> bool {
    let has = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        assert!(std::env::var_os("CI").is_none(), "there is no ::1 for a second server");
        eprintln!("left out: there is no ::1 for a second name server");
    }
    has
}

impl Bind {
    /// A primary of `example.test`, if BIND is installed.
    pub(crate) fn start() -> Option<Self> {
        Self::with(Special::default())
    }

    /// A server that is special, if BIND is installed. A secondary is at `::1`.
    pub(crate) fn with(special: Special<'_>) -> Option<Self> {
        let address = match special.primary {
            Some(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
            None => Ipv4Addr::LOCALHOST.into(),
        };
        named()?;
        // Between the choice of a port and its use another process may have taken it: then BIND ends at once.
        (0..10).find_map(|_| Self::at(address, free_port(address), special))
    }

    /// The same at a port. None also when it is taken.
    pub(crate) fn at(address: IpAddr, port: u16, special: Special<'_>) -> Option<Self> {
        let program = named()?;
        let directory = tempfile::tempdir().unwrap();
        let secret = special.primary.map_or_else(|| keygen("ha"), |it| it.secret.clone());
        let configuration = configuration(address, port, &secret, special);
        fs::write(directory.path().join("named.conf"), configuration).unwrap();
        fs::write(directory.path().join("zone"), zone(special.is_broken)).unwrap();
        let mut command = Command::new(program);
        // Alone in the foreground, on one thread, with its log in its directory.
        command.args(["-f", "-n", "1", "-c", "named.conf", "-L", "log"]);
        command.current_dir(directory.path()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|err| panic!("{command:?}: {err}"));
        let server = Server { address: address.to_string(), port };
        let raw = BASE64_STANDARD.decode(&secret).unwrap();
        let settings = Settings {
            servers: vec![server.clone()],
            key: Some(Key::new("ha", Algorithm::Sha256, raw).unwrap()),
            transport: Transport::Udp,
            timeout: Duration::from_millis(500),
            retries: 3,
        };
        let mut bind = Self { server, secret, settings, directory, child };
        let began = Instant::now();
        while !bind.answers(special.is_broken) {
            if bind.child.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(began.elapsed() < LIMIT, "it does not answer:\n{}", bind.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(bind)
    }

    fn answers(&self, is_broken: bool) -> bool {
        match self.ask("ns1", "A") {
            Ok(answer) => is_broken || !answer.data.is_empty(),
            Err(Fault::Answered(_)) => is_broken,
            Err(_) => false,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn ask(&self, name: &str, ty: &str) -> Result<Answer, Fault> {
        let question = Question { name: whole(name), ty: ty.parse().unwrap() };
        let by = tokio::time::Instant::now() + Duration::from_secs(2);
        block_on(ask(&self.server, &self.settings, &question, by))
    }

    /// `30: 10.0.0.1 10.0.0.2`; `-` for none.
    #[track_caller]
    pub(crate) fn shows(&self, name: &str, ty: &str) -> String {
        let answer = self.ask(name, ty).unwrap();
        let Some(ttl) = answer.ttl else { return "-".to_owned() };
        let mut data: Vec<_> = answer.data.iter().map(ToString::to_string).collect();
        data.sort();
        format!("{ttl}: {}", data.join(" "))
    }

    /// Somebody else puts these records in place of what there is; none remove it.
    #[track_caller]
    pub(crate) fn put(&self, name: &str, ty: &str, ttl: u32, data: &[&str]) {
        Self::put_with(&self.settings, name, ty, ttl, data);
    }

    /// The same with another key of [`ALGORITHMS`].
    #[track_caller]
    pub(crate) fn put_signed(&self, algorithm: &str, name: &str, ty: &str, data: &[&str]) {
        let raw = BASE64_STANDARD.decode(&self.secret).unwrap();
        let key = Key::new(algorithm, Algorithm::named(algorithm).unwrap(), raw).unwrap();
        let settings = Settings { key: Some(key), ..self.settings.clone() };
        Self::put_with(&settings, name, ty, 30, data);
    }

    #[track_caller]
    fn put_with(settings: &Settings, name: &str, ty: &str, ttl: u32, data: &[&str]) {
        let record_type: RecordType = ty.parse().unwrap();
        let mut changes = vec![Change::Remove(whole(name), record_type)];
        let data = data.iter().map(|it| RData::try_from_str(record_type, it).unwrap());
        changes.extend(data.map(|it| Change::Add(whole(name), ttl, it)));
        let zone = Name::from_ascii("example.test.").unwrap();
        let update = Update { zone, prerequisites: Vec::new(), changes };
        let by = tokio::time::Instant::now() + Duration::from_secs(5);
        let updated = block_on(Client::new(settings).update(&update, by));
        assert_eq!(updated.unwrap(), Updated::Done);
    }

    /// Freezes it, so that it is there and says nothing.
    pub(crate) fn freeze(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    pub(crate) fn thaw(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        // SIGKILL ends a frozen one too; there is nothing that is worth keeping.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn whole(name: &str) -> Name {
    let text =
        if name == "@" { "example.test.".to_owned() } else { format!("{name}.example.test.") };
    Name::from_ascii(text).unwrap()
}

/// A new secret in base64.
pub(crate) fn keygen(name: &str) -> String {
    let output = Command::new("/usr/sbin/tsig-keygen").args(["-a", "hmac-sha256", name]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    text.split("secret \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn configuration(address: IpAddr, port: u16, secret: &str, special: Special<'_>) -> String {
    let (v4, v6) = match address {
        IpAddr::V4(_) => ("127.0.0.1", "none"),
        IpAddr::V6(_) => ("none", "::1"),
    };
    let others = ALGORITHMS
        .map(|it| format!("key \"{it}\" {{ algorithm {it}; secret \"{secret}\"; }};"))
        .join("\n");
    let mut text = format!(
        r#"
        options {{
            directory "."; listen-on port {port} {{ {v4}; }}; listen-on-v6 port {port} {{ {v6}; }};
            pid-file none; lock-file none; session-keyfile none; recursion no; dnssec-validation no;
            allow-transfer {{ key "ha"; }}; notify explicit; minimal-responses yes; max-refresh-time 3600;
        }};
        controls {{ }};
        key "ha" {{ algorithm hmac-sha256; secret "{secret}"; }};
        {others}
        key "reader" {{ algorithm hmac-sha256; secret "{secret}"; }};
        "#
    );
    let zone = match special {
        Special { primary: Some(primary), .. } => format!(
            "type secondary; file \"copy\"; allow-notify {{ any; }}; primaries {{ 127.0.0.1 port {} key \"ha\"; }};",
            primary.server.port
        ),
        Special { secondary, .. } => {
            let notified = secondary.map(|it| format!("also-notify {{ ::1 port {it}; }};"));
            let notified = notified.unwrap_or_default();
            let allowed = ALGORITHMS.map(|it| format!("key \"{it}\";")).join(" ");
            format!(
                "type primary; file \"zone\"; allow-update {{ key \"ha\"; {allowed} }}; notify-delay 0; {notified}"
            )
        }
    };
    writeln!(text, "zone \"example.test\" {{ {zone} }};").unwrap();
    text
}

fn zone(is_broken: bool) -> String {
    let soa = if is_broken { "@ SOA what is this" } else { "@ SOA ns1 admin 1 3600 600 86400 5" };
    format!(
        "$ORIGIN example.test.\n$TTL 60\n{soa}\n@ NS ns1\n@ NS ns2\nns1 A 127.0.0.1\nns2 AAAA ::1\n"
    )
}
