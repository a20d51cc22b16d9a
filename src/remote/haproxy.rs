//! What a running HAProxy tells and is told over its socket for orders, after its `doc/management.txt`, section 9.3.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// A process that hangs takes the connection and says nothing.
const LIMIT: Duration = Duration::from_secs(3);
/// A backend takes a few hundred bytes.
const MOST: u64 = 4 << 20;
/// Reasons for maintenance and for draining that an administrator gives (`SRV_ADMF_*` in `include/haproxy/server-t.h`).
const BY_ORDER: u32 = 0x01 | 0x08;

/// How a process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What its file has as `description`; empty: nothing.
    pub description: String,
    /// The backends of one part, by name.
    pub servers: BTreeMap<String, Server>,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it is.
    pub endpoint: SocketAddr,
    /// Whether it is given connections, as far as its checks decide.
    pub is_up: bool,
    /// Whether an order keeps connections from it.
    pub is_drained: bool,
    /// That it has now.
    pub sessions: u64,
    /// As checks say it: `UP`, `DOWN 1/2`, `DRAIN`.
    pub state: String,
    /// What came of the last check: `L7OK`, `L4TOUT`. Empty: there was none.
    pub last_check: String,
}

/// Gives orders, and what the process says to them. Several are separated by `;`.
///
/// # Errors
/// It does not answer within 3 s, or not in text.
pub async fn order(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    orders: &str,
) -> io::Result<String> {
    let asked = async {
        stream.write_all(format!("{orders}\n").as_bytes()).await?;
        let mut text = String::new();
        (&mut stream).take(MOST).read_to_string(&mut text).await?;
        Ok(text)
    };
    timeout(LIMIT, asked).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// How the process at the other end is, with the backends of the part of that name.
///
/// # Errors
/// It does not answer, or says something else.
pub async fn status(stream: impl AsyncRead + AsyncWrite + Unpin, part: &str) -> io::Result<Status> {
    let orders = format!("show info;show servers state {part};show stat {part} 4 -1");
    let text = order(stream, &orders).await?;
    read(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it says something else"))
}

/// None: an answer is missing, or has no such form.
fn read(text: &str) -> Option<Status> {
    let lines = || text.lines();
    lines().find(|it| it.starts_with("Pid: "))?;
    let description = lines().find_map(|it| it.strip_prefix("description: ")).unwrap_or_default();
    let states = table(text, "# be_id ", ' ')?;
    let counts = table(text, "# pxname,", ',')?;
    let mut servers = BTreeMap::new();
    for row in states {
        let of = |name: &str| row.get(name).copied();
        let name = of("srv_name")?;
        let address: IpAddr = of("srv_addr")?.parse().ok()?;
        let counted = counts.iter().find(|it| it.get("svname") == Some(&name))?;
        let order: u32 = of("srv_admin_state")?.parse().ok()?;
        let server = Server {
            endpoint: SocketAddr::new(address, of("srv_port")?.parse().ok()?),
            // 0 is stopped; 1 and 2 are starting and running.
            is_up: matches!(of("srv_op_state")?, "1" | "2"),
            is_drained: order & BY_ORDER != 0,
            sessions: counted.get("scur")?.parse().ok()?,
            state: (*counted.get("status")?).to_owned(),
            last_check: (*counted.get("check_status")?).to_owned(),
        };
        servers.insert(name.to_owned(), server);
    }
    Some(Status { description: description.trim().to_owned(), servers })
}

/// The rows below the line that begins so, by the names in it, up to an empty line. None: there is no such line.
fn table<'a>(
    text: &'a str,
    head: &str,
    separator: char,
) -> Option<Vec<BTreeMap<&'a str, &'a str>>> {
    let mut lines = text.lines().skip_while(|it| !it.starts_with(head));
    let names: Vec<_> = lines.next()?.trim_start_matches("# ").split(separator).collect();
    let rows = lines.take_while(|it| !it.trim().is_empty());
    Some(rows.map(|it| names.iter().copied().zip(it.split(separator)).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As HAProxy 2.6 answers, with fewer columns.
    const TEXT: &str = "\
Name: HAProxy
Pid: 17760
description: 0123

1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_check_status srv_port
3 back 1 cp1 127.0.0.1 0 0 8 6443
3 back 2 cp2 2001:db8::1 2 8 6 6443

# pxname,svname,qcur,scur,status,check_status
back,cp1,0,0,DOWN,L4CON
back,cp2,0,17,DRAIN,L7OK

";

    #[test]
    fn a_process_is_understood() {
        let status = read(TEXT).unwrap();
        assert_eq!(status.description, "0123");
        let server =
            |endpoint: &str, is_up, is_drained, sessions, state: &str, check: &str| Server {
                endpoint: endpoint.parse().unwrap(),
                is_up,
                is_drained,
                sessions,
                state: state.to_owned(),
                last_check: check.to_owned(),
            };
        assert_eq!(
            status.servers["cp1"],
            server("127.0.0.1:6443", false, false, 0, "DOWN", "L4CON")
        );
        assert_eq!(
            status.servers["cp2"],
            server("[2001:db8::1]:6443", true, true, 17, "DRAIN", "L7OK")
        );
    }

    #[test]
    fn half_an_answer_is_none() {
        let lines: Vec<_> = TEXT.split_inclusive('\n').collect();
        for from in 0..lines.len() - 1 {
            let text: String = lines[..from].concat();
            // Without its counts, a backend is not known.
            assert!(read(&text).is_none_or(|it| it.servers.is_empty()), "{text}");
        }
        assert_eq!(read("Unknown command: 'show info'"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_hangs_is_given_up() {
        let (near, _far) = tokio::io::duplex(64);
        let error = order(near, "show info").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
