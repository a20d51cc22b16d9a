//! `probe`: a provider for tests and for the demo, never shipped. It uses every feature of
//! `tfplugin`, and keeps each object as a JSON file, so that a test sees what really exists.
#![allow(clippy::disallowed_methods, reason = "files and clocks are what this provider is about")]

mod provider;
mod store;
mod thing;
mod things;
mod token;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use terraform_provider_ha::tfplugin::docs;
use terraform_provider_ha::tfplugin::serve::{About, run};
use terraform_provider_ha::tfplugin::service::Service;

const ABOUT: About = About {
    address: "registry.terraform.io/terraform-ha/probe",
    name: "probe",
    version: env!("CARGO_PKG_VERSION"),
};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(command), Some(folder)) if command == "pages" => write_pages(Path::new(&folder)),
        _ => run(&ABOUT, |lifecycle| Service::new(provider::registry(), lifecycle)),
    }
}

/// For the checker of reference documentation, which needs a type of each kind to judge.
#[expect(clippy::print_stderr, reason = "called like this it is no plugin")]
fn write_pages(folder: &Path) -> ExitCode {
    let write = |page: docs::Page| -> io::Result<()> {
        let path = folder.join(page.path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, page.text)
    };
    let pages = docs::pages(&provider::registry(), ABOUT.name, |_| None);
    match pages.into_iter().try_for_each(write) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {}: {err}", folder.display());
            ExitCode::FAILURE
        }
    }
}
