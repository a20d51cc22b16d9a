//! The provider binary, started by Terraform or OpenTofu.

use std::process::ExitCode;

use terraform_provider_ha::resources::registry;
use terraform_provider_ha::tfplugin::serve::{About, run};
use terraform_provider_ha::tfplugin::service::Service;

const ABOUT: About = About {
    address: "registry.terraform.io/terraform-ha/ha",
    name: "ha",
    version: env!("CARGO_PKG_VERSION"),
};

fn main() -> ExitCode {
    run(&ABOUT, |lifecycle| Service::new(registry(), lifecycle))
}
