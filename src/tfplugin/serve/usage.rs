//! What a human reads who starts the plugin by hand.

use super::About;

/// What the arguments ask for. Terraform gives none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Serve,
    Debug,
    Version,
    Help,
    Unknown(String),
}

/// Go programs take one dash or two, so both are taken here.
pub(super) fn wanted(mut arguments: impl Iterator<Item = String>) -> Wanted {
    let Some(argument) = arguments.next() else { return Wanted::Serve };
    match argument.as_str() {
        "--debug" | "-debug" => Wanted::Debug,
        "--version" | "-version" | "-v" => Wanted::Version,
        "--help" | "-help" | "-h" => Wanted::Help,
        _ => Wanted::Unknown(argument),
    }
}

pub(super) fn version(about: &About) -> String {
    format!("{} {}\n", binary(about), about.version)
}

pub(super) fn help(about: &About) -> String {
    let (binary, name, version) = (binary(about), about.name, about.version);
    let source = source(about.address);
    format!(
        "{binary} {version} is a provider for Terraform and OpenTofu.
They start it themselves; started by hand it does nothing.

To use it, put this into a configuration and run `terraform init` or `tofu init`:

  terraform {{
    required_providers {{
      {name} = {{
        source  = \"{source}\"
        version = \"{version}\"
      }}
    }}
  }}

Options:
  --debug    serve in the foreground until Ctrl-C, for a debugger; prints how to attach to it
  --version  print the version
  --help     print this
"
    )
}

pub(super) fn unknown(about: &About, argument: &str) -> String {
    format!("{}: unknown argument {argument:?}\n\n{}", binary(about), help(about))
}

fn binary(about: &About) -> String {
    format!("terraform-provider-{}", about.name)
}

/// An address as written in a configuration: each engine puts its own default host in front.
fn source(address: &str) -> &str {
    match address.split_once('/') {
        Some((_host, source)) if source.contains('/') => source,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let check = |typed: &[&str], meant| {
            assert_eq!(wanted(typed.iter().map(ToString::to_string)), meant, "{typed:?}");
        };
        check(&[], Wanted::Serve);
        check(&["--debug"], Wanted::Debug);
        check(&["-debug"], Wanted::Debug);
        check(&["-v"], Wanted::Version);
        check(&["--help"], Wanted::Help);
        check(&["serve"], Wanted::Unknown("serve".to_owned()));
    }

    #[test]
    fn a_source_leaves_the_host_out() {
        assert_eq!(source("example.com/terraform-ha/ha"), "terraform-ha/ha");
        assert_eq!(source("terraform-ha/ha"), "terraform-ha/ha");
        assert_eq!(source("ha"), "ha");
    }
}
