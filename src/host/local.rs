//! A host that is a directory of this machine: its agent is a child process, and needs no root.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tracing::debug;

use super::connect::{ConnectError, Stream};

/// It starts within milliseconds.
const LIMIT: Duration = Duration::from_secs(10);
/// Of its first line, and of what is kept of its complaints.
const MOST: usize = 4096;

/// Starts the agent for the directory. It ends when the stream is dropped, once its current step is done.
///
/// # Errors
/// There is no such directory yet and none is to be made, or no such program, or it does not come up.
pub(super) async fn open(
    agent: &Path,
    root: &Path,
    may_make: bool,
) -> Result<impl Stream, ConnectError> {
    let refused =
        |what: String, err: io::Error| ConnectError::Refused(format!("{what}: {err}").into());
    if may_make {
        let made = tokio::fs::create_dir_all(root).await;
        made.map_err(|it| refused(format!("cannot make {}", root.display()), it))?;
    } else if !tokio::fs::try_exists(root).await.unwrap_or(true) {
        let what = format!("there is no directory {} yet", root.display());
        return Err(ConnectError::Silent(what.into()));
    }
    // The output of a child of our own has nothing before its first line.
    let nonce = format!("{:016x}", std::process::id());
    let started = Command::new(agent)
        .args(["serve", "--nonce", &nonce, "--root"])
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // An interrupt at the terminal is for the provider to hear of.
        .process_group(0)
        .current_dir("/")
        .spawn();
    let mut child =
        started.map_err(|it| refused(format!("cannot start {}", agent.display()), it))?;
    let (Some(input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(ConnectError::Refused("the agent has no pipes".into()));
    };
    let line = timeout(LIMIT, first_line(&mut output)).await;
    if !matches!(&line, Ok(Ok(line)) if line.starts_with(&format!("ha-agent {nonce} "))) {
        drop(input);
        let said = last_words(child).await;
        return Err(ConnectError::Refused(format!("the agent did not come up: {said}").into()));
    }
    tokio::spawn(async move {
        let said = last_words(child).await;
        debug!(said, "a local agent ended");
    });
    Ok(tokio::io::join(output, input))
}

async fn first_line(output: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut line = Vec::new();
    while line.len() < MOST {
        match output.read_u8().await? {
            b'\n' => break,
            byte => line.push(byte),
        }
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// The end of the process, and what it complained about.
async fn last_words(mut child: Child) -> String {
    let mut said = Vec::new();
    if let Some(errors) = child.stderr.take() {
        // What cannot be read was not said.
        let _ = errors.take(MOST as u64).read_to_end(&mut said).await;
    }
    let status = child.wait().await.map_or_else(|it| it.to_string(), |it| it.to_string());
    format!("{status} {}", String::from_utf8_lossy(&said).trim())
}
