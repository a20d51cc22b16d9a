//! The agents that travel to the hosts of a lab.

use terraform_provider_ha::host::Binaries;

/// Those that `scripts/stage lab` builds: HA_AGENT_DIRECTORY tells where they are.
pub(crate) fn agent_binaries() -> Binaries {
    Binaries::find().expect("`make lab` builds the agent and sets HA_AGENT_DIRECTORY")
}
