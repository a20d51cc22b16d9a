//! Programs that the machine of Terraform downloads, from a server of a few lines.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::local::{Local, VERSION, for_each_engine_with_etcd};

for_each_engine_with_etcd![
    this_machine_downloads_once_and_uploads_to_all,
    what_is_not_as_published_is_installed_nowhere,
    programs_of_a_directory_need_no_network,
];

const ABC: [&str; 3] = ["a", "b", "c"];

/// Answers by the last part of a path with the files of a directory, until the test ends. Which were asked for, in order.
fn serve(directory: &Path) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let (seen, directory) = (Arc::clone(&asked), directory.to_owned());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that has read enough is gone.
            let _ = answer(stream.unwrap(), &directory, &seen);
        }
    });
    (port, asked)
}

fn answer(
    mut stream: TcpStream,
    directory: &Path,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let url = request.split(' ').nth(1).unwrap().to_owned();
    seen.lock().unwrap().push(url.clone());
    let Ok(content) = fs::read(directory.join(url.rsplit('/').next().unwrap())) else {
        return stream
            .write_all(b"HTTP/1.1 404 None\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        content.len()
    );
    stream.write_all(head.as_bytes())?;
    let end = if url.contains("/cut/") { content.len() / 2 } else { content.len() };
    stream.write_all(&content[..end])?;
    stream.shutdown(Shutdown::Write)
}

fn provider(on: &Local, artifacts: &str) {
    provider_that(on, "provider", artifacts);
}

/// `fetch` is who fetches what is not there.
fn provider_that(on: &Local, fetch: &str, artifacts: &str) {
    let text = format!(
        "terraform {{\n  required_providers {{\n    ha = {{ source = \"terraform-ha/ha\" }}\n  }}\n}}\n\
         provider \"ha\" {{\n  artifacts = {{\n    fetch_from = \"{fetch}\"\n{artifacts}\n  }}\n}}\n"
    );
    fs::write(on.path("provider.tf"), text).unwrap();
}

/// Of what this host of a mirror has below `folder`.
fn urls(at: &str, folder: &str) -> String {
    let file = "etcd-v{version}-{os}-{arch}.tar.gz";
    format!(
        "etcd_url = \"http://{at}/{folder}/{file}\"\n\
         checksums_url = {{ etcd = \"http://{at}/SHA256SUMS\" }}\n"
    )
}

/// The proxy is the only one who knows the mirror.
fn this_machine_downloads_once_and_uploads_to_all(on: &Local) {
    let (port, asked) = serve(&on.programs);
    let proxy = format!("proxy = \"http://127.0.0.1:{port}\"\n");
    provider(on, &(urls("mirror.invalid", "whole") + &proxy));
    on.wish(&ABC, "deletion_protection = false\n  on_destroy = \"purge\"");
    on.settle();
    assert_eq!(on.etcdctl("a", &["member", "list"]).lines().count(), 3);
    let asked = asked.lock().unwrap();
    let archives: Vec<_> = asked.iter().filter(|it| it.ends_with(".tar.gz")).collect();
    assert_eq!(archives.len(), 1, "{asked:?}");
    assert!(archives[0].starts_with("http://mirror.invalid/whole/etcd-v"), "{asked:?}");
}

/// Whoever would fetch something would have to ask the proxy, which hears of nobody.
fn programs_of_a_directory_need_no_network(on: &Local) {
    let (port, asked) = serve(&on.programs);
    let directory = on.programs.display();
    for (fetch, node) in [("provider", "a"), ("host", "b")] {
        provider_that(
            on,
            fetch,
            &format!("directory = \"{directory}\"\nproxy = \"http://127.0.0.1:{port}\"\n"),
        );
        on.wish(&[node], "deletion_protection = false\n  on_destroy = \"purge\"");
        on.settle();
        assert_eq!(on.etcdctl(node, &["member", "list"]).lines().count(), 1);
        on.destroy();
    }
    assert!(asked.lock().unwrap().is_empty(), "{asked:?}");
}

fn what_is_not_as_published_is_installed_nowhere(on: &Local) {
    let (port, _) = serve(&on.programs);
    let at = format!("127.0.0.1:{port}");
    on.wish(&["a"], "");
    let check = |artifacts: &str, said: &str| {
        provider(on, artifacts);
        on.apply_fails().says(&format!("cannot install etcd {VERSION}")).says(said);
        assert!(!on.root("a").join("usr/local/lib/ha/etcd").join(VERSION).exists());
        assert!(on.processes("a", "etcd").is_empty());
    };
    check(&urls(&at, "cut"), "cannot fetch");
    let none = urls(&at, "whole").replace("/etcd-v", "/none-v");
    let known = format!(
        "checksums = {{ \"none-v{VERSION}-linux-amd64.tar.gz\" = \"{0}\", \"none-v{VERSION}-linux-arm64.tar.gz\" = \"{0}\" }}",
        "a".repeat(64)
    );
    check(&(none + &known), "404");
    let other = known.replace("none-v", "etcd-v");
    check(&(urls(&at, "whole") + &other), "its SHA-256 is");
}
