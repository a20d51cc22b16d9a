//! `trial`: the smallest resource with everything that host resources stand on: engine, agent, planner. For tests, never
//! shipped. The provider block is the real one. The program that it installs is named by TRIAL_PROGRAM.
#![allow(clippy::disallowed_methods, reason = "reads the program that it is to install")]
#![allow(clippy::expect_used, reason = "a test fails loudly")]

mod actions;
mod domain;
mod service;
#[cfg(test)]
mod sweep;

use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs};

use terraform_provider_ha::resources::Ha;
use terraform_provider_ha::tfplugin::api::Registry;
use terraform_provider_ha::tfplugin::serve::{About, run};
use terraform_provider_ha::tfplugin::service::Service;

const ABOUT: About = About {
    address: "registry.terraform.io/terraform-ha/trial",
    name: "trial",
    version: env!("CARGO_PKG_VERSION"),
};

fn main() -> ExitCode {
    let program = env::var_os("TRIAL_PROGRAM").and_then(|it| fs::read(it).ok());
    let service = service::Service { program: Arc::new(program.unwrap_or_default()) };
    run(&ABOUT, |lifecycle| Service::new(Registry::new(Ha).resource(service), lifecycle))
}
