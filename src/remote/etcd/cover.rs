//! Until when the data of a cluster is in a backup: one key of our own in the cluster, for those who would take the next
//! snapshot. Hosts have no other way to each other.

use bytes::Bytes;

use super::{Api, CallError, ask};
use crate::proto::etcd::compare::{Result as Is, Target, Value};
use crate::proto::etcd::request_op::Request;
use crate::proto::etcd::{Compare, PutRequest, RangeRequest, RequestOp, TxnRequest};

/// Keys of Kubernetes begin with a slash, and hardly any key with a zero.
const BELOW: &str = "\0terraform-provider-ha/backup/";

/// The key of one backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverKey(Bytes);

impl CoverKey {
    /// Of the backup that is called so.
    pub fn of(backup: &str) -> Self {
        Self(format!("{BELOW}{backup}").into_bytes().into())
    }
}

/// What a linearizable read of it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// The newest moment of which there is a verified snapshot. None: of none.
    pub until: Option<i64>,
    /// The last change of the cluster at that time.
    pub revision: u64,
    changed: i64,
}

impl Api {
    /// Until when there is a backup.
    ///
    /// # Errors
    /// As every call; also without a quorum.
    pub async fn cover(&self, key: &CoverKey) -> Result<Cover, CallError> {
        let mut client = self.kv.clone();
        let request = RangeRequest { key: key.0.clone(), limit: 1, ..RangeRequest::default() };
        let reply = ask("tell until when there is a backup", client.range(request)).await?;
        let revision = reply.header.map(|it| it.revision).unwrap_or_default();
        let found = reply.kvs.first();
        // What is no moment is as if there were none: it is written anew.
        let until = found.and_then(|it| std::str::from_utf8(&it.value).ok()?.parse().ok());
        Ok(Cover {
            until,
            revision: u64::try_from(revision).unwrap_or_default(),
            changed: found.map(|it| it.mod_revision).unwrap_or_default(),
        })
    }

    /// Says that there is a backup until this moment, unless somebody has said so, or more, since `seen`. Whether nobody has.
    ///
    /// # Errors
    /// As every call: then it may have been said.
    pub async fn set_cover(
        &self,
        key: &CoverKey,
        seen: Cover,
        until: i64,
    ) -> Result<bool, CallError> {
        let mut client = self.kv.clone();
        let unchanged = Compare {
            result: Is::Equal.into(),
            target: Target::Mod.into(),
            key: key.0.clone(),
            value: Some(Value::ModRevision(seen.changed)),
        };
        let put = PutRequest { key: key.0.clone(), value: until.to_string().into() };
        let request = TxnRequest {
            compare: vec![unchanged],
            success: vec![RequestOp { request: Some(Request::Put(put)) }],
        };
        let reply = ask("say until when there is a backup", client.txn(request)).await?;
        Ok(reply.succeeded)
    }
}
