//! The agent as a child process, and a client on its standard input and output.

#[path = "connection.rs"]
mod connection;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use terraform_provider_ha::proto::agent::agent_client::AgentClient;
use terraform_provider_ha::proto::agent::lock_reply::Outcome;
use terraform_provider_ha::proto::agent::{Claim, HelloRequest, LockRequest};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use self::connection::Connection;

const NONCE: &str = "0123456789abcdef";
const LONG: Duration = Duration::from_secs(20);

/// A running agent and its client. The process is killed when this is dropped.
pub(crate) struct Agent {
    pub(crate) process: Child,
    pub(crate) client: AgentClient<Connection>,
}

impl Agent {
    /// An agent for a host in a directory, after its hello.
    pub(crate) async fn start(root: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ha-agent"))
            .args(["serve", "--nonce", NONCE, "--root"])
            .arg(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = process.stdout.take().unwrap();
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.push(timeout(LONG, output.read_u8()).await.unwrap().unwrap());
        }
        let stream = tokio::io::join(output, process.stdin.take().unwrap());
        let mut client = Connection::client(stream).await;
        client.hello(HelloRequest { caller: "anna@desk".to_owned() }).await.unwrap();
        Self { process, client }
    }

    pub(crate) async fn lock(&mut self, name: &str) -> Claim {
        let request = LockRequest { name: name.to_owned(), generation: 0 };
        match self.client.lock(request).await.unwrap().into_inner().outcome {
            Some(Outcome::Held(claim)) => claim,
            other => panic!("no lock: {other:?}"),
        }
    }
}
