//! Hears a service say that it is ready, as sd_notify(3) describes it.
#![expect(clippy::disallowed_methods, reason = "asks the kernel for a random name")]

use std::fs;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::Interest;

/// Longer than any that says "ready".
const LONGEST: usize = 4096;

/// A socket without a place in the file system: its name is short whatever the root is, and it goes with us.
#[derive(Debug)]
pub(super) struct Notify {
    socket: tokio::net::UnixDatagram,
    /// For `NOTIFY_SOCKET`.
    pub(super) address: String,
}

impl Notify {
    pub(super) fn listen() -> io::Result<Self> {
        let random = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let name = format!("ha-agent/{}", random.trim());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        // Anybody on the machine can write here; the kernel says who did.
        set_socket_passcred(&socket, true)?;
        socket.set_nonblocking(true)?;
        let socket = tokio::net::UnixDatagram::from_std(socket)?;
        Ok(Self { socket, address: format!("@{name}") })
    }

    /// Returns when this process has said so.
    pub(super) async fn ready(&self, process: i32) -> io::Result<()> {
        loop {
            let heard = self.socket.async_io(Interest::READABLE, || self.receive()).await?;
            if heard.is_some_and(|(from, text)| from == process && is_ready(&text)) {
                return Ok(());
            }
        }
    }

    fn receive(&self) -> io::Result<Option<(i32, Vec<u8>)>> {
        let mut text = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut text)];
        let length =
            recvmsg(&self.socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?.bytes;
        text.truncate(length);
        let from = control.drain().find_map(|it| match it {
            RecvAncillaryMessage::ScmCredentials(from) => Some(from.pid.as_raw_nonzero().get()),
            _ => None,
        });
        Ok(from.map(|it| (it, text)))
    }
}

fn is_ready(text: &[u8]) -> bool {
    text.split(|it| *it == b'\n').any(|it| it == b"READY=1")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn only_the_process_itself_is_believed() {
        let notify = Notify::listen().unwrap();
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let name = notify.address.strip_prefix('@').unwrap();
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let say = |text: &[u8]| {
            UnixDatagram::unbound().unwrap().send_to_addr(text, &address).unwrap();
        };
        let short = Duration::from_millis(50);
        for text in [b"STATUS=READY=1".as_slice(), b"READY=0", b""] {
            say(text);
        }
        assert!(timeout(short, notify.ready(own)).await.is_err());
        say(b"READY=1");
        assert!(timeout(short, notify.ready(own + 1)).await.is_err());
        say(b"STATUS=there\nREADY=1\n");
        timeout(short * 100, notify.ready(own)).await.unwrap().unwrap();
    }
}
