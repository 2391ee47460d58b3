//! Serves Nexus operations: what a program of another team, or in another language, calls from its
//! workflows without knowing what is behind it.
//!
//! The SDK can call an operation but cannot serve one. The layer below it, `temporalio-sdk-core`, can: it polls
//! a task queue for Nexus tasks and sends the answers. This adapter puts handlers on top of it, in the
//! words of Temporal's other SDKs.
//!
//! | module | what lives there |
//! |---|---|
//! | [`error`] | why an operation did not succeed, and whether the server tries it again |
//! | [`operation`] | an operation, and what it is called with |
//! | [`synchronous`] | an operation that answers at once, within 10 seconds |
//! | [`workflow`] | an operation that is backed by a workflow, and may take years |
//! | [`service`] | operations under the name of a service |
//! | [`server`] | takes the tasks of a task queue to the services |
//! | [`endpoint`] | the name by which callers find that task queue |
//!
//! ```no_run
//! use temporal::nexus::{NexusServer, OperationError, Service};
//!
//! # async fn example(client: temporalio_client::Client) -> anyhow::Result<()> {
//! let greetings = Service::new("greetings").synchronous("hello", async |name: String| {
//!     if name.is_empty() {
//!         return Err(OperationError::BadRequest("the name is empty".to_owned()));
//!     }
//!     Ok(format!("Hello, {name}!"))
//! });
//! NexusServer::new(&client, "greetings", greetings)?.run().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A call is made at least once
//! If the server gets no answer, because the handler died or the network is down, it calls again: with the
//! same request ID, for as long as the caller waits. So a synchronous handler must be idempotent. An operation
//! backed by a workflow is: the server starts one workflow for each request ID.
//!
//! # When the SDK can serve operations
//! This module can then be deleted. Handlers become methods that a macro of the SDK registers with the same
//! [`Worker`](temporalio_sdk::Worker) that runs the workflows, so [`NexusServer`] and the second worker in the
//! process go. [`OperationError`] becomes the SDK's own type. [`ensure_endpoint`] stays: registering an endpoint
//! is an administrator's work, in every SDK. Operations that are under way then are not
//! affected: their tokens have the form that Temporal's other SDKs use.

pub mod endpoint;
pub mod error;
pub mod operation;
pub mod server;
pub mod service;
pub mod synchronous;
pub mod workflow;

pub use endpoint::{Endpoint, NoEndpoint, ensure_endpoint};
pub use error::OperationError;
pub use operation::{Call, Operation, Started};
pub use server::NexusServer;
pub use service::Service;
pub use workflow::WorkflowOperation;
