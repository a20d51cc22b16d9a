//! What a step is expected to do, for the forecast of a plan. Apply never believes it: it looks again.

use super::arguments::Component;
use super::desired::Desired;
use super::observed::{
    Data, Facts, KeptBundle, KeysId, Leader, Leaders, Node, Observed, Part, Settings,
};
use super::steps::Step;
use super::version::Version;
use crate::domain::host::{Certificates, Owner, Unit};
use crate::domain::name::Name;

/// Changes a look as if the step had done all that it is for, and its components had come up.
pub fn believe(desired: &Desired, observed: &mut Observed, step: &Step) {
    match step {
        Step::Claim { hosts } => on(observed, hosts, |it| it.owner = Owner::Unfinished),
        Step::Discard { hosts } | Step::Dismantle { hosts, .. } => {
            on(observed, hosts, clean);
            former(observed, hosts);
        }
        Step::Reset { hosts } => on(observed, hosts, clean),
        Step::Recover { hosts } => {
            let keys = observed.recovery.clone();
            on(observed, hosts, |it| it.keys.clone_from(&keys));
        }
        Step::Certify { hosts } => {
            let keys = observed.nodes.values().find_map(|it| it.seen()?.keys.clone());
            let keys = keys.unwrap_or_else(|| KeysId(String::new()));
            on(observed, hosts, |it| {
                it.certificates = Certificates::Good;
                it.keys.get_or_insert_with(|| keys.clone());
            });
        }
        Step::Stage { hosts, version } => on(observed, hosts, |it| {
            it.staged.insert(*version);
        }),
        Step::Prepare { hosts, version } => on(observed, hosts, |it| {
            put(it, Component::ALL, *version);
            let absent = it.parts.iter_mut().filter(|it| it.unit == Unit::Absent);
            absent.for_each(|it| it.unit = Unit::Stopped);
        }),
        Step::Begin { hosts } => {
            on(observed, hosts, begin);
            observed.data = Data::Present;
            observed.has_admins.get_or_insert(false);
        }
        Step::Join { host } => on(observed, std::slice::from_ref(host), begin),
        Step::BindAdmins { .. } => observed.has_admins = Some(true),
        Step::Start { hosts, components } => {
            on(observed, hosts, |it| run(it, components));
            lead(observed, hosts, components);
        }
        Step::Restart { host, component } => {
            on(observed, std::slice::from_ref(host), |it| run(it, &[*component]));
        }
        Step::Reconfigure { host, components, version } => {
            on(observed, std::slice::from_ref(host), |it| {
                let before = it.part(Component::ApiServer).on_disk.map(|it| it.version);
                it.previous = it.previous.or(before);
                put(it, components, *version);
                run(it, components);
            });
        }
        Step::Confirm { hosts, .. } => on(observed, hosts, |it| it.previous = None),
        Step::PutBack { host, version } => {
            observed.failed.insert(host.clone());
            on(observed, std::slice::from_ref(host), |it| {
                let settings = Settings { version: *version, is_current: false };
                for part in &mut it.parts {
                    part.on_disk = Some(settings);
                }
                it.previous = None;
                run(it, Component::ALL);
            });
        }
        Step::Retire { host, .. } => former(observed, std::slice::from_ref(host)),
        Step::Rewrite { hosts } => {
            on(observed, hosts, |it| put(it, Component::ALL, desired.version));
        }
        Step::KeepBundle { from, hosts } => {
            let from = from.as_ref().and_then(|it| observed.nodes.get(it)?.seen());
            let fresh = KeptBundle::Current(String::new());
            let bundle = from.map_or(fresh, |it| it.bundle.clone());
            on(observed, hosts, |it| it.bundle.clone_from(&bundle));
        }
        Step::ForgetBundle { hosts } => {
            on(observed, hosts, |it| it.bundle = KeptBundle::Absent);
        }
        Step::Record { hosts } => {
            on(observed, hosts, |it| it.owner = Owner::Ours { is_current: true });
        }
    }
}

fn on(observed: &mut Observed, hosts: &[Name], edit: impl Fn(&mut Facts)) {
    for name in hosts {
        if let Some(Node::Seen(facts)) = observed.nodes.get_mut(name) {
            edit(facts);
        }
    }
}

/// Cleans what is not wanted any more under these names.
fn former(observed: &mut Observed, hosts: &[Name]) {
    for name in hosts {
        if let Some(Node::Seen(facts)) = observed.former.get_mut(name) {
            clean(facts);
        }
    }
}

fn clean(facts: &mut Facts) {
    facts.owner = Owner::Nobody;
    facts.keys = None;
    facts.is_begun = false;
    facts.previous = None;
    facts.parts = [Part::ABSENT; 3];
    facts.certificates = Certificates::Missing;
    facts.bundle = KeptBundle::Absent;
}

fn put(facts: &mut Facts, components: &[Component], version: Version) {
    for component in components {
        facts.part_mut(*component).on_disk = Some(Settings { version, is_current: true });
    }
}

fn run(facts: &mut Facts, components: &[Component]) {
    for component in components {
        let part = facts.part_mut(*component);
        (part.unit, part.running) = (Unit::Running, part.on_disk);
    }
}

fn begin(facts: &mut Facts) {
    facts.is_begun = true;
    run(facts, &[Component::ApiServer]);
}

/// Where nobody led, whoever starts does.
fn lead(observed: &mut Observed, hosts: &[Name], components: &[Component]) {
    let Some(first) = hosts.first() else { return };
    let nobody = Leaders { controller_manager: Leader::Nobody, scheduler: Leader::Nobody };
    let leaders = observed.leaders.get_or_insert(nobody);
    for component in components {
        let leader = match component {
            Component::ApiServer => continue,
            Component::ControllerManager => &mut leaders.controller_manager,
            Component::Scheduler => &mut leaders.scheduler,
        };
        if *leader == Leader::Nobody {
            *leader = Leader::Node(first.clone());
        }
    }
}
