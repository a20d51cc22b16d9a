//! `probe`: a provider for tests and for the demo, never shipped. It uses every feature of
//! `tfplugin`, and keeps each object as a JSON file, so that a test sees what really exists.
#![allow(clippy::disallowed_methods, reason = "files and clocks are what this provider is about")]

mod provider;
mod store;
mod thing;
mod things;
mod token;

use std::process::ExitCode;

use terraform_provider_ha::tfplugin::serve::{About, run};
use terraform_provider_ha::tfplugin::service::Service;

const ABOUT: About = About {
    address: "registry.terraform.io/terraform-ha/probe",
    name: "probe",
    version: env!("CARGO_PKG_VERSION"),
};

fn main() -> ExitCode {
    run(&ABOUT, |lifecycle| Service::new(provider::registry(), lifecycle))
}
