//! The provider of the benchmarks: one small resource, kept nowhere. `benches/peer` is the same on
//! the Go plugin framework.

use std::collections::BTreeMap;
use std::process::ExitCode;

use terraform_provider_ha::model;
use terraform_provider_ha::tfplugin::api::{
    Applied, Context, Created, Deleted, Object, Provider, Read, Registry, Resource, Wanted,
};
use terraform_provider_ha::tfplugin::diagnostics::Diagnostics;
use terraform_provider_ha::tfplugin::model::Nothing;
use terraform_provider_ha::tfplugin::serve::{About, run};
use terraform_provider_ha::tfplugin::service::Service;
use terraform_provider_ha::tfplugin::value::Value;

const ABOUT: About = About {
    address: "registry.terraform.io/terraform-ha/probe",
    name: "probe",
    version: env!("CARGO_PKG_VERSION"),
};

fn main() -> ExitCode {
    run(&ABOUT, |lifecycle| Service::new(Registry::new(Probe).resource(Item), lifecycle))
}

struct Probe;

impl Provider for Probe {
    type Config = Nothing;
    type Client = ();

    async fn configure(&self, Nothing: Nothing, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }
}

model! {
    /// An item.
    pub struct ItemModel {
        /// Name of the item.
        name: Value<String> = required(),
        /// A note.
        note: Value<String> = optional(),
        /// Size of the item.
        size: Value<i64> = optional().default(1),
        /// Tags.
        tags: Value<BTreeMap<String, String>> = optional(),
        /// `item-<name>`.
        id: Value<String> = computed(),
        /// Length of name and note.
        fingerprint: Value<String> = computed().changes_with(&["name", "note", "size", "tags"]),
    }
}

struct Item;

impl Item {
    fn applied(mut state: ItemModel) -> Applied<Self> {
        let name = state.name.known().cloned().unwrap_or_default();
        let note = state.note.known().map_or(0, String::len);
        if !state.id.is_known() {
            state.id = format!("item-{name}").into();
        }
        state.fingerprint = (name.len() + note).to_string().into();
        Applied { state, private: (), diags: Diagnostics::new() }
    }
}

impl Resource for Item {
    const NAME: &'static str = "probe_item";
    type Provider = Probe;
    type Model = ItemModel;
    type Identity = Nothing;
    type Private = ();

    async fn create(&self, (): &(), wanted: Wanted<Self>, _: &Context) -> Created<Self> {
        Created::Made(Self::applied(wanted.planned))
    }

    async fn read(&self, (): &(), object: Object<Self>, _: &Context) -> Read<Self> {
        let Object { state, private, .. } = object;
        Read::Present(Applied { state, private, diags: Diagnostics::new() })
    }

    async fn update(
        &self,
        (): &(),
        _: Object<Self>,
        wanted: Wanted<Self>,
        _: &Context,
    ) -> Applied<Self> {
        Self::applied(wanted.planned)
    }

    async fn delete(&self, (): &(), _: Object<Self>, _: &Context) -> Deleted<Self> {
        Deleted::Gone(Diagnostics::new())
    }
}
