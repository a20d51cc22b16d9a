//! The agent binary, started on a host by the provider.

use std::process::ExitCode;

use terraform_provider_ha::agent::run;

fn main() -> ExitCode {
    run()
}
