//! Starts a plugin and calls it, as Terraform does by go-plugin.
//!
//! ```ignore
//! let mut plugin = Plugin::start(&example("bare-plugin")).await;
//! let schema = plugin.connect().await.provider().get_provider_schema(Request::default()).await;
//! plugin.shut_down().await;
//! ```

use std::env;
use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::{Pid, Signal, kill_process};
use rustls::SupportedProtocolVersion;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use terraform_provider_ha::proto::health::health_client::HealthClient;
use terraform_provider_ha::proto::plugin::Empty;
use terraform_provider_ha::proto::plugin::grpc_controller_client::GrpcControllerClient;
use terraform_provider_ha::proto::plugin::grpc_stdio_client::GrpcStdioClient;
use terraform_provider_ha::proto::tfplugin6::provider_client::ProviderClient;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::codegen::Service;

use super::identity::{Identity, tls};

/// Long enough for a busy machine: a test that waits this long has failed.
const LIMIT: Duration = Duration::from_secs(20);
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
/// As much as Terraform takes.
const MESSAGE_LIMIT: usize = 256 << 20;

/// The path of an example of this package, built from the sources as they are now.
///
/// `cargo test --test …` builds no examples, and would silently test an old one.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();

    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    BUILT.get_or_init(|| build_examples(profile.file_name().unwrap()));
    profile.join("examples").join(name)
}

fn build_examples(profile: &OsStr) {
    // Absent: the test was built elsewhere, and so were the examples.
    let Some(cargo) = env::var_os("CARGO") else { return };
    let profile = if profile == "debug" { OsStr::new("dev") } else { profile };
    let mut build = std::process::Command::new(cargo);
    build.args(["build", "--quiet", "--examples", "--profile"]).arg(profile);
    // Set for tests alone. The build script of ring watches it, and with another value nearly everything is built anew.
    build.env_remove("CARGO_MANIFEST_DIR");
    if cfg!(feature = "agent") {
        // With other features than the test has, everything would be built a second time.
        build.arg("--all-features");
    }
    assert!(build.status().unwrap().success(), "cannot build the examples");
}

/// Waits for the end of `future`, with a bound.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(done) = tokio::time::timeout(LIMIT, future).await else {
        panic!("{what}: still not after {LIMIT:?}");
    };
    done
}

/// Waits until `condition` holds, with a bound.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within(what, poll).await;
}

/// How to start a plugin.
pub(crate) struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    identity: Option<Identity>,
    reads_stderr: bool,
}

impl Launch {
    /// As Terraform does it: cookie, versions, and a one-time certificate.
    pub(crate) fn new(plugin: &Path) -> Self {
        let identity = Identity::new();
        let launch = Self {
            program: plugin.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            identity: None,
            reads_stderr: true,
        };
        let launch = launch
            .with("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
            .with("PLUGIN_PROTOCOL_VERSIONS", "5,6")
            .with("PLUGIN_MIN_PORT", "10000")
            .with("PLUGIN_MAX_PORT", "25000")
            .with("PLUGIN_CLIENT_CERT", &identity.pem);
        Self { identity: Some(identity), ..launch }
    }

    /// Sets a variable, or overrides it.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As with `TF_DISABLE_PLUGIN_TLS`.
    pub(crate) fn without_tls(mut self) -> Self {
        self.identity = None;
        self.environment.retain(|(name, _)| name != "PLUGIN_CLIENT_CERT");
        self
    }

    /// As a human starts it: nothing in the environment.
    pub(crate) fn by_hand(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(Into::into).collect();
        self.environment.clear();
        self.identity = None;
        self
    }

    /// A shell is the parent, so that the parent can be killed.
    pub(crate) fn through_a_shell(mut self) -> Self {
        let plugin = std::mem::replace(&mut self.program, "/bin/sh".into());
        // The last command of a script would replace the shell.
        self.arguments = vec!["-c".into(), "\"$0\"; true".into(), plugin.into()];
        self
    }

    /// Nobody reads stderr, so it fills.
    pub(crate) fn with_stderr_unread(mut self) -> Self {
        self.reads_stderr = false;
        self
    }

    /// Starts the process and reads nothing yet.
    pub(crate) fn spawn(self) -> Process {
        let mut command = Command::new(&self.program);
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("TF_")) {
            command.env_remove(name);
        }
        // The socket of a plugin that is killed goes with this.
        let place = TempDir::with_prefix("plugin-").unwrap();
        let mut child = command
            .args(&self.arguments)
            .env("TMPDIR", place.path())
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = child.stderr.take().unwrap();
        let log = Arc::default();
        let unread = if self.reads_stderr {
            tokio::spawn(collect(stderr, Arc::clone(&log)));
            None
        } else {
            Some(stderr)
        };
        let identity = self.identity;
        Process { child, stdout, log, _unread: unread, identity, _place: place }
    }

    /// Starts the process and reads the handshake line.
    pub(crate) async fn start(self) -> Plugin {
        let mut process = self.spawn();
        let line = process.line().await;
        let handshake = Handshake::parse(&line);
        Plugin { process, handshake }
    }

    /// Starts the process with `--debug` and reads how to attach.
    pub(crate) async fn debug(self) -> Plugin {
        let mut process = self.by_hand(&["--debug"]).spawn();
        let line = loop {
            let line = process.line().await;
            if let Some((_, value)) = line.trim().split_once("TF_REATTACH_PROVIDERS=") {
                break value.trim_matches('\'').to_owned();
            }
        };
        let providers: serde_json::Value = serde_json::from_str(&line).unwrap();
        let socket = providers.as_object().unwrap().values().next().unwrap()["Addr"]["String"]
            .as_str()
            .unwrap()
            .into();
        Plugin { process, handshake: Handshake { line, socket, certificate: None } }
    }
}

async fn collect(mut stderr: ChildStderr, log: Arc<Mutex<String>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        log.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}

/// A process that was started, whatever it will do.
pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: Arc<Mutex<String>>,
    _unread: Option<ChildStderr>,
    /// The client's, whose certificate was announced to the plugin.
    pub(crate) identity: Option<Identity>,
    _place: TempDir,
}

impl Process {
    /// The next line of stdout; empty at its end.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = String::new();
        within("a line on stdout", self.stdout.read_line(&mut line)).await.unwrap();
        line
    }

    /// What is left on stdout, to its end: which comes once no process has it open.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = String::new();
        within("the end of stdout", self.stdout.read_to_string(&mut rest)).await.unwrap();
        rest
    }

    /// What has come on stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The exit of the process.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        within("the exit of the process", self.child.wait()).await.unwrap()
    }

    /// Sends a signal to the process that was started.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }
}

/// What the plugin said about itself.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) line: String,
    pub(crate) socket: PathBuf,
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

impl Handshake {
    fn parse(line: &str) -> Self {
        let fields: Vec<_> = line.trim_end_matches('\n').split('|').collect();
        assert!(fields.len() >= 6, "not a handshake: {line:?}");
        assert_eq!([fields[0], fields[1], fields[2], fields[4]], ["1", "6", "unix", "grpc"]);
        // As in go-plugin: what is too short to be a certificate is none.
        let certificate = (fields[5].len() > 50)
            .then(|| CertificateDer::from(STANDARD_NO_PAD.decode(fields[5]).unwrap()));
        Self { line: line.to_owned(), socket: fields[3].into(), certificate }
    }
}

/// A plugin that serves.
pub(crate) struct Plugin {
    pub(crate) process: Process,
    pub(crate) handshake: Handshake,
}

impl Plugin {
    /// Starts a plugin as Terraform does.
    pub(crate) async fn start(plugin: &Path) -> Self {
        Launch::new(plugin).start().await
    }

    /// Connects as the client that started the plugin.
    pub(crate) async fn connect(&self) -> Connection {
        self.connect_as(self.process.identity.as_ref(), &[&TLS13, &TLS12]).await.unwrap()
    }

    /// Connects as somebody, or as nobody. With TLS 1.3 a refusal may show only at the first call.
    ///
    /// # Errors
    /// The handshake of TLS or HTTP/2 failed.
    pub(crate) async fn connect_as(
        &self,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Connection, Box<dyn std::error::Error>> {
        let stream = UnixStream::connect(&self.handshake.socket).await?;
        let Some(server) = &self.handshake.certificate else {
            return Connection::over(stream).await;
        };
        let connector = TlsConnector::from(Arc::new(tls(server, identity, versions)));
        let name = "localhost".try_into()?;
        let stream = within("the TLS handshake", connector.connect(name, stream)).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        Connection::over(stream).await
    }

    /// Asks the plugin to end, closes the connection, and waits. Answers with the time from the answer to the exit.
    pub(crate) async fn shut_down(&mut self) -> Duration {
        let connection = self.connect().await;
        within("Shutdown", connection.controller().shutdown(Empty {})).await.unwrap();
        let answered = Instant::now();
        drop(connection);
        assert!(self.process.exit().await.success());
        answered.elapsed()
    }
}

/// An HTTP/2 connection, for the generated clients.
#[derive(Clone, Debug)]
pub(crate) struct Connection(http2::SendRequest<Body>);

impl Connection {
    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let http = http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = http.handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    pub(crate) fn provider(&self) -> ProviderClient<Self> {
        ProviderClient::with_origin(self.clone(), origin())
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT)
    }

    pub(crate) fn controller(&self) -> GrpcControllerClient<Self> {
        GrpcControllerClient::with_origin(self.clone(), origin())
    }

    pub(crate) fn stdio(&self) -> GrpcStdioClient<Self> {
        GrpcStdioClient::with_origin(self.clone(), origin())
    }

    pub(crate) fn health(&self) -> HealthClient<Self> {
        HealthClient::with_origin(self.clone(), origin())
    }
}

fn origin() -> http::Uri {
    http::Uri::from_static("http://localhost")
}

impl Service<http::Request<Body>> for Connection {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
