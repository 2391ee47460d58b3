//! The shipping service of another team, as an order calls it: two operations of Temporal Nexus.
//!
//! This is all that the two teams share. What is behind an operation (a workflow, or a program in another language)
//! the order does not know.

use activities::Attempted;
use activities::{Shipping, Undone};
use inventory::Confirmation;
use serde::de::DeserializeOwned;
use temporalio_common::{
    data_converters::{
        GenericPayloadConverter, PayloadConverter, SerializationContext, SerializationContextData,
        WorkflowSerializationContext,
    },
    protos::{coresdk::nexus::nexus_operation_result::Status, temporal::api::failure::v1::Failure},
};
use temporalio_sdk::NexusOperationOptions;

use crate::{context::OrderRun, stopped::Stopped};

/// The endpoint that calls go to. An administrator registers it, or the service itself where it may.
pub const ENDPOINT: &str = "shipping";

/// The name of the service.
pub const SERVICE: &str = "shipping";

/// The operation that ships an item. Takes a [`Shipping`], gives an [`Attempted`] [`Confirmation`].
pub const SHIP: &str = "ship";

/// The operation that calls an item back. Takes a [`Shipping`], gives an [`Attempted`] [`Undone`].
pub const RECALL: &str = "recall";

impl OrderRun {
    /// Has the service ship an item. If the order is to stop meanwhile, the service is asked to stop too.
    pub(crate) async fn ship_by_nexus(
        &self,
        shipping: Shipping,
    ) -> Result<Attempted<Confirmation>, Stopped> {
        self.call(SHIP, &shipping).await
    }

    /// Has the service call an item back.
    pub(crate) async fn recall_by_nexus(
        &self,
        shipping: Shipping,
    ) -> Result<Attempted<Undone>, Stopped> {
        self.call(RECALL, &shipping).await
    }

    /// Calls an operation. There is no timeout, as activities have no limit of attempts: an accepted order is not
    /// dropped because a service is down.
    ///
    /// When the order is to stop, it waits for the operation's own end: the effect may still happen, and only
    /// a known effect can be undone.
    async fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        shipping: &Shipping,
    ) -> Result<T, Stopped> {
        let converter = PayloadConverter::default();
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let context = SerializationContext::new(&context, &converter);
        let input = converter.to_payload(&context, shipping);
        let options = NexusOperationOptions::builder()
            .endpoint(ENDPOINT)
            .service(SERVICE)
            .operation(operation)
            .input(input.map_err(|error| unreadable(operation, &error))?)
            .cancellation_token(self.stop.clone())
            .build();
        let started = self.ctx.start_nexus_operation(options).await?;
        match started.result().await.status {
            Some(Status::Completed(answer)) => {
                serde_json::from_slice(&answer.data).map_err(|error| unreadable(operation, &error))
            }
            Some(
                Status::Failed(failure) | Status::Cancelled(failure) | Status::TimedOut(failure),
            ) => Err(failure.into()),
            None => Err(Failure::default().into()),
        }
    }
}

fn unreadable(operation: &str, error: &impl std::fmt::Display) -> Stopped {
    Stopped::Failed {
        message: format!("the shipping service's operation {operation}: {error}"),
        type_name: "ShippingService".to_owned(),
    }
}
