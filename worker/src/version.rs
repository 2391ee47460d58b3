//! Which version of the code a worker runs, for worker versioning.

use clap::Args;
use temporalio_common::worker::{
    VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion,
};
use temporalio_sdk::WorkerOptions;

/// Worker versioning. With both flags, the server gives new orders to the version that was made the
/// current one, and an order stays on the version it began on: its steps are run by the code that
/// planned them, so a deploy cannot change an order half way. Orders take seconds or days, not
/// years, so an old version is soon done with.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Worker versioning")]
pub struct VersionArgs {
    /// The deployment this worker belongs to; goes with --build-id [default: no versioning]
    #[arg(
        long,
        env = "TEMPORAL_DEPLOYMENT_NAME",
        value_name = "NAME",
        requires = "build_id",
        value_parser = name
    )]
    pub deployment_name: Option<String>,
    /// The version of the code within that deployment; goes with --deployment-name
    #[arg(
        long,
        env = "TEMPORAL_WORKER_BUILD_ID",
        value_name = "ID",
        requires = "deployment_name",
        value_parser = name
    )]
    pub build_id: Option<String>,
}

impl VersionArgs {
    /// Sets a worker's options accordingly.
    pub fn apply(&self, options: &mut WorkerOptions) {
        let (Some(deployment), Some(build)) = (&self.deployment_name, &self.build_id) else {
            return;
        };
        let version = WorkerDeploymentVersion::builder()
            .deployment_name(deployment.as_str())
            .build_id(build.as_str())
            .build();
        options.deployment_options = WorkerDeploymentOptions::new(version)
            .use_worker_versioning(true)
            .default_versioning_behavior(VersioningBehavior::Pinned)
            .build();
    }
}

/// The server puts both into one word, with a dot or a colon between them.
fn name(text: &str) -> Result<String, String> {
    if text.contains(['.', ':']) {
        return Err("expected a name without dots and colons".to_owned());
    }
    temporal::names::check_name(text).map_err(|problem| format!("the name {problem}"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::Args;

    #[test]
    fn a_deployment_and_a_build_go_together() {
        let both = ["worker", "--deployment-name", "orders", "--build-id", "7"];
        let args = Args::try_parse_from(both).unwrap();
        assert_eq!(args.version.build_id.as_deref(), Some("7"));
        for one in [["--deployment-name", "orders"], ["--build-id", "7"]] {
            let args = ["worker"].into_iter().chain(one);
            assert!(Args::try_parse_from(args).is_err(), "{one:?}");
        }
    }
}
