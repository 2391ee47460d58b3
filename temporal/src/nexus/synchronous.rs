//! An operation that answers at once, within 10 seconds.

use std::marker::PhantomData;

use async_trait::async_trait;
use futures::future::BoxFuture;
use temporalio_client::Client;
use temporalio_common::data_converters::{TemporalDeserializable, TemporalSerializable};

use super::{Call, Operation, OperationError, Started};

type Handler<I, O> = dyn Fn(I) -> BoxFuture<'static, Result<O, OperationError>> + Send + Sync;

/// An operation whose handler returns the result. Made by
/// [`Service::synchronous`](super::Service::synchronous).
pub(super) struct Synchronous<I, O> {
    handler: Box<Handler<I, O>>,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O> Synchronous<I, O> {
    pub(super) fn new<F>(handler: impl Fn(I) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<O, OperationError>> + Send + 'static,
    {
        Self {
            handler: Box::new(move |input| Box::pin(handler(input))),
            types: PhantomData,
        }
    }
}

#[async_trait]
impl<I, O> Operation for Synchronous<I, O>
where
    I: TemporalDeserializable + Send + 'static,
    O: TemporalSerializable + Send + Sync + 'static,
{
    async fn start(&self, call: &Call<'_>) -> Result<Started, OperationError> {
        let input = call.input().await?;
        let output = (self.handler)(input).await?;
        Ok(Started::Done(call.output(&output).await?))
    }

    /// The operation is over before anybody can cancel it.
    async fn cancel(&self, _: &Client, _: &str) -> Result<(), OperationError> {
        Ok(())
    }
}
