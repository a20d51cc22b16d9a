//! Tables of provider blocks: what is written, what the environment holds, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use secrecy::ExposeSecret as _;

use super::*;
use crate::host::ssh::{Bastion, Connection, Key};
use crate::remote::dns::Server;
use crate::tfplugin::model::{Model, decode};
use crate::tfplugin::path::Path;
use crate::tfplugin::plan;
use crate::tfplugin::wire::notation::datum;

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n";

/// Of a user with a home and an agent.
pub(in crate::resources) const USUAL: &[(&str, &str)] =
    &[("HOME", "/home/ada"), ("SSH_AUTH_SOCK", "/run/agent")];

/// As `ConfigureProvider` does it, in an environment.
fn configure(config: &Json, environment: &[(&str, &str)]) -> Result<Client, Diagnostics> {
    let schema = Settings::schema(0);
    let config = datum(config, schema.ty());
    let faults = plan::check(&schema.attributes, &config);
    if faults.has_errors() {
        return Err(faults);
    }
    let found = |name: &str| {
        let found = environment.iter().find(|(it, _)| *it == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    read(&decode(&config)?, &found)
}

fn told(result: Result<Client, Diagnostics>) -> Vec<String> {
    let faults = result.err().unwrap_or_default();
    faults.iter().map(|it| format!("{}: {}", it.path(), it.summary())).collect()
}

/// The faults of a configuration, by path and summary.
#[track_caller]
pub(super) fn check(config: Json, environment: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(told(configure(&config, environment)), expected, "{config}");
}

pub(in crate::resources) fn client(config: Json, environment: &[(&str, &str)]) -> Client {
    configure(&config, environment).unwrap()
}

fn usual(client: &Client) -> Arc<Connection> {
    client.connection(None, &Path::default()).unwrap()
}

fn shown(key: &Key) -> String {
    match key {
        Key::Text(text) => format!("text {}", text.expose_secret()),
        Key::File(path) => format!("file {}", path.display()),
        Key::Agent { socket, key } => format!("agent at {} {:?}", socket.display(), key.as_deref()),
    }
}

#[test]
fn one_way_to_log_in_has_one_key() {
    let two = |name: &str| format!("ssh.{name}: One connection has two keys");
    check(
        json!({"ssh": {"private_key": KEY, "private_key_file": "a"}}),
        USUAL,
        &[&two("private_key_file")],
    );
    check(json!({"ssh": {"private_key_file": "a", "agent": true}}), USUAL, &[&two("agent")]);
    check(json!({"ssh": {"private_key": KEY, "agent": true}}), USUAL, &[&two("agent")]);
    check(json!({"ssh": {"private_key_file": "a", "agent": false}}), USUAL, &[]);
    let stray = "ssh.agent_key: A key of an agent is chosen without an agent";
    check(json!({"ssh": {"agent_key": "SHA256:x", "private_key_file": "a"}}), USUAL, &[stray]);
    check(json!({"ssh": {"agent_key": "SHA256:x", "agent": false}}), USUAL, &[stray]);
    check(json!({"ssh": {"agent_key": "SHA256:x"}}), USUAL, &[]);
    check(
        json!({"ssh": {"agent": true, "passphrase": "hunter2"}}),
        USUAL,
        &["ssh.passphrase: A passphrase is given for an agent"],
    );
    let alone = &USUAL[..1];
    check(json!({"ssh": {"agent": true}}), alone, &["ssh.agent: There is no SSH agent"]);
    check(json!({"ssh": {"agent_key": "x"}}), alone, &["ssh.agent: There is no SSH agent"]);
    let none = "ssh: `ssh` of the provider block has no key to log in with";
    check(json!({"ssh": {}}), alone, &[none]);
    check(json!({"ssh": {"agent": false}}), USUAL, &[none]);
    check(json!({"ssh": {}}), &[USUAL[0], ("HA_SSH_PRIVATE_KEY", KEY)], &[]);
}

#[test]
fn what_is_written_wins_over_the_environment_and_that_over_an_agent() {
    let full = [USUAL, &[("HA_SSH_PRIVATE_KEY", KEY), ("HA_SUDO_PASSWORD", "hunter3")]].concat();
    let key = |ssh: Json, environment: &[(&str, &str)]| {
        shown(&usual(&client(json!({ "ssh": ssh }), environment)).key)
    };
    let agent = |key: Option<&str>| format!("agent at /run/agent {key:?}");
    let text = format!("text {KEY}");
    assert_eq!(key(json!({"private_key_file": "~/k"}), &full), "file /home/ada/k");
    assert_eq!(key(json!({}), &full), text);
    assert_eq!(key(json!({"agent": false}), &full), text);
    assert_eq!(key(json!({"agent": true}), &full), agent(None));
    assert_eq!(key(json!({"agent_key": "SHA256:x"}), &full), agent(Some("SHA256:x")));
    assert_eq!(key(Json::Null, USUAL), agent(None));
    assert_eq!(key(json!({"private_key": KEY}), &[USUAL[0]]), text);
    let password = |ssh: Json| {
        let connection = usual(&client(json!({ "ssh": ssh }), &full));
        connection.sudo_password.as_ref().map(|it| it.expose_secret().to_owned())
    };
    assert_eq!(password(json!({})).as_deref(), Some("hunter3"));
    assert_eq!(password(json!({"sudo_password": "mine"})).as_deref(), Some("mine"));
}

#[test]
fn what_is_left_out_has_a_default() {
    let connection = usual(&client(json!({}), USUAL));
    assert_eq!(
        format!("{connection:?}"),
        "Connection { user: \"root\", port: 22, key: Agent { socket: \"/run/agent\", key: None }, passphrase: None, \
         certificate_file: None, known_hosts_file: \"/home/ada/.ssh/known_hosts\", host_key_policy: Strict, \
         sudo_password: None, bastions: [], connect_timeout: 10s, boot_wait: 300s }"
    );
    let client = client(json!({"dns": {"rfc2136": {"servers": ["10.0.0.53"]}}}), USUAL);
    let expected = Rfc2136 {
        servers: vec![Server { address: "10.0.0.53".to_owned(), port: 53 }],
        key: None,
        tcp_only: false,
        timeout: Duration::from_secs(3),
        retries: 3,
    };
    assert_eq!(client.dns(), Ok(&expected));
    assert_eq!(client.artifacts, Ok(Artifacts::default()));
}

#[test]
fn a_home_is_that_of_the_user() {
    check(
        json!({"ssh": {"private_key_file": "~bob/key"}}),
        USUAL,
        &["ssh.private_key_file: `ssh.private_key_file` cannot be found"],
    );
    let homeless = &[("SSH_AUTH_SOCK", "/run/agent")];
    let unknown = "ssh.known_hosts_file: `ssh.known_hosts_file` cannot be found";
    check(json!({"ssh": {"agent": true}}), homeless, &[unknown]);
    check(json!({"ssh": {"agent": true, "known_hosts_file": "/etc/known"}}), homeless, &[]);
}

#[test]
fn single_values_are_checked_at_their_path() {
    let wrong = |path: &str| format!("{path}: `{path}` has a wrong value");
    for (ssh, path) in [
        (json!({"port": 0}), "ssh.port"),
        (json!({"user": "-l"}), "ssh.user"),
        (json!({"private_key": "~/.ssh/id"}), "ssh.private_key"),
        (json!({"private_key_file": ""}), "ssh.private_key_file"),
        (json!({"host_key_policy": "no"}), "ssh.host_key_policy"),
        (json!({"connect_timeout": "0s"}), "ssh.connect_timeout"),
        (json!({"bastions": [{"address": "-h"}]}), "ssh.bastions[0].address"),
        (json!({"bastions": [{"address": "h", "host_key": "x"}]}), "ssh.bastions[0].host_key"),
    ] {
        check(json!({ "ssh": ssh }), USUAL, &[&wrong(path)]);
    }
    let unfit = |path: &str| format!("{path}: `{path}` has a value that does not fit");
    check(json!({"ssh": {"port": 65536}}), USUAL, &[&unfit("ssh.port")]);
    check(json!({"ssh": {"boot_wait": "5"}}), USUAL, &[&unfit("ssh.boot_wait")]);
    check(
        json!({"connections": {"../a": {}}}),
        USUAL,
        &["connections[\"../a\"]: A connection has an unusable name"],
    );
}

#[test]
fn a_bastion_is_logged_in_at_as_it_says() {
    let config = json!({
        "ssh": {"user": "ops", "port": 2200, "bastions": [
            {"address": "near", "port": 22},
            {"address": "far", "user": "jump", "connection": "edge"},
        ]},
        "connections": {"edge": {"user": "root", "private_key_file": "/k"}},
    });
    let client = client(config, USUAL);
    let connection = usual(&client);
    let shown = |it: &Bastion| format!("{}@{}:{}", it.user, it.address, it.port);
    let hops: Vec<_> = connection.bastions.iter().map(shown).collect();
    assert_eq!(hops, ["ops@near:22", "jump@far:22"]);
    let alone = Connection { bastions: Vec::new(), ..(*connection).clone() };
    assert_eq!(format!("{:?}", connection.bastions[0].connection), format!("{alone:?}"));
    let edge = client.connection(Some("edge"), &Path::default()).unwrap();
    assert!(Arc::ptr_eq(&connection.bastions[1].connection, &edge));
}

#[test]
fn bastions_lead_somewhere() {
    let by =
        |name: &str| json!({"bastions": [{"address": "h"}, {"address": "i", "connection": name}]});
    let at = |name: &str| format!("connections[\"{name}\"].bastions[1].connection");
    let circle = |name: &str| format!("{}: Bastions lead in a circle", at(name));
    check(json!({"connections": {"a": by("a")}}), USUAL, &[&circle("a")]);
    let ring = json!({"connections": {"a": by("b"), "b": by("c"), "c": by("a")}});
    check(ring.clone(), USUAL, &[&circle("c")]);
    let faults = configure(&ring, USUAL).unwrap_err();
    assert!(faults.iter().next().unwrap().detail().contains("a → b → c → a"));
    let gone = "ssh.bastions[1].connection: A bastion names a connection that is not there";
    check(json!({"ssh": by("x")}), USUAL, &[gone]);
    check(json!({"ssh": by("x"), "connections": {"x": null}}), USUAL, &[gone]);
    check(
        json!({"connections": {"a": by("b"), "b": by("c"), "c": {}}, "ssh": by("b")}),
        USUAL,
        &[],
    );
}

#[test]
fn what_a_host_asks_for_has_to_be_there() {
    let asked = Path::root("members").key("a").attribute("host").attribute("connection");
    let check = |config: Json, name: Option<&str>, summary: &str, detail: &str| {
        let Err(Gap::Fault(fault)) = client(config, &[]).connection(name, &asked) else {
            panic!("there is a connection")
        };
        assert_eq!((fault.summary(), fault.path()), (summary, &asked));
        assert!(fault.detail().contains(detail), "{}", fault.detail());
    };
    let summary = format!("`{asked}` names what the provider does not have");
    check(
        json!({}),
        Some("edge"),
        &summary,
        "no `connections[\"edge\"]`. It has no `connections` at all.",
    );
    let a = json!({"private_key_file": "/k", "known_hosts_file": "/h"});
    check(json!({"connections": {"a": a}}), Some("b"), &summary, "There is \"a\".");
    // Without `ssh` in the provider block nothing is wrong until a host wants to log in.
    check(
        json!({}),
        None,
        "`ssh` of the provider block has no key to log in with",
        "HA_SSH_PRIVATE_KEY",
    );
    let lookup = client(json!({}), &[]);
    assert!(matches!(lookup.dns(), Err(Gap::Fault(_))));
    assert!(matches!(lookup.recovery_identity(), Err(Gap::Fault(_))));
    assert!(matches!(lookup.object_store("a", &asked), Err(Gap::Fault(_))));
}

#[test]
fn what_is_unknown_concerns_its_own_part_alone() {
    let check = |config: Json, name: Option<&str>, expected: Option<&str>| {
        let found = client(config.clone(), USUAL).connection(name, &Path::default());
        let path = match found {
            Ok(_) => None,
            Err(Gap::Unknown(Unknown::Provider(path))) => Some(path.to_string()),
            Err(other) => panic!("{config}: {other:?}"),
        };
        assert_eq!(path.as_deref(), expected, "{config}");
    };
    check(json!({"ssh": "?"}), None, Some("ssh"));
    check(json!({"ssh": {"private_key": "?"}}), None, Some("ssh.private_key"));
    check(json!({"ssh": {"private_key": "?", "agent": true}}), None, Some("ssh.private_key"));
    check(json!({"ssh": {"agent": true, "boot_wait": "?"}}), None, Some("ssh.boot_wait"));
    check(json!({"ssh": {"bastions": "?"}}), None, Some("ssh.bastions"));
    let hop = json!({"bastions": [{"address": "?"}]});
    check(json!({"ssh": hop}), None, Some("ssh.bastions[0].address"));
    let some = json!({"a": {}, "b": {"private_key": "?"}, "c": "?"});
    let behind = |name: &str| json!({"ssh": {"bastions": [{"address": "h", "connection": name}]}, "connections": some});
    check(behind("a"), None, None);
    check(behind("b"), None, Some("connections[\"b\"].private_key"));
    check(behind("c"), None, Some("connections[\"c\"]"));
    check(behind("c"), Some("a"), None);
    check(behind("a"), Some("b"), Some("connections[\"b\"].private_key"));
    check(json!({"connections": "?"}), None, None);
    check(json!({"connections": "?"}), Some("a"), Some("connections"));
    let open =
        json!({"ssh": {"bastions": [{"address": "h", "connection": "x"}]}, "connections": "?"});
    check(open, None, Some("connections"));
    // What is known and wrong is told although something else is unknown.
    let both = json!({"ssh": {"private_key": "?", "certificate_file": "~bob/x"}});
    assert_eq!(
        told(configure(&both, USUAL)),
        ["ssh.certificate_file: `ssh.certificate_file` cannot be found"]
    );
}

#[test]
fn the_other_parts_may_be_unknown_too() {
    let config = json!({
        "artifacts": {"etcd_url": "?"}, "dns": {"rfc2136": "?"}, "recovery_identity": "?",
        "object_stores": {"a": {"s3": {"bucket": "?", "instance_role": true}}, "b": "?"},
    });
    let client = client(config, USUAL);
    let unknown = |path: &str| {
        Gap::Unknown(Unknown::Provider(match path.split_once('.') {
            Some((root, rest)) => Path::root(root).attribute(rest),
            None => Path::root(path),
        }))
    };
    assert_eq!(client.artifacts, Err(unknown("artifacts.etcd_url")));
    assert_eq!(client.dns(), Err(unknown("dns.rfc2136")));
    assert_eq!(client.recovery_identity(), Err(unknown("recovery_identity")));
    for name in ["a", "b"] {
        let store = client.object_store(name, &Path::default());
        assert!(matches!(store, Err(Gap::Unknown(_))), "{name}: {store:?}");
    }
}

#[test]
fn exactly_one_backend_and_one_kind_of_store() {
    check(json!({"dns": {}}), &[], &["dns: `dns` has no backend"]);
    check(
        json!({"object_stores": {"a": {}, "b": null}}),
        &[],
        &["object_stores[\"a\"]: `object_stores[\"a\"]` has no kind"],
    );
    check(
        json!({"object_stores": {"a b": {"s3": {"bucket": "b", "instance_role": true}}}}),
        &[],
        &["object_stores[\"a b\"]: An object store has an unusable name"],
    );
}

#[test]
fn validation_asks_nothing_of_the_environment() {
    let validated = |config: Json| {
        let schema = Settings::schema(0);
        let faults = Ha.validate(&decode(&datum(&config, schema.ty())).unwrap());
        faults.iter().map(|it| it.path().to_string()).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    let config = json!({
        "ssh": {}, "connections": {"a": {"agent": true}},
        "dns": {"rfc2136": {"servers": ["a"], "key_name": "ha"}},
        "object_stores": {"a": {"s3": {"bucket": "b"}}},
    });
    assert_eq!(validated(config), none);
    assert_eq!(validated(json!({"ssh": {"agent": true, "private_key": KEY}})), ["ssh.agent"]);
}

#[test]
fn no_secret_is_printed() {
    let config = json!({
        "ssh": {"private_key": KEY, "passphrase": "hunter6", "sudo_password": "hunter7",
            "bastions": [{"address": "h"}]},
        "connections": {"a": {"private_key": KEY}},
        "dns": {"rfc2136": {"servers": ["a"], "key_name": "ha", "key_secret": "aHVudGVy"}},
        "object_stores": {"a": {"s3": {"bucket": "b", "access_key": "hunter8", "secret_key": "hunter9"}}},
        "recovery_identity": "AGE-SECRET-KEY-1HUNTER",
    });
    let settings: Settings = decode(&datum(&config, Settings::schema(0).ty())).unwrap();
    let client = client(config, USUAL);
    let identity = client.recovery_identity().unwrap();
    assert_eq!(identity.expose(), "AGE-SECRET-KEY-1HUNTER");
    let bytes = format!("{:?}", b"hunter");
    for printed in [format!("{settings:?}"), format!("{client:?}"), format!("{client:#?}")] {
        let printed = printed.to_lowercase();
        for secret in ["hunter", "ahvudgvy", bytes.as_str()] {
            assert!(!printed.contains(secret), "{secret} is in {printed}");
        }
    }
}

#[test]
fn whoever_works_on_a_host_is_named() {
    let user = |name: &str| (name == "USER").then(|| "ada".to_owned());
    let (begin, end) = ("ada@", format!(", process {}", std::process::id()));
    let caller = caller(&user);
    assert!(caller.starts_with(begin) && caller.ends_with(&end), "{caller}");
}
