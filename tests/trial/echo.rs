//! What the trial service runs: says one line to whoever connects. Usage: `echo VERSION ADDRESS:PORT FILE`.

use std::io::Write;
use std::net::TcpListener;
use std::{env, fs};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [version, address, file] = arguments.as_slice() else {
        panic!("usage: echo VERSION ADDRESS:PORT FILE");
    };
    let listener = TcpListener::bind(address).expect("the address can be listened on");
    println!("version {version} listens on {address}");
    for stream in listener.incoming() {
        let line = fs::read_to_string(file).unwrap_or_default();
        // Whoever went away needs no answer.
        let _ = stream.and_then(|mut it| writeln!(it, "{version} {}", line.trim_end()));
    }
}
