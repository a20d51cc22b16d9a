//! A web server of a few lines, which does what servers do on bad days.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Answers every request by its path, until it is dropped.
pub(crate) struct Server {
    address: String,
    task: JoinHandle<()>,
}

impl Server {
    /// `/file` has the content; the other paths are the bad days.
    pub(crate) async fn start(content: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(stream, content.clone()));
            }
        });
        Self { address, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request on a connection. What cannot be written went to a client that has read enough.
async fn answer(mut stream: TcpStream, content: Vec<u8>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        request.push(byte);
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap();
    // As a proxy is asked: with the whole URL.
    let path = path.strip_prefix("http://mirror.invalid").unwrap_or(path);
    let length = content.len();
    let head = |status: &str, more: &str| {
        format!("HTTP/1.1 {status}\r\nconnection: close\r\n{more}\r\n").into_bytes()
    };
    let sized = |length: usize| head("200 OK", &format!("content-length: {length}\r\n"));
    let text = match path.split('?').next().unwrap() {
        "/file" => [sized(length), content].concat(),
        "/unsized" => [head("200 OK", ""), content].concat(),
        "/moved" => head("302 Found", "location: /file\r\n"),
        "/loop" => head("302 Found", "location: /loop\r\n"),
        "/truncated" => [sized(length), content[..length / 2].to_vec()].concat(),
        "/truncated-unsized" => [head("200 OK", ""), content[..length / 2].to_vec()].concat(),
        "/huge" => sized(usize::MAX / 2),
        "/slow" => {
            let _ =
                stream.write_all(&[sized(length), content[..length / 2].to_vec()].concat()).await;
            tokio::time::sleep(Duration::from_mins(10)).await;
            return;
        }
        _ => head("404 Not Found", "content-length: 0\r\n"),
    };
    let _ = stream.write_all(&text).await;
}
