//! Builds of the workers: which of them gets the new orders, and which one an order is on.
//!
//! It takes workers with `--deployment-name` and `--build-id`. An order is pinned to the build that
//! began it. Another build continues it only if it is moved there.

use std::{
    fmt,
    io::Write,
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, anyhow, bail, ensure};
use futures::TryStreamExt;
use serde::Serialize;
use serde_json::json;
use temporal::{excerpt, printable, reported};
use temporalio_client::{
    Client, WorkflowCountOptions, WorkflowExecution, WorkflowListOptions,
    grpc::WorkflowService,
    tonic::{Code, IntoRequest, Status},
};
use temporalio_common::protos::temporal::api::{
    common::v1,
    deployment::v1::{WorkerDeploymentInfo, WorkerDeploymentVersion},
    enums::v1::RoutingConfigUpdateState,
    workflow::v1::{
        VersioningOverride, WorkflowExecutionOptions,
        versioning_override::{Override, PinnedOverride, PinnedOverrideBehavior},
    },
    workflowservice::v1::{
        DescribeWorkerDeploymentRequest, DescribeWorkerDeploymentVersionRequest,
        SetWorkerDeploymentCurrentVersionRequest, SetWorkerDeploymentRampingVersionRequest,
        UpdateWorkflowExecutionOptionsRequest,
    },
};

use crate::{
    args::{BuildsCommand, BuildsListArgs, DeployArgs, DeploymentArgs, TakeBackArgs},
    connect::connect,
    list::{ORDERS, VERSION},
};

/// The server may take this long until each of its parts knows where new orders go.
const ROUTED_WITHIN: Duration = Duration::from_secs(5);

/// The server may take this long until it knows the workers of a build that was just started.
const KNOWN_WITHIN: Duration = Duration::from_secs(15);

/// The server lists an order that it has just begun a moment later.
const LISTED_WITHIN: Duration = Duration::from_secs(2);

/// A worker asks for workflow tasks and for activity tasks. If a build is to get new orders before the server
/// knows both task queues, the server can get stuck telling them of it.
const TASK_QUEUES: usize = 2;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The share of a build that gets all new orders.
const ALL: f32 = 100.0;

/// Does what is asked for about builds.
///
/// # Errors
/// Returns an error if there is no such deployment or build, or the server does not answer.
pub async fn run(command: &BuildsCommand) -> anyhow::Result<ExitCode> {
    match command {
        BuildsCommand::List(args) => list(args).await?,
        BuildsCommand::Deploy(args) => deploy(args).await?,
        BuildsCommand::TakeBack(args) => take_back(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(args: &BuildsListArgs) -> anyhow::Result<()> {
    let builds = args.deployment.connect().await?.builds().await?;
    if args.json {
        say(&json!(builds).to_string());
    } else {
        builds.iter().for_each(|build| say(&build.to_string()));
    }
    Ok(())
}

async fn deploy(args: &DeployArgs) -> anyhow::Result<()> {
    let (build, percent) = (&args.build, f32::from(args.percent));
    let deployment = args.deployment.connect().await?;
    deployment.deploy(build, percent).await?;
    say(&format!("build {build} gets {percent} % of the new orders"));
    Ok(())
}

async fn take_back(args: &TakeBackArgs) -> anyhow::Result<()> {
    let (bad, good) = (&args.build, &args.to);
    let deployment = args.deployment.connect().await?;
    let moved = deployment.take_back(bad, good).await?;
    say(&format!("build {bad} gets no new orders"));
    for workflow_id in &moved {
        let workflow_id = printable(workflow_id);
        say(&format!("{workflow_id} is moved to build {good}"));
    }
    if moved.is_empty() {
        say(&format!("no order was under way on build {bad}"));
    }
    Ok(())
}

/// Says a sentence. A pipe that nobody reads any more is no reason to fail.
fn say(sentence: &str) {
    let _ = writeln!(anstream::stdout(), "{sentence}");
}

/// A build of the workers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// Its ID.
    #[serde(rename = "buildID")]
    pub id: String,
    /// How many of the new orders go to it, in percent.
    pub percent: f32,
    /// How many orders are under way on it.
    pub under_way: usize,
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            percent,
            under_way,
        } = self;
        let id = printable(id);
        write!(f, "build {id:<12} {percent:>3} % of the new orders, ")?;
        write!(f, "{under_way} under way")
    }
}

/// The workers of all builds that process the same orders.
pub struct Deployment {
    client: Client,
    name: String,
}

impl DeploymentArgs {
    async fn connect(&self) -> anyhow::Result<Deployment> {
        let client = connect(&self.connect).await?;
        Ok(Deployment::new(client, &self.deployment_name))
    }
}

impl Deployment {
    /// The deployment of this name, whether the server knows it or not.
    pub fn new(client: Client, name: &str) -> Self {
        Self {
            client,
            name: name.to_owned(),
        }
    }

    /// Its builds, the oldest first.
    ///
    /// # Errors
    /// Returns an error if the server knows no such deployment, or does not answer.
    pub async fn builds(&self) -> anyhow::Result<Vec<Build>> {
        let mut info = self.info().await?;
        info.version_summaries.sort_by_key(|version| {
            let created = version.create_time.and_then(|it| it.try_into().ok());
            created.unwrap_or(SystemTime::UNIX_EPOCH)
        });
        let shares = Shares::of(&info);
        let mut builds = Vec::new();
        for version in &info.version_summaries {
            let Some(version) = &version.deployment_version else {
                continue;
            };
            let id = version.build_id.clone();
            let orders = format!("{ORDERS} AND {}", self.under_way(&id));
            let options = WorkflowCountOptions::default();
            let counted = self.client.count_workflows(orders, options).await;
            builds.push(Build {
                percent: shares.share(&id),
                under_way: counted.context("cannot count the orders")?.count(),
                id,
            });
        }
        Ok(builds)
    }

    /// Gives new orders to a build: this many percent of them, or all. The others go to the build that gets
    /// all now. Waits until the server knows the build, and until new orders do go there.
    ///
    /// # Errors
    /// Returns an error if no worker of this build runs, or the server refuses.
    pub async fn deploy(&self, build: &str, percent: f32) -> anyhow::Result<()> {
        if percent < ALL {
            let shares = Shares::of(&self.info().await?);
            ensure!(
                shares.current.as_deref() != Some(build),
                "build {:?} gets all new orders that no other build gets: give another one a share instead",
                excerpt(build)
            );
        }
        let until = Instant::now() + KNOWN_WITHIN;
        while Instant::now() < until && self.task_queues(build).await < TASK_QUEUES {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        loop {
            let Err(status) = self.route(build, percent).await else {
                break;
            };
            let may_become_known =
                matches!(status.code(), Code::NotFound | Code::FailedPrecondition);
            if !may_become_known || Instant::now() > until {
                return Err(anyhow!(reported(status.message()))).with_context(|| {
                    format!(
                        "cannot give new orders to build {:?} of deployment {:?}; does a worker with \
                         --deployment-name and --build-id run?",
                        excerpt(build),
                        excerpt(&self.name)
                    )
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if percent >= ALL && Shares::of(&self.info().await?).ramping.is_some() {
            self.end_share().await?;
        }
        self.until_routed().await
    }

    /// Gives no more new orders to a build, and moves whatever is under way on it to another build, which
    /// has to be able to continue it. Returns the IDs of the workflows that were moved.
    ///
    /// # Errors
    /// Returns an error if the server refuses. Calling it again does the rest.
    pub async fn take_back(&self, bad: &str, good: &str) -> anyhow::Result<Vec<String>> {
        ensure!(
            bad != good,
            "build {:?} cannot take its own place",
            excerpt(bad)
        );
        let shares = Shares::of(&self.info().await?);
        if shares.current.as_deref() == Some(bad) {
            self.deploy(good, ALL).await?;
        } else if shares.ramping.as_deref() == Some(bad) {
            self.end_share().await?;
            self.until_routed().await?;
        }
        let mut moved = Vec::new();
        let mut quiet_since = Instant::now();
        // What began on it last is listed last.
        while quiet_since.elapsed() < LISTED_WITHIN {
            for workflow in self.workflows_on(bad).await? {
                self.pin(&workflow, good).await?;
                let workflow_id = workflow.id().to_owned();
                if !moved.contains(&workflow_id) {
                    moved.push(workflow_id);
                    quiet_since = Instant::now();
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        moved.sort();
        Ok(moved)
    }

    async fn info(&self) -> anyhow::Result<WorkerDeploymentInfo> {
        let request = DescribeWorkerDeploymentRequest {
            namespace: self.namespace(),
            deployment_name: self.name.clone(),
        };
        let mut server = self.client.clone();
        match WorkflowService::describe_worker_deployment(&mut server, request.into_request()).await
        {
            Ok(described) => Ok(described
                .into_inner()
                .worker_deployment_info
                .unwrap_or_default()),
            Err(status) if status.code() == Code::NotFound => bail!(
                "the server knows no deployment {name:?}: start a worker with --deployment-name {name} \
                 --build-id 1",
                name = excerpt(&self.name)
            ),
            Err(status) => {
                Err(anyhow!(reported(status.message()))).context("cannot ask for the builds")
            }
        }
    }

    /// Makes a build the one that gets all new orders, or this many percent of them.
    async fn route(&self, build: &str, percent: f32) -> Result<(), Status> {
        let mut server = self.client.clone();
        let (namespace, deployment_name) = (self.namespace(), self.name.clone());
        let build_id = build.to_owned();
        let identity = self.client.connection().identity().to_owned();
        if percent < ALL {
            let request = SetWorkerDeploymentRampingVersionRequest {
                namespace,
                deployment_name,
                build_id,
                percentage: percent,
                identity,
                ..SetWorkerDeploymentRampingVersionRequest::default()
            };
            let set = server.set_worker_deployment_ramping_version(request.into_request());
            set.await.map(drop)
        } else {
            let request = SetWorkerDeploymentCurrentVersionRequest {
                namespace,
                deployment_name,
                build_id,
                identity,
                ..SetWorkerDeploymentCurrentVersionRequest::default()
            };
            let set = server.set_worker_deployment_current_version(request.into_request());
            set.await.map(drop)
        }
    }

    /// Gives all new orders to the build that gets most of them.
    async fn end_share(&self) -> anyhow::Result<()> {
        // The server takes no build for none.
        let ended = self.route("", 0.0).await;
        ended.map_err(|status| anyhow!(reported(status.message())))
    }

    /// How many task queues of a build the server knows.
    async fn task_queues(&self, build: &str) -> usize {
        let request = DescribeWorkerDeploymentVersionRequest {
            namespace: self.namespace(),
            deployment_version: Some(self.version(build)),
            ..DescribeWorkerDeploymentVersionRequest::default()
        };
        let mut server = self.client.clone();
        let described = server.describe_worker_deployment_version(request.into_request());
        let described = described.await.map(|it| it.into_inner());
        described.map_or(0, |it| it.version_task_queues.len())
    }

    fn version(&self, build: &str) -> WorkerDeploymentVersion {
        WorkerDeploymentVersion {
            build_id: build.to_owned(),
            deployment_name: self.name.clone(),
        }
    }

    /// Waits until all parts of the server know where new orders go, but not for ever: the server may fail to
    /// notice that they do.
    async fn until_routed(&self) -> anyhow::Result<()> {
        let until = Instant::now() + ROUTED_WITHIN;
        while Instant::now() < until
            && self.info().await?.routing_config_update_state()
                == RoutingConfigUpdateState::InProgress
        {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// The workflows under way on a build: orders, and the shipments of their parts.
    async fn workflows_on(&self, build: &str) -> anyhow::Result<Vec<WorkflowExecution>> {
        let options = WorkflowListOptions::default();
        let listed = self.client.list_workflows(self.under_way(build), options);
        listed
            .try_collect()
            .await
            .with_context(|| format!("cannot list the orders on build {:?}", excerpt(build)))
    }

    /// The query that finds them.
    fn under_way(&self, build: &str) -> String {
        let version = format!("{}:{build}", self.name).replace('\'', "''");
        format!(
            "ExecutionStatus = 'Running' AND {} = '{version}'",
            VERSION.name()
        )
    }

    /// Moves a workflow to a build.
    async fn pin(&self, workflow: &WorkflowExecution, build: &str) -> anyhow::Result<()> {
        let pinned = PinnedOverride {
            behavior: PinnedOverrideBehavior::Pinned.into(),
            version: Some(self.version(build)),
        };
        let mut request = UpdateWorkflowExecutionOptionsRequest {
            namespace: self.namespace(),
            workflow_execution: Some(v1::WorkflowExecution {
                workflow_id: workflow.id().to_owned(),
                run_id: workflow.run_id().to_owned(),
            }),
            workflow_execution_options: Some(WorkflowExecutionOptions {
                versioning_override: Some(VersioningOverride {
                    r#override: Some(Override::Pinned(pinned)),
                    ..VersioningOverride::default()
                }),
                ..WorkflowExecutionOptions::default()
            }),
            identity: self.client.connection().identity().to_owned(),
            ..UpdateWorkflowExecutionOptionsRequest::default()
        };
        let mask = request.update_mask.get_or_insert_default();
        mask.paths.push("versioning_override".to_owned());
        let mut server = self.client.clone();
        match server
            .update_workflow_execution_options(request.into_request())
            .await
        {
            Ok(_) => Ok(()),
            // It has ended in the meantime.
            Err(status) if status.code() == Code::NotFound => Ok(()),
            Err(status) => Err(anyhow!(reported(status.message()))).with_context(|| {
                format!("cannot move {} to build {build}", printable(workflow.id()))
            }),
        }
    }

    fn namespace(&self) -> String {
        self.client.options().namespace.clone()
    }
}

/// Who gets the new orders.
struct Shares {
    current: Option<String>,
    ramping: Option<String>,
    /// The share of the build that is ramping, in percent.
    percent: f32,
}

impl Shares {
    fn of(info: &WorkerDeploymentInfo) -> Self {
        let routing = info.routing_config.clone().unwrap_or_default();
        let build = |version: Option<WorkerDeploymentVersion>| version.map(|it| it.build_id);
        Self {
            current: build(routing.current_deployment_version),
            ramping: build(routing.ramping_deployment_version),
            percent: routing.ramping_version_percentage,
        }
    }

    fn share(&self, build: &str) -> f32 {
        if self.current.as_deref() == Some(build) {
            ALL - self.percent
        } else if self.ramping.as_deref() == Some(build) {
            self.percent
        } else {
            0.0
        }
    }
}
