//! The process contract: a plugin is started, called and ended as go-plugin does it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and tells times whose bounds are generous"
)]

#[allow(dead_code, reason = "shared with other tests, which use other parts")]
mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};
use support::identity::Identity;
use support::plugin_client::{Connection, Launch, example, until, within};
use terraform_provider_ha::proto::health::HealthCheckRequest;
use terraform_provider_ha::proto::plugin::Empty;
use terraform_provider_ha::proto::tfplugin6::{
    DynamicValue, apply_resource_change, get_provider_schema, read_resource, stop_provider,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tonic::{Code, Status};

fn bare() -> Launch {
    Launch::new(&example("bare-plugin"))
}

async fn health(connection: &Connection, service: &str) -> Result<i32, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = within("a health check", connection.health().check(request)).await?;
    Ok(answer.into_inner().status)
}

async fn read(
    connection: &Connection,
    type_name: &str,
    state: Vec<u8>,
) -> Result<read_resource::Response, Status> {
    let current_state = Some(DynamicValue { msgpack: state.into(), ..Default::default() });
    let request = read_resource::Request {
        type_name: type_name.to_owned(),
        current_state,
        ..Default::default()
    };
    within("ReadResource", connection.provider().read_resource(request))
        .await
        .map(tonic::Response::into_inner)
}

async fn apply(connection: Connection, diary: &Path) -> Result<(), Status> {
    let planned_private = diary.to_str().unwrap().to_owned().into();
    let request = apply_resource_change::Request { planned_private, ..Default::default() };
    connection.provider().apply_resource_change(request).await.map(drop)
}

async fn written(diary: &Path, entry: &str) {
    until(entry, || diary.join(entry).exists()).await;
}

async fn stop(connection: &Connection) {
    let request = stop_provider::Request::default();
    within("StopProvider", connection.provider().stop_provider(request)).await.unwrap();
}

#[tokio::test]
async fn the_handshake_line_has_six_fields() {
    let plugin = bare().start().await;
    let line = &plugin.handshake.line;
    assert_eq!(line.split('|').count(), 6, "{line}");
    assert!(line.ends_with('\n') && !line.contains('='), "{line}");
    assert!(plugin.handshake.certificate.is_some());
}

#[tokio::test]
async fn the_seventh_field_is_for_those_who_ask() {
    let plugin = bare().with("PLUGIN_MULTIPLEX_GRPC", "true").start().await;
    assert!(plugin.handshake.line.ends_with("|false\n"), "{}", plugin.handshake.line);
}

#[tokio::test]
async fn the_socket_goes_where_the_client_wants_it() {
    let place = tempfile::tempdir().unwrap();
    let plugin =
        bare().with("PLUGIN_UNIX_SOCKET_DIR", place.path().to_str().unwrap()).start().await;
    assert!(plugin.handshake.socket.starts_with(place.path()));
}

#[tokio::test]
async fn the_client_that_started_it_can_call() {
    let plugin = bare().start().await;
    let connection = plugin.connect().await;
    assert_eq!(health(&connection, "plugin").await.unwrap(), 1);
    assert_eq!(health(&connection, "").await.unwrap(), 1);
    assert_eq!(health(&connection, "other").await.unwrap_err().code(), Code::NotFound);
    let request = get_provider_schema::Request::default();
    let answer = within("a call", connection.provider().get_provider_schema(request)).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn an_unknown_service_is_unimplemented() {
    use tonic::codegen::Service as _;

    let plugin = bare().start().await;
    let request = http::Request::post("http://localhost/plugin.GRPCBroker/StartStream");
    let request = request.body(tonic::body::Body::empty()).unwrap();
    let answer = within("a call", plugin.connect().await.call(request)).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "12");
}

#[tokio::test]
async fn tls_1_2_will_do() {
    let plugin = bare().start().await;
    let connection = plugin.connect_as(plugin.process.identity.as_ref(), &[&TLS12]).await.unwrap();
    assert_eq!(health(&connection, "plugin").await.unwrap(), 1);
}

#[tokio::test]
async fn nobody_else_can_call() {
    let plugin = bare().start().await;
    let other = Identity::new();
    for identity in [None, Some(&other)] {
        for version in [&TLS12, &TLS13] {
            let answer = match plugin.connect_as(identity, &[version]).await {
                Ok(connection) => health(&connection, "plugin").await.map_err(|it| it.to_string()),
                Err(error) => Err(error.to_string()),
            };
            assert!(answer.is_err(), "{version:?}: {answer:?}");
        }
    }
    assert_eq!(health(&plugin.connect().await, "plugin").await.unwrap(), 1);
}

#[tokio::test]
async fn plaintext_is_refused_where_tls_is_wanted() {
    let mut plugin = bare().start().await;
    plugin.handshake.certificate = None;
    if let Ok(connection) = plugin.connect_as(None, &[]).await {
        assert!(health(&connection, "plugin").await.is_err());
    }
}

#[tokio::test]
async fn without_a_certificate_the_client_wants_plaintext() {
    let plugin = bare().without_tls().start().await;
    assert!(plugin.handshake.line.ends_with("|grpc|\n"), "{}", plugin.handshake.line);
    assert_eq!(health(&plugin.connect().await, "plugin").await.unwrap(), 1);
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_rubbish_holds_nobody_up() {
    let plugin = bare().start().await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(UnixStream::connect(&plugin.handshake.socket).await.unwrap());
    }
    let mut rubbish = UnixStream::connect(&plugin.handshake.socket).await.unwrap();
    rubbish.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(health(&plugin.connect().await, "plugin").await.unwrap(), 1);
}

#[tokio::test]
async fn started_by_hand_it_tells_how_to_use_it() {
    let wrong = bare().with("TF_PLUGIN_MAGIC_COOKIE", "wrong");
    for launch in [bare().by_hand(&[]), wrong] {
        let mut process = launch.spawn();
        assert_eq!(process.rest().await, "");
        assert_eq!(process.exit().await.code(), Some(1));
        until("the text", || process.stderr().contains("required_providers")).await;
        assert!(process.stderr().contains("terraform-ha/bare"), "{}", process.stderr());
    }
}

#[tokio::test]
async fn version_and_help_need_no_cookie() {
    for (argument, text) in
        [("--version", "terraform-provider-bare 1.2.3\n"), ("--help", "--debug")]
    {
        let mut process = bare().by_hand(&[argument]).spawn();
        assert!(process.rest().await.contains(text));
        assert!(process.exit().await.success());
    }
}

#[tokio::test]
async fn a_failed_start_is_told_in_the_first_line() {
    let mut process = bare().with("PLUGIN_CLIENT_CERT", "not a certificate").spawn();
    let line = process.line().await;
    assert!(line.contains("PLUGIN_CLIENT_CERT is not a certificate in PEM form"), "{line}");
    assert_eq!(process.exit().await.code(), Some(1));
    until("the same on stderr", || process.stderr() == line).await;
}

#[tokio::test]
async fn shutdown_ends_it_at_once_and_leaves_nothing_behind() {
    let mut plugin = bare().start().await;
    let connection = plugin.connect().await;
    let mut stdio = connection.stdio().stream_stdio(Empty {}).await.unwrap().into_inner();
    let time = plugin.shut_down().await;
    eprintln!("exit {time:?} after the answer to Shutdown");
    assert!(time < Duration::from_millis(500), "{time:?}");
    assert!(!plugin.handshake.socket.parent().unwrap().exists());
    assert_eq!(plugin.process.rest().await, "", "stdout after the handshake");
    assert_eq!(plugin.process.stderr(), "", "stderr without TF_LOG");
    assert!(!matches!(stdio.message().await, Ok(Some(_))), "output that nobody wants");
}

#[tokio::test]
async fn shutdown_cancels_a_mutation_and_waits_for_its_safe_point() {
    let diary = tempfile::tempdir().unwrap();
    let mut plugin = bare().start().await;
    let running = tokio::spawn({
        let (connection, diary) = (plugin.connect().await, diary.path().to_owned());
        async move { apply(connection, &diary).await }
    });
    written(diary.path(), "started").await;
    let time = plugin.shut_down().await;
    assert!(time < Duration::from_secs(2), "{time:?}");
    assert!(diary.path().join("cancelled").exists());
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn ctrl_c_is_the_clients_business() {
    let mut plugin = bare().start().await;
    let connection = plugin.connect().await;
    for _ in 0..3 {
        plugin.process.signal(Signal::INT);
        plugin.process.signal(Signal::HUP);
        assert_eq!(health(&connection, "plugin").await.unwrap(), 1);
    }
    plugin.shut_down().await;
}

#[tokio::test]
async fn sigterm_waits_for_a_mutation_and_its_answer() {
    let diary = tempfile::tempdir().unwrap();
    let mut plugin = bare().start().await;
    let running = tokio::spawn({
        let (connection, diary) = (plugin.connect().await, diary.path().to_owned());
        async move { apply(connection, &diary).await }
    });
    written(diary.path(), "started").await;
    plugin.process.signal(Signal::TERM);
    within("the answer", running).await.unwrap().unwrap();
    assert!(plugin.process.exit().await.success());
    assert!(diary.path().join("cancelled").exists());
}

#[tokio::test]
async fn it_does_not_outlive_its_parent() {
    let diary = tempfile::tempdir().unwrap();
    let mut plugin = bare().through_a_shell().start().await;
    let connection = plugin.connect().await;
    let path = diary.path().to_owned();
    tokio::spawn(async move { apply(connection, &path).await });
    written(diary.path(), "started").await;
    plugin.process.signal(Signal::KILL);
    let killed = Instant::now();
    assert_eq!(plugin.process.rest().await, "");
    eprintln!("exit {:?} after the death of the parent", killed.elapsed());
    assert!(diary.path().join("cancelled").exists());
    assert!(!plugin.handshake.socket.parent().unwrap().exists());
}

#[tokio::test]
async fn a_full_stderr_blocks_no_call_and_no_exit() {
    let mut plugin = bare().with("TF_LOG", "TRACE").with_stderr_unread().start().await;
    let connection = plugin.connect().await;
    for _ in 0..3 {
        read(&connection, "loud", Vec::new()).await.unwrap();
    }
    let time = plugin.shut_down().await;
    eprintln!("exit {time:?} after the answer to Shutdown, with a full stderr");
    assert!(time < Duration::from_millis(500), "{time:?}");
}

#[tokio::test]
async fn every_log_line_is_hclog() {
    let mut plugin = bare().with("TF_LOG_PROVIDER_BARE", "debug").start().await;
    read(&plugin.connect().await, "loud", Vec::new()).await.unwrap();
    plugin.shut_down().await;
    plugin.process.rest().await;
    until("the last line", || plugin.process.stderr().contains("the provider ends")).await;
    for line in plugin.process.stderr().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["@message"].is_string() && line["@level"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn a_call_that_the_client_drops_runs_to_its_end() {
    let diary = tempfile::tempdir().unwrap();
    let plugin = bare().start().await;
    let connection = plugin.connect().await;
    tokio::select! {
        _ = apply(connection.clone(), diary.path()) => panic!("it was not released yet"),
        () = written(diary.path(), "started") => (),
    }
    // The call is dropped here. An answer on the same connection proves that the server has seen it.
    health(&connection, "plugin").await.unwrap();
    fs::write(diary.path().join("release"), "").unwrap();
    written(diary.path(), "finished").await;
}

#[tokio::test]
async fn a_panic_is_the_error_of_its_call_and_no_more() {
    let mut plugin = bare().start().await;
    let connection = plugin.connect().await;
    let error = read(&connection, "panics", Vec::new()).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert!(error.message().starts_with("as asked\nat tests/bare_plugin/main.rs:"), "{error}");
    assert_eq!(health(&connection, "plugin").await.unwrap(), 1);
    plugin.shut_down().await;
    assert_eq!(plugin.process.stderr(), "");
}

#[tokio::test]
async fn a_panic_that_nobody_tells_of_is_shown_as_a_crash() {
    let plugin = bare().start().await;
    let connection = plugin.connect().await;
    read(&connection, "crashes", Vec::new()).await.unwrap_err();
    let told = "panic: as asked\nat tests/bare_plugin/main.rs:";
    until("the panic", || plugin.process.stderr().starts_with(told)).await;
    assert_eq!(health(&connection, "plugin").await.unwrap(), 1);
}

#[tokio::test]
async fn a_state_of_16_mib_passes() {
    let plugin = bare().start().await;
    let connection = plugin.connect().await;
    let state = vec![7; 16 << 20];
    let begun = Instant::now();
    let answer = read(&connection, "echo", state.clone()).await.unwrap();
    eprintln!("16 MiB there and back in {:?}", begun.elapsed());
    assert!(answer.new_state.unwrap().msgpack == state);
}

#[tokio::test]
async fn debug_mode_serves_many_runs_until_ctrl_c() {
    let mut plugin = bare().debug().await;
    assert!(plugin.handshake.line.starts_with("{\"example.com/terraform-ha/bare\":"));
    for _ in 0..2 {
        let diary = tempfile::tempdir().unwrap();
        let connection = plugin.connect().await;
        let running = tokio::spawn({
            let (connection, diary) = (connection.clone(), diary.path().to_owned());
            async move { apply(connection, &diary).await }
        });
        written(diary.path(), "started").await;
        assert!(!diary.path().join("cancelled").exists(), "an earlier stop cancelled a later call");
        stop(&connection).await;
        within("the cancelled call", running).await.unwrap().unwrap();
        assert!(diary.path().join("cancelled").exists());
    }
    plugin.process.signal(Signal::INT);
    assert!(plugin.process.exit().await.success());
    assert!(!plugin.handshake.socket.parent().unwrap().exists());
}

#[tokio::test]
async fn calls_that_are_given_up_at_once_do_not_end_the_others() {
    let mut plugin = bare().without_tls().start().await;
    let mut client = UnixStream::connect(&plugin.handshake.socket).await.unwrap();
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    for stream in (1..2000).step_by(2) {
        // POST, http, /: from the table that every client knows. The stream is left open, then reset.
        bytes.extend(frame(1, 4, stream, &[0x83, 0x86, 0x84]));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    bytes.extend(frame(6, 0, 0, b"the end."));
    client.write_all(&bytes).await.unwrap();
    let mut answers = Vec::new();
    let ping = frame(6, 1, 0, b"the end.");
    while !answers.windows(ping.len()).any(|it| it == ping) {
        let read = within("an answer", client.read_buf(&mut answers)).await.unwrap();
        assert_ne!(read, 0, "the connection was closed");
    }
    drop(client);
    plugin.shut_down().await;
}
