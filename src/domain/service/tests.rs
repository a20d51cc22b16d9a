use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const FULL: &str = r#"# Written by terraform-provider-ha. The next apply undoes changes.
[Unit]
Description=etcd, 100%% of "main"
After=network-online.target time-sync.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
User=etcd
Group=etcd
WorkingDirectory=/var/lib/a b
Environment="A="
Environment="PRICE=5$ \"or\" 50%% \\n"
ExecStartPre="/bin/test" "-e" "/etc/etcd"
ExecStart="/opt/my programs/etcd" "--name=a;b" ";" "$$HOME" "-x" "%%n" "" "it's \"so\" \\"
ExecReload=/bin/kill -HUP $MAINPID
ExecStopPost="/bin/echo" "over"
Restart=on-failure
RestartSec=1500ms
KillMode=mixed
KillSignal=SIGINT
TimeoutStopSec=30s
LimitNOFILE=65536
StateDirectory=etcd
StateDirectoryMode=0700
RuntimeDirectory=etcd
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths="/var/lib/a b"
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE

[Install]
WantedBy=multi-user.target
"#;

fn strings<const N: usize>(values: [&str; N]) -> Vec<String> {
    values.map(str::to_owned).to_vec()
}

fn full() -> Service {
    Service {
        arguments: strings(["--name=a;b", ";", "$HOME", "-x", "%n", "", r#"it's "so" \"#]),
        environment: BTreeMap::from([
            ("A".to_owned(), String::new()),
            ("PRICE".to_owned(), r#"5$ "or" 50% \n"#.to_owned()),
        ]),
        user: Some("etcd".to_owned()),
        group: Some("etcd".to_owned()),
        working_directory: Some("/var/lib/a b".to_owned()),
        restart: Restart::OnFailure,
        restart_delay: Duration::from_millis(1500),
        stop_signal: Signal::Int,
        stop_timeout: Duration::from_secs(30),
        reload: Some(Signal::Hup),
        start: Start::Notify,
        after: strings(["network-online.target", "time-sync.target"]),
        wants: strings(["network-online.target"]),
        open_files: Some(65536),
        hardening: BTreeSet::from([Hardening::System, Hardening::Privileges]),
        writable: strings(["/var/lib/a b"]),
        capabilities: Some(strings(["CAP_NET_BIND_SERVICE"])),
        state_directories: strings(["etcd"]),
        runtime_directories: strings(["etcd"]),
        start_pre: vec![strings(["/bin/test", "-e", "/etc/etcd"])],
        stop_post: vec![strings(["/bin/echo", "over"])],
        ..Service::new("etcd", r#"etcd, 100% of "main""#, "/opt/my programs/etcd")
    }
}

#[test]
fn a_unit_is_readable_and_its_special_signs_mean_nothing() {
    let definition = Definition::new(full()).unwrap();
    assert_eq!(render(&definition), FULL);
    assert_eq!(parse("etcd", FULL), Ok(definition));
}

#[test]
fn what_has_no_safe_spelling_is_refused_with_its_field() {
    let check = |field: &str, change: fn(&mut Service, String), values: &[&str]| {
        for value in values {
            let mut service = full();
            change(&mut service, (*value).to_owned());
            let refused = Definition::new(service).map_err(|it| it.field);
            assert_eq!(refused, Err(field), "{value:?}");
        }
    };
    let control = ["a\nb", "a\0", "a\tb", "a\u{85}", "\u{ffff}"];
    let paths = ["", "a", "./a", "/a/../b", "/a//b", "/a/", "/a\n/b"];
    let words = ["", "a b", "-a", "ä", "a\n", "a%", "a\"", "a\\"];
    check("name", |it, value| it.name = value, &words);
    check("name", |it, value| it.name = value, &[".", "..", "a/b", ".a"]);
    check("description", |it, value| it.description = value, &control);
    check("description", |it, value| it.description = value, &["", " a", "a ", "a\\"]);
    check("program", |it, value| it.program = value, &paths);
    check("program", |it, value| it.program = value, &["/", "/a$b"]);
    check("arguments", |it, value| it.arguments.push(value), &control);
    check("environment", |it, value| drop(it.environment.insert("A".to_owned(), value)), &control);
    let names = ["", "1A", "A=", "A B", "Ä", "A\n"];
    check("environment", |it, value| drop(it.environment.insert(value, String::new())), &names);
    check("user", |it, value| it.user = Some(value), &words);
    check("group", |it, value| it.group = Some(value), &["Root", "0", "a.b"]);
    check("working_directory", |it, value| it.working_directory = Some(value), &paths);
    check("working_directory", |it, value| it.working_directory = Some(value), &["/a ", "/a\\"]);
    check("after", |it, value| it.after.push(value), &words);
    check("wants", |it, value| it.wants.push(value), &["a", "a.b", "a b.service", ".service"]);
    check("writable", |it, value| it.writable.push(value), &paths);
    let names = ["", "CAP_", "cap_chown", "ALL", "~CAP_CHOWN", "CAP_A CAP_B"];
    check("capabilities", |it, value| it.capabilities = Some(vec![value]), &names);
    check("state_directories", |it, value| it.state_directories.push(value), &words);
    check("runtime_directories", |it, value| it.runtime_directories.push(value), &["a:b", "a/b"]);
    check("start_pre", |it, value| it.start_pre.push(vec![value]), &paths);
    check("start_pre", |it, _| it.start_pre.push(Vec::new()), &[""]);
    check("stop_post", |it, value| it.stop_post.push(vec!["/a".to_owned(), value]), &control);
    check("restart_delay", |it, _| it.restart_delay = Duration::ZERO, &[""]);
    check("stop_timeout", |it, _| it.stop_timeout = Duration::from_micros(1500), &[""]);
    check("stop_timeout", |it, _| it.stop_timeout = Duration::from_hours(25), &[""]);
    check("open_files", |it, _| it.open_files = Some(0), &[""]);
}

#[test]
fn a_unit_that_was_changed_is_not_run_as_if_it_was_not() {
    let check = |from: &str, to: &str, refusal: &str| {
        assert!(FULL.contains(from));
        let refused = parse("etcd", &FULL.replacen(from, to, 1)).unwrap_err();
        assert_eq!(refused.to_string(), refusal, "{from} {to}");
    };
    let unknown = "line 9 of the unit holds what only systemd understands";
    check("Type=notify", "Type=forking", unknown);
    check("Type=notify", "Nice=5", unknown);
    check("Type=notify", "notify", unknown);
    let changed = |line: u32| format!("line {line} of the unit was changed by somebody else");
    check("Type=notify\nUser=etcd", "User=etcd\nType=notify", &changed(9));
    check("Restart=on-failure", "Restart=always\nRestart=on-failure", &changed(19));
    check("KillMode=mixed", "KillMode=process", &changed(21));
    check(
        "RestartSec=1500ms",
        "RestartSec=1500ms ",
        "line 20 of the unit holds what only systemd understands",
    );
    check("TimeoutStopSec=30s", "TimeoutStopSec=30000ms", &changed(23));
    check("\"%%n\"", "\"%n\"", &changed(16));
    check("\"$$HOME\"", "\"$HOME\"", &changed(16));
    check(
        "\"--name=a;b\"",
        "--name=a;b",
        "line 16 of the unit holds what only systemd understands",
    );
    check("\nWantedBy=multi-user.target\n", "\nWantedBy=multi-user.target", &changed(36));
    check("User=etcd", "User=Root", "the unit holds no service");
    assert_eq!(parse("etcd", "").unwrap_err().to_string(), "the unit holds no service");
}

prop_compose! {
    fn any_path()(parts in vec("[^/\\pC]{1,8}".prop_filter("normal", |it| it != "." && it != ".."), 1..4))
        -> String { format!("/{}", parts.join("/")) }
}

fn any_command() -> impl Strategy<Value = Vec<String>> {
    let program = any_path().prop_map(|it| it.replace('$', "x"));
    (program, vec("[^\\pC]{0,12}", 0..3)).prop_map(|(first, rest)| [vec![first], rest].concat())
}

prop_compose! {
    fn any_service()(
        (name, user, group, restart, stop, reload, start) in (
            "[a-z][a-z0-9.-]{0,9}", option::of("[a-z][a-z0-9_-]{0,9}"), option::of("[a-z]{1,9}"),
            select(&[Restart::Always, Restart::OnFailure]), select(Signal::ALL), option::of(select(Signal::ALL)),
            select(&[Start::Simple, Start::Notify]),
        ),
        description in "[^\\pC\\\\]{1,20}".prop_filter("trimmed", |it| it.trim() == it),
        working_directory in option::of(
            any_path().prop_filter("a line", |it| it.trim() == it && !it.contains('\\'))
        ),
        mut command in any_command(),
        environment in btree_map("[A-Z_][A-Z0-9_]{0,5}", "[^\\pC]{0,12}", 0..3),
        (delay, timeout, open_files) in (1_u64..100_000, 1_u64..100_000, option::of(1_u64..1 << 30)),
        after in vec("[a-z@:-]{0,5}x[.](service|target)".prop_filter("no dash", |it| !it.starts_with('-')), 0..3),
        hardening in btree_set(select(Hardening::ALL), 0..5),
        writable in vec(any_path(), 0..3),
        capabilities in option::of(vec("CAP_[A-Z_]{1,9}", 0..3)),
        directories in vec("[a-z][a-z0-9._-]{0,9}", 0..3),
        commands in vec(any_command(), 0..3),
    ) -> Service {
        let program = command.remove(0);
        Service {
            arguments: command, environment, user, group, working_directory, restart, reload, start, hardening,
            restart_delay: Duration::from_millis(delay), stop_timeout: Duration::from_millis(timeout),
            stop_signal: stop, wants: after.clone(), after, open_files, writable, capabilities,
            runtime_directories: directories.iter().rev().cloned().collect(), state_directories: directories,
            stop_post: commands.iter().rev().cloned().collect(), start_pre: commands,
            ..Service::new(&name, &description, &program)
        }
    }
}

proptest! {
    #[test]
    fn every_unit_is_read_back(service in any_service()) {
        let definition = Definition::new(service).unwrap();
        let text = render(&definition);
        prop_assert_eq!(parse(&definition.name, &text), Ok(definition));
    }

    /// A unit that is understood is one that we could have written.
    #[test]
    fn a_changed_unit_is_refused_or_means_what_it_says(
        service in any_service(), at: prop::sample::Index, sign in "[\\pC\"%$\\\\ ;a]",
    ) {
        let definition = Definition::new(service).unwrap();
        let mut text: Vec<char> = render(&definition).chars().collect();
        text.insert(at.index(text.len()), sign.chars().next().unwrap());
        let text: String = text.into_iter().collect();
        if let Ok(read) = parse(&definition.name, &text) {
            prop_assert_eq!(render(&read), text);
        }
    }

    #[test]
    fn no_text_makes_a_reader_fall(text: String) {
        let _ = parse("a", &text);
    }
}
