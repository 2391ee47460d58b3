//! Why an order stopped before its end.

use std::{fmt::Display, iter};

use orders::{MAX_MESSAGE, shortened};
use temporalio_common::{
    data_converters::{
        DefaultFailureConverter, FailureConverter, PayloadConverter, SerializationContextData,
        WorkflowSerializationContext,
    },
    error::IncomingError,
    protos::temporal::api::failure::v1::Failure,
};
use temporalio_sdk::{
    ActivityExecutionError, ApplicationFailure, ChildWorkflowExecutionError,
    ChildWorkflowStartError,
};

/// Why an order stopped before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Somebody cancelled it.
    Cancelled,
    /// A step failed for good.
    Failed {
        /// The step's own message.
        message: String,
        /// The failure's type, as Temporal shows it.
        type_name: String,
    },
}

impl Stopped {
    /// The failure that the workflow ends with.
    pub(crate) fn into_failure(self) -> ApplicationFailure {
        let (message, type_name) = match self {
            Self::Cancelled => ("the order was cancelled".to_owned(), "Cancelled".to_owned()),
            Self::Failed { message, type_name } => (message, type_name),
        };
        ApplicationFailure::builder(message)
            .type_name(type_name)
            .non_retryable(true)
            .build()
    }
}

/// Finds the innermost cause of a step's failure; the causes above it say only that something failed.
///
/// The search goes through the SDK's errors and not through the failure that the server stores, whose
/// messages may be encrypted.
fn failed(
    failure: Option<&Failure>,
    cause: Option<&IncomingError>,
    error: &impl Display,
) -> Stopped {
    let innermost = iter::successors(cause, |cause| cause.cause()).last();
    let Some(failure) = innermost.map(IncomingError::failure).or(failure) else {
        return Stopped::Failed {
            message: shortened(&error.to_string(), MAX_MESSAGE).into_owned(),
            type_name: String::new(),
        };
    };
    Stopped::Failed {
        message: shortened(&failure.message, MAX_MESSAGE).into_owned(),
        type_name: failure
            .maybe_application_failure()
            .map(|info| info.r#type.clone())
            .unwrap_or_default(),
    }
}

/// An operation of Nexus fails with the failure as the server stores it; the SDK has no error for it.
impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        let converter = DefaultFailureConverter::new(true);
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let read = converter.to_error(failure.clone(), &PayloadConverter::default(), &context);
        failed(Some(&failure), read.as_ref().ok(), &failure.message)
    }
}

// The SDK's errors have these methods in common, but no trait.
macro_rules! stopped_by {
    ($($error:ty),+) => {$(
        impl From<$error> for Stopped {
            fn from(error: $error) -> Self {
                failed(error.failure(), error.cause(), &error)
            }
        }
    )+};
}

stopped_by!(
    ActivityExecutionError,
    ChildWorkflowStartError,
    ChildWorkflowExecutionError
);
