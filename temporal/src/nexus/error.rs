//! Why an operation did not succeed, and whether the server tries it again.

use temporalio_common::{
    data_converters::{DataConverter, SerializationContextData},
    error::{ApplicationFailure, OutgoingWorkflowError},
    payload_visitor::encode_payloads,
    protos::temporal::api::{
        enums::v1::NexusHandlerErrorRetryBehavior,
        failure::v1::{Failure, NexusHandlerFailureInfo, failure::FailureInfo},
    },
};
use thiserror::Error;

/// Why an operation did not succeed. The message reaches the caller's workflow; with encryption keys, it is
/// encrypted on its way.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OperationError {
    /// The operation was carried out and has failed. The caller is told, and the server does not try again.
    #[error("{message}")]
    Failed {
        /// What went wrong.
        message: String,
        /// The failure's type, by which the caller tells failures apart.
        type_name: String,
    },
    /// The call makes no sense. The caller is told, and the server does not try again.
    #[error("{0}")]
    BadRequest(String),
    /// There is no such service or operation. The caller is told, and the server does not try again.
    #[error("{0}")]
    NotFound(String),
    /// Nothing can be said yet, because something that the handler needs is away. The server tries again,
    /// after longer and longer pauses.
    #[error("{0}")]
    Unavailable(String),
}

impl OperationError {
    /// The name that the Nexus protocol gives to an error of the handler. `None` stands for an operation
    /// that was carried out.
    fn handler_error(&self) -> Option<(&'static str, NexusHandlerErrorRetryBehavior)> {
        match self {
            Self::Failed { .. } => None,
            Self::BadRequest(_) => {
                Some(("BAD_REQUEST", NexusHandlerErrorRetryBehavior::NonRetryable))
            }
            Self::NotFound(_) => Some(("NOT_FOUND", NexusHandlerErrorRetryBehavior::NonRetryable)),
            Self::Unavailable(_) => {
                Some(("UNAVAILABLE", NexusHandlerErrorRetryBehavior::Retryable))
            }
        }
    }

    /// The failure as the server stores it.
    pub(super) async fn into_failure(self, converter: &DataConverter) -> ToCaller {
        let handler_error = self.handler_error();
        let message = self.to_string();
        let type_name = match self {
            Self::Failed { type_name, .. } => Some(type_name),
            _ => None,
        };
        let failure = ApplicationFailure::builder(message).maybe_type_name(type_name);
        let error = OutgoingWorkflowError::Application(Box::new(failure.build()));
        let context = SerializationContextData::None;
        let mut failure = converter.to_failure(&context, error.into());
        if let Err(error) = encode_payloads(&mut failure, converter.codec(), &context).await {
            tracing::warn!(%error, "the reason for a failure cannot be encrypted, so it is not sent");
            failure = Failure::default();
        }
        let Some((kind, retry)) = handler_error else {
            return ToCaller::OperationFailed(failure);
        };
        ToCaller::NotHandled(Failure {
            message: format!("the handler answered {kind}"),
            cause: Some(Box::new(failure)),
            failure_info: Some(FailureInfo::NexusHandlerFailureInfo(
                NexusHandlerFailureInfo {
                    r#type: kind.to_owned(),
                    retry_behavior: retry.into(),
                },
            )),
            ..Failure::default()
        })
    }
}

/// A failure, and which of the protocol's two ways it takes.
pub(super) enum ToCaller {
    /// The operation was carried out and has failed.
    OperationFailed(Failure),
    /// The operation was not carried out.
    NotHandled(Failure),
}
