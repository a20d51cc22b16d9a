//! What the cluster of etcd is asked for: whether there are objects already, and certificates for API servers.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value as Json;

use super::ControlPlane;
use crate::actions::etcd::{self, Consumer, Consumers, issue};
use crate::actions::notes::Journal as _;
use crate::actions::{record_name, write_record};
use crate::domain::kubernetes::{Data, EncryptionKey};
use crate::engine::chain;
use crate::engine::record::{Claim, Record};
use crate::host::messages::SignRequest;
use crate::host::{HostError, Locked};
use crate::remote::etcd::{Api, Credentials};

/// Longer than any look.
const BRIEF: Duration = Duration::from_mins(10);

impl ControlPlane<'_> {
    /// Matters before the first start alone; what was said once is asked again right before it.
    pub(super) async fn ask_data(&mut self) {
        let is_begun = || self.looks.values().any(|it| it.is_ours() && it.facts.is_begun);
        if self.data == Data::Unknown && !self.setup.is_known && !is_begun() {
            self.data = self.look_for_data().await;
        }
    }

    /// Asks until a member answers.
    pub(super) async fn look_for_data(&self) -> Data {
        let access = &self.setup.etcd;
        let issued = match issue(self.etcd, access, "terraform-provider-ha", BRIEF).await {
            Ok(issued) => issued,
            Err(why) => {
                tracing::warn!(?why, "no host of etcd signs a certificate to look for objects");
                return Data::Unknown;
            }
        };
        let credentials = Credentials::new(&access.authority, &issued.certificate, &issued.key);
        let Ok(credentials) = credentials else { return Data::Unknown };
        let (credentials, prefix) = (&credentials, self.setup.desired.etcd_prefix.as_str());
        let asked = self.etcd.first(async |key, host| {
            let silent = |error: crate::remote::etcd::CallError| {
                let (host, source) = (host.name().clone(), Box::new(error));
                HostError::Unreachable { host, source }
            };
            let nowhere = || HostError::Failed {
                host: host.name().clone(),
                call: "look for objects".to_owned(),
                reason: "its member has no address".to_owned(),
            };
            let client = *access.members.get(&key).ok_or_else(nowhere)?;
            let stream = host.forward(&client.to_string()).await?;
            let api = Api::open(stream, client.ip(), credentials).await.map_err(silent)?;
            api.has_below(prefix).await.map_err(silent)
        });
        match asked.await {
            Ok(true) => Data::Present,
            Ok(false) => Data::Absent,
            Err(why) => {
                for (key, error) in why {
                    tracing::warn!(host = key, error = %chain(&error), "does not tell of objects");
                }
                Data::Unknown
            }
        }
    }

    /// Has certificates signed by the first host of etcd that can, and notes on all of its hosts who has got them. None of
    /// them stays locked.
    pub(super) async fn sign_for_etcd(
        &mut self,
        requests: &[SignRequest],
    ) -> Result<Vec<String>, HostError> {
        let done = self.sign_there(requests).await;
        self.etcd.release().await;
        done
    }

    async fn sign_there(&mut self, requests: &[SignRequest]) -> Result<Vec<String>, HostError> {
        let keys: Vec<String> = self.etcd.keys().map(str::to_owned).collect();
        let secret = self.looks.values().filter(|it| it.is_ours()).find_map(|it| it.key.clone());
        self.note_there(secret.as_ref()).await;
        let mut why = None;
        for key in keys {
            let one = BTreeSet::from([key]);
            let signed = self.etcd.some(&one, async |_, host| {
                let mut made = Vec::new();
                for request in requests {
                    made.push(host.sign(request.clone()).await?);
                }
                Ok(made)
            });
            match signed.await.into_values().next() {
                Some(Ok(made)) => return Ok(made),
                Some(Err(error)) => why = Some(error),
                None => {}
            }
        }
        Err(why.unwrap_or_else(|| HostError::Failed {
            host: self.setup.called.clone(),
            call: "have certificates signed for etcd".to_owned(),
            reason: "no host of the cluster of etcd is known".to_owned(),
        }))
    }

    /// Notes on all hosts of etcd with which key Secrets are encrypted. None of them stays locked.
    pub(super) async fn tell_etcd(&mut self, secret: Option<&EncryptionKey>) {
        self.note_there(secret).await;
        self.etcd.release().await;
    }

    async fn note_there(&mut self, secret: Option<&EncryptionKey>) {
        let (claim, id) = (self.etcd_claim(), self.setup.own.id.clone());
        let all = self.etcd.keys().map(str::to_owned).collect();
        let own = self.as_consumer(secret);
        let noted =
            self.etcd.some(&all, async |_, host| note(&host, &claim, &id, Some(&own)).await);
        // A host that does not answer now has the note from another.
        for (key, error) in noted.await.into_iter().filter_map(|(key, it)| Some((key, it.err()?))) {
            tracing::warn!(host = key, error = %chain(&error), "does not note who uses etcd");
        }
    }

    /// The objects stay; nobody lives off the cluster any more. A host that does not answer keeps its note.
    pub(super) async fn take_leave_of_etcd(&mut self) {
        let (claim, id) = (self.etcd_claim(), self.setup.own.id.clone());
        let all = self.etcd.keys().map(str::to_owned).collect();
        let noted = self.etcd.some(&all, async |_, host| note(&host, &claim, &id, None).await);
        for (key, error) in noted.await.into_iter().filter_map(|(key, it)| Some((key, it.err()?))) {
            tracing::warn!(host = key, error = %chain(&error), "keeps the note of who used etcd");
        }
        self.etcd.release().await;
    }

    /// What it takes to stop the API servers, should the data be restored, and to tell who can read it.
    fn as_consumer(&self, secret: Option<&EncryptionKey>) -> Consumer {
        let own = &self.setup.own;
        let nodes = own.applied.get("nodes").and_then(|it| it.as_object());
        let way = |(key, node): (&String, &Json)| (key.clone(), node["host"].clone());
        let hosts = nodes.into_iter().flatten().map(way).collect();
        let encryption_key = secret.map(EncryptionKey::fingerprint);
        Consumer { name: own.claim.name.clone(), hosts, encryption_key }
    }

    fn etcd_claim(&self) -> Claim {
        let name = self.setup.etcd.name.to_string();
        Claim { kind: etcd::KIND.to_owned(), name, id: None, given: None }
    }
}

/// Whether this object lives off the cluster, in the records of one of its hosts. Without a record nothing is noted.
async fn note(
    host: &Locked,
    claim: &Claim,
    id: &str,
    own: Option<&Consumer>,
) -> Result<(), HostError> {
    let records = host.records(&[&record_name(claim), &Consumers::name(claim)]).await?;
    let stored = records.iter().find(|it| it.name == record_name(claim));
    let Some(stored) = stored else { return Ok(()) };
    let Ok(mut record) = Record::parse(stored.format, &stored.content) else { return Ok(()) };
    if let Some(known) = Consumers::of(&records, claim) {
        let mut now = known.clone();
        match own {
            Some(own) => drop(now.0.insert(id.to_owned(), own.clone())),
            None => drop(now.0.remove(id)),
        }
        if now != known {
            now.put(host, claim).await?;
        }
    }
    let has_changed = if own.is_some() {
        record.consumers.insert(id.to_owned())
    } else {
        record.consumers.remove(id)
    };
    if has_changed { write_record(host, claim, &record).await } else { Ok(()) }
}
