//! What tells the agent of a host how to take snapshots: a file that the provider writes.

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::manifest::Compression;
use super::retention::Retention;
use super::schedule::{Schedule, ScheduleFault};

/// The form of the file. Rises when an older agent would misread.
const FORMAT: u32 = 1;

/// How snapshots are taken on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    format: u32,
    /// Of the backup.
    pub name: String,
    /// What it is of.
    pub cluster: Cluster,
    /// The member on this host.
    pub member: Member,
    /// Five fields of cron.
    pub schedule: String,
    /// A name of IANA.
    pub time_zone: String,
    /// A directory of this host. With a store: where snapshots lie until the store has them.
    pub directory: String,
    /// Where they go from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Store>,
    /// How they are stored.
    pub compression: Compression,
    /// Which of them stay.
    pub retention: Retention,
}

/// A cluster, by the names that it has for life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Part of the names of snapshots.
    pub name: String,
    /// Its id in Terraform.
    pub resource: String,
}

/// A member, and how to ask it. Paths are those of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// How many members come before it when their leader does not take a snapshot.
    pub rank: u32,
    /// IP and port for clients.
    pub endpoint: String,
    /// Whom to believe.
    pub authority: String,
    /// What to ask with.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// A store that snapshots go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The bucket.
    pub bucket: Bucket,
    /// A file of the host with keys. None: what the machine may do by its role.
    pub keys: Option<String>,
}

/// Why a file tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFault {
    /// Not in this form.
    #[error("it has another form")]
    Form(#[from] serde_json::Error),
    /// Of a later version.
    #[error("it has format {0}, and this version reads {FORMAT}")]
    Format(u32),
    /// No time.
    #[error("its schedule cannot be used")]
    Schedule(#[from] ScheduleFault),
}

impl Settings {
    /// Of these parts.
    pub fn new(
        name: String,
        cluster: Cluster,
        member: Member,
        (schedule, time_zone): (String, String),
        (directory, store): (String, Option<Store>),
        compression: Compression,
        retention: Retention,
    ) -> Self {
        let format = FORMAT;
        Self {
            format,
            name,
            cluster,
            member,
            schedule,
            time_zone,
            directory,
            store,
            compression,
            retention,
        }
    }

    /// As a file.
    ///
    /// # Errors
    /// None that settings can cause.
    pub fn print(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|it| it + "\n")
    }

    /// Reads a file, with the schedule that is in it.
    ///
    /// # Errors
    /// It means nothing to this version.
    pub fn parse(text: &[u8]) -> Result<(Self, Schedule), SettingsFault> {
        let found: Self = serde_json::from_slice(text)?;
        if found.format != FORMAT {
            return Err(SettingsFault::Format(found.format));
        }
        let schedule = Schedule::new(&found.schedule, &found.time_zone)?;
        Ok((found, schedule))
    }

    /// What the names of all its snapshots begin with.
    pub fn prefix(&self) -> String {
        prefix(&self.cluster.name, &self.name)
    }
}

/// What the names of all snapshots of a backup begin with. No name has a dot, so none is taken for another.
fn prefix(cluster: &str, backup: &str) -> String {
    format!("{cluster}.{backup}.")
}

/// Whether a snapshot with this name is of such a backup; an empty name is that of any.
pub fn is_of(name: &str, cluster: &str, backup: &str) -> bool {
    let parts: Vec<_> = name.split('.').collect();
    let [of, by, _] = parts[..] else { return false };
    (cluster.is_empty() || cluster == of) && (backup.is_empty() || backup == by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_all_that_is_needed() {
        let text = |it: &str| it.to_owned();
        let settings = Settings::new(
            text("nightly"),
            Cluster { name: text("prod"), resource: text("1") },
            Member {
                name: text("a"),
                rank: 2,
                endpoint: text("10.0.0.1:2379"),
                authority: text("/ca"),
                certificate: text("/crt"),
                key: text("/key"),
            },
            (text("0 2 * * *"), text("UTC")),
            (text("/srv/backups"), None),
            Compression::Zstd,
            Retention { last: 7, ..Retention::default() },
        );
        let bucket = Bucket { name: text("b"), ..Bucket::default() };
        let store = Some(Store { bucket, keys: Some(text("/keys")) });
        let stored = Settings { store, ..settings.clone() };
        assert_eq!(Settings::parse(stored.print().unwrap().as_bytes()).unwrap().0, stored);
        let printed = settings.print().unwrap();
        assert_eq!(Settings::parse(printed.as_bytes()).unwrap().0, settings);
        assert_eq!(settings.prefix(), "prod.nightly.");
        let name = format!("{}20261129T020000Z", settings.prefix());
        for (cluster, backup, is_it) in [
            ("prod", "nightly", true),
            ("prod", "night", false),
            ("prod", "", true),
            ("", "nightly", true),
            ("other", "", false),
        ] {
            assert_eq!(is_of(&name, cluster, backup), is_it, "{cluster} {backup}");
        }
        assert!(!is_of("prod.nightly", "", ""));
        let said = |from: &str, to: &str| {
            Settings::parse(printed.replace(from, to).as_bytes()).unwrap_err().to_string()
        };
        assert_eq!(
            said("\"format\": 1", "\"format\": 2"),
            "it has format 2, and this version reads 1"
        );
        assert_eq!(said("\"rank\"", "\"order\""), "it has another form");
        assert_eq!(said("0 2 *", "0 24 *"), "its schedule cannot be used");
    }
}
