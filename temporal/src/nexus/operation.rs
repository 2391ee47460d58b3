//! An operation, and what it is called with.

use std::fmt::Display;

use async_trait::async_trait;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::{
    data_converters::{SerializationContextData, TemporalDeserializable, TemporalSerializable},
    protos::temporal::api::{
        common::v1::Payload,
        nexus::v1::{Link, StartOperationRequest},
    },
};

use super::OperationError;

/// An operation of a [`Service`](super::Service).
#[async_trait]
pub trait Operation: Send + Sync {
    /// Carries the operation out, or has it begin.
    ///
    /// # Errors
    /// Returns an [`OperationError`], which says whether the server calls again.
    async fn start(&self, call: &Call<'_>) -> Result<Started, OperationError>;

    /// Asks an operation that has begun to end. Whether and how it ends, the caller learns as it learns of
    /// every end. Asking twice, or an operation that has ended, is no error.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    async fn cancel(&self, client: &Client, token: &str) -> Result<(), OperationError>;
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Started {
    /// It is over; this is its result.
    Done(Payload),
    /// It goes on under this token, and the server is told of its end by the request's callback.
    GoesOn {
        /// By which the operation can be cancelled.
        token: String,
        /// Where the Web UI leads from the caller.
        links: Vec<Link>,
    },
}

/// One call of an operation.
pub struct Call<'a> {
    /// The client of the server that the call came from.
    pub client: &'a Client,
    /// The task queue that the call came from.
    pub task_queue: &'a str,
    /// The call as the protocol has it.
    pub request: StartOperationRequest,
}

impl Call<'_> {
    /// Decrypts and decodes the call's input.
    ///
    /// # Errors
    /// Returns [`OperationError::BadRequest`] if it does not decode: it never will.
    pub async fn input<I: TemporalDeserializable + 'static>(&self) -> Result<I, OperationError> {
        let payload = self.request.payload.iter().cloned().collect();
        let converter = self.client.data_converter();
        let decoded = converter.from_payloads(&SerializationContextData::None, payload);
        decoded.await.map_err(|error| self.bad_request(&error))
    }

    /// Encodes and encrypts a result.
    ///
    /// # Errors
    /// Returns [`OperationError::BadRequest`] if it does not encode: it never will.
    pub async fn output<O: TemporalSerializable + 'static>(
        &self,
        output: &O,
    ) -> Result<Payload, OperationError> {
        let converter = self.client.data_converter();
        let encoded = converter.to_payload(&SerializationContextData::None, output);
        encoded.await.map_err(|error| self.bad_request(&error))
    }

    fn bad_request(&self, error: &impl Display) -> OperationError {
        let StartOperationRequest {
            service, operation, ..
        } = &self.request;
        OperationError::BadRequest(format!("{service}/{operation}: {error}"))
    }
}
