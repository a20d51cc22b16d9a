//! Whether packets of this host reach others, and whether members of etcd are there.
#![expect(clippy::disallowed_methods, reason = "opens sockets")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::change::Host;
use super::fault::{Fault, chain};
use super::snapshot::credentials;
use crate::proto::agent::dialled::Outcome;
use crate::proto::agent::{DialReply, DialRequest, Dialled};
use crate::remote::etcd::{Api, CallError, Credentials};

/// The kernel sends a first packet four times until then, so a few lost ones are no silence.
const LIMIT: Duration = Duration::from_secs(10);
const MOST: usize = 64;

/// Dials all of them at the same time.
pub(super) async fn dial(host: &Arc<Host>, request: DialRequest) -> Result<DialReply, Fault> {
    let DialRequest { targets, authority, certificate, key } = request;
    let known = if authority.is_empty() {
        None
    } else {
        let read = move |it: &Host| credentials(&it.root, [&authority, &certificate, &key]);
        Some(host.blocking(read).await?)
    };
    reach_all(targets, known).await
}

async fn reach_all(targets: Vec<String>, known: Option<Credentials>) -> Result<DialReply, Fault> {
    if MOST < targets.len() {
        return Err(Fault::Invalid(format!("at most {MOST} targets are dialled at a time")));
    }
    let mut dialling = JoinSet::new();
    for (at, target) in targets.iter().enumerate() {
        let address: SocketAddr = target
            .parse()
            .map_err(|_| Fault::Invalid(format!("{target:?} is not an IP address with a port")))?;
        let known = known.clone();
        dialling.spawn(async move { (at, reach(address, known.as_ref()).await) });
    }
    let unheard = |target: String| Dialled { target, ..Dialled::default() };
    let mut dialled: Vec<_> = targets.into_iter().map(unheard).collect();
    while let Some(reached) = dialling.join_next().await {
        if let Ok((at, (outcome, error))) = reached
            && let Some(it) = dialled.get_mut(at)
        {
            (it.outcome, it.error) = (outcome.into(), error);
        }
    }
    Ok(DialReply { dialled })
}

async fn reach(address: SocketAddr, known: Option<&Credentials>) -> (Outcome, String) {
    let connected = timeout(LIMIT, TcpStream::connect(address)).await;
    match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => match known {
            Some(known) => match meet(stream, address, known).await {
                Ok(()) => (Outcome::Open, String::new()),
                Err(error) => (Outcome::Unproven, chain(&error)),
            },
            None => (Outcome::Open, String::new()),
        },
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            (Outcome::Refused, String::new())
        }
        Err(error) => (Outcome::Silent, error.to_string()),
    }
}

/// That it answers us is proof for both: a member refuses whose certificate it does not know.
async fn meet(
    stream: TcpStream,
    address: SocketAddr,
    known: &Credentials,
) -> Result<(), CallError> {
    let api = Api::open(stream, address.ip(), known).await?;
    api.status().await.map(drop)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn who_listens_who_refuses_and_who_is_silent_are_three() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap().to_string();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        // No TCP goes there.
        let silent = "255.255.255.255:1".to_owned();
        let targets = vec![open, closed.to_string(), silent];
        let reply = reach_all(targets.clone(), None).await.unwrap();
        let found: Vec<_> = reply.dialled.iter().map(|it| (&it.target, it.outcome())).collect();
        let outcomes = [Outcome::Open, Outcome::Refused, Outcome::Silent];
        assert_eq!(found, targets.iter().zip(outcomes).collect::<Vec<_>>());
        assert!(!reply.dialled[2].error.is_empty());
    }

    #[cfg(feature = "provider")]
    #[tokio::test]
    async fn whoever_listens_is_no_member_yet() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"SSH-2.0-gate\r\n").await.unwrap();
        });
        let reply = reach_all(vec![gate], Some(Credentials::none().unwrap())).await.unwrap();
        assert_eq!(reply.dialled[0].outcome(), Outcome::Unproven);
        let error = &reply.dialled[0].error;
        assert!(error.starts_with("cannot connect: no TLS session comes about: "), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_target_is_refused() {
        for targets in [vec!["localhost:1".to_owned()], vec!["127.0.0.1:1".to_owned(); MOST + 1]] {
            let refused = reach_all(targets, None).await;
            assert!(matches!(refused, Err(Fault::Invalid(_))));
        }
    }
}
