//! What a step is expected to do, for the forecast of a plan. Apply never believes it: it looks again.

use super::{Begun, Found, Observed, Progress, Step, Wanted};
use crate::domain::etcd::observed::{ClusterId, Host, Owner, Token, Unit};
use crate::domain::etcd::{self, Desired, Name};

/// Changes a look as if the step had done all that it is for.
pub fn believe(desired: &Desired, wanted: &Wanted, observed: &mut Observed, step: &Step) {
    let begun = || Begun {
        generation: wanted.generation,
        source: wanted.source.clone(),
        token: Token(String::new()),
        digest: String::new(),
        size: 0,
        bump: 0,
        cluster: ClusterId(0),
    };
    match step {
        Step::Outfit(step) => etcd::believe(desired, &mut observed.etcd, step),
        Step::Find { .. } => {
            let digest = String::new();
            observed.found = Some(Found { digest, size: 0, revision: 0, origin: None });
        }
        Step::Begin { hosts, .. } => {
            on(observed, hosts, &|it| {
                *it = Progress { generation: it.generation, ..Progress::default() };
                it.begun = Some(begun());
            });
            // Who was asked for it has it.
            if let Some(first) = hosts.first().and_then(|it| observed.progress.get_mut(it)) {
                first.has_file = true;
            }
        }
        Step::Bring { hosts } => on(observed, hosts, &|it| it.has_file = true),
        Step::Prepare { hosts } => on(observed, hosts, &|it| it.is_prepared = true),
        Step::StopClients { .. } => {
            let up = std::mem::take(&mut observed.clients.up);
            observed.clients.stopped.extend(up);
        }
        Step::Stop { hosts, former } => {
            set(observed, hosts, Unit::Stopped);
            for name in former {
                if let Some(Host::Seen(it)) =
                    observed.etcd.former.get_mut(name).map(|it| &mut it.host)
                {
                    it.unit = Unit::Stopped;
                }
            }
            observed.etcd.cluster = None;
        }
        Step::Switch { hosts } => on(observed, hosts, &|it| it.is_switched = true),
        Step::Start { hosts } => {
            set(observed, hosts, Unit::Running);
            etcd::believe(
                desired,
                &mut observed.etcd,
                &etcd::Step::Bootstrap { hosts: hosts.clone() },
            );
        }
        Step::StartClients { .. } => observed.clients.stopped.clear(),
        Step::Finish { hosts, generation } => {
            let generation = *generation;
            on(observed, hosts, &|it| *it = Progress { generation, ..Progress::default() });
            for host in observed.etcd.hosts.values_mut() {
                if let Host::Seen(it) = host {
                    it.is_formed = true;
                    it.owner = Owner::Ours { is_current: true };
                }
            }
        }
    }
}

fn on(observed: &mut Observed, hosts: &[Name], edit: &dyn Fn(&mut Progress)) {
    for name in hosts {
        edit(observed.progress.entry(name.clone()).or_default());
    }
}

fn set(observed: &mut Observed, hosts: &[Name], unit: Unit) {
    for name in hosts {
        if let Some(Host::Seen(it)) = observed.etcd.hosts.get_mut(name) {
            it.unit = unit;
        }
    }
}
