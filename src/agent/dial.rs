//! Whether packets of this host reach others.
#![expect(clippy::disallowed_methods, reason = "opens sockets")]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fault::Fault;
use crate::proto::agent::dialled::Outcome;
use crate::proto::agent::{DialReply, DialRequest, Dialled};

/// The kernel sends a first packet four times until then, so a few lost ones are no silence.
const LIMIT: Duration = Duration::from_secs(10);
const MOST: usize = 64;

/// Dials all of them at the same time.
pub(super) async fn dial(request: DialRequest) -> Result<DialReply, Fault> {
    if MOST < request.targets.len() {
        return Err(Fault::Invalid(format!("at most {MOST} targets are dialled at a time")));
    }
    let mut dialling = JoinSet::new();
    for (at, target) in request.targets.iter().enumerate() {
        let address: SocketAddr = target
            .parse()
            .map_err(|_| Fault::Invalid(format!("{target:?} is not an IP address with a port")))?;
        dialling.spawn(async move { (at, reach(address).await) });
    }
    let unheard = |target: String| Dialled { target, ..Dialled::default() };
    let mut dialled: Vec<_> = request.targets.into_iter().map(unheard).collect();
    while let Some(reached) = dialling.join_next().await {
        if let Ok((at, (outcome, error))) = reached
            && let Some(it) = dialled.get_mut(at)
        {
            (it.outcome, it.error) = (outcome.into(), error);
        }
    }
    Ok(DialReply { dialled })
}

async fn reach(address: SocketAddr) -> (Outcome, String) {
    let connected = timeout(LIMIT, TcpStream::connect(address)).await;
    match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(_) => (Outcome::Open, String::new()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            (Outcome::Refused, String::new())
        }
        Err(error) => (Outcome::Silent, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
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
        let reply = dial(DialRequest { targets: targets.clone() }).await.unwrap();
        let found: Vec<_> = reply.dialled.iter().map(|it| (&it.target, it.outcome())).collect();
        let outcomes = [Outcome::Open, Outcome::Refused, Outcome::Silent];
        assert_eq!(found, targets.iter().zip(outcomes).collect::<Vec<_>>());
        assert!(!reply.dialled[2].error.is_empty());
    }

    #[tokio::test]
    async fn what_is_no_target_is_refused() {
        for targets in [vec!["localhost:1".to_owned()], vec!["127.0.0.1:1".to_owned(); MOST + 1]] {
            let refused = dial(DialRequest { targets }).await;
            assert!(matches!(refused, Err(Fault::Invalid(_))));
        }
    }
}
