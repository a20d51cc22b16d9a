//! API servers that use the cluster, on hosts of their own.

use std::collections::BTreeSet;

use super::Restore;
use crate::actions::etcd::consumers::{Consumer, Consumers};
use crate::actions::kubernetes::api_server_unit;
use crate::domain::etcd::restore::Clients;
use crate::engine::{Fleet, chain, gravest};
use crate::host::HostError;
use crate::host::messages::FactsRequest;
use crate::host::messages::service_request::Action;

/// From what the hosts remember of a control plane to its hosts. None: nobody can go there.
pub type Reach<'a> = &'a (dyn Fn(&Consumer) -> Option<Fleet> + Send + Sync);

/// A control plane whose hosts are known.
#[derive(Debug)]
pub(super) struct Client {
    fleet: Fleet,
    /// Of its API servers.
    unit: String,
    /// How it is called.
    name: String,
}

impl Restore<'_, '_> {
    /// Who uses the cluster, and whether they run.
    pub(super) async fn look_at_clients(&mut self) -> Clients {
        let ours = self.cluster.looks.values().filter(|it| it.is_ours());
        let ids: BTreeSet<String> = ours.flat_map(|it| it.consumers.iter().cloned()).collect();
        let known = self.known_clients().0;
        let mut found = Clients::default();
        for id in ids {
            if !self.clients.contains_key(&id)
                && let Some(consumer) = known.get(&id)
                && let Some(fleet) = (self.reach)(consumer)
            {
                let (name, unit) = (consumer.name.clone(), api_server_unit(&consumer.name));
                self.clients.insert(id.clone(), Client { fleet, unit, name });
            }
            let Some(client) = self.clients.get(&id) else {
                found.unknown.insert(id);
                continue;
            };
            let (is_up, is_down, is_unseen) = client.look().await;
            let name = client.name.clone();
            if is_up {
                found.up.insert(name.clone());
            }
            if is_down && !self.are_started {
                found.stopped.insert(name.clone());
            }
            if is_unseen {
                found.unknown.insert(name);
            }
        }
        found
    }

    /// As the hosts remember them.
    pub(super) fn known_clients(&self) -> Consumers {
        let ours = self.cluster.looks.values().filter(|it| it.is_ours());
        Consumers(ours.flat_map(|it| it.known.0.clone()).collect())
    }

    pub(super) async fn stop_clients(&mut self) -> Result<(), HostError> {
        self.act_on_clients(Action::Stop).await
    }

    pub(super) async fn start_clients(&mut self) -> Result<(), HostError> {
        self.act_on_clients(Action::Start).await?;
        // Whether they come up is for their own resource to see.
        self.are_started = true;
        Ok(())
    }

    /// Those that do not answer were told of before.
    async fn act_on_clients(&mut self, action: Action) -> Result<(), HostError> {
        for client in self.clients.values_mut() {
            let all: BTreeSet<String> = client.fleet.keys().map(str::to_owned).collect();
            let unit = client.unit.clone();
            let mut done = client
                .fleet
                .some(&all, async |_, host| {
                    let seen = host.service(Action::Look, &unit).await?;
                    if seen.is_some_and(|it| it.load == "loaded") {
                        host.service(action, &unit).await?;
                    }
                    Ok(())
                })
                .await;
            // The control plane goes on with its hosts in the same apply.
            client.fleet.release().await;
            done.retain(|key, it| match it {
                Err(error @ HostError::Unreachable { .. }) => {
                    tracing::warn!(host = key, error = %chain(error), "its API server is left as it is");
                    false
                }
                _ => true,
            });
            gravest(done)?;
        }
        Ok(())
    }
}

impl Client {
    /// Whether one of them runs, one does not, and one cannot be seen.
    async fn look(&self) -> (bool, bool, bool) {
        let request = || FactsRequest { units: vec![self.unit.clone()], ..FactsRequest::default() };
        let answers = self.fleet.look(async |_, host| host.facts(request()).await).await;
        let (mut is_up, mut is_down, mut is_unseen) = (false, false, false);
        for answer in answers.into_values() {
            match answer {
                Ok(facts) => {
                    let unit = facts.units.first();
                    let is_loaded = unit.is_some_and(|it| it.load == "loaded");
                    let is_at_rest =
                        unit.is_none_or(|it| matches!(it.active.as_str(), "inactive" | "failed"));
                    is_up |= !is_at_rest;
                    is_down |= is_loaded && is_at_rest;
                }
                Err(_) => is_unseen = true,
            }
        }
        (is_up, is_down, is_unseen)
    }
}
