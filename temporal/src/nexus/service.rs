//! Operations under the name of a service.

use std::collections::HashMap;

use temporalio_common::{
    WorkflowDefinition,
    data_converters::{TemporalDeserializable, TemporalSerializable},
};

use super::{Operation, OperationError, synchronous::Synchronous, workflow::WorkflowOperation};

/// A service: its name, and its operations by theirs.
pub struct Service {
    name: String,
    operations: HashMap<String, Box<dyn Operation>>,
}

impl Service {
    /// A service without operations.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            operations: HashMap::new(),
        }
    }

    /// The same service with an operation that answers at once. The server waits for some 10 seconds and then
    /// calls again, so what `handler` does must be quick, and must not happen twice when it is called
    /// twice.
    pub fn synchronous<I, O, F>(
        self,
        operation: &str,
        handler: impl Fn(I) -> F + Send + Sync + 'static,
    ) -> Self
    where
        I: TemporalDeserializable + Send + 'static,
        O: TemporalSerializable + Send + Sync + 'static,
        F: Future<Output = Result<O, OperationError>> + Send + 'static,
    {
        self.with(operation, Synchronous::new(handler))
    }

    /// The same service with an operation that is backed by a workflow: the operation's input is the workflow's,
    /// its end is the workflow's end, and who cancels the one cancels the other.
    ///
    /// `workflow_id` names the workflow for an input, or refuses the input. Two calls with the same ID share
    /// the workflow while it runs, and both get its result. The workflow runs on the task queue that
    /// the call came from.
    pub fn workflow<W>(
        self,
        operation: &str,
        workflow: W,
        workflow_id: impl Fn(&W::Input) -> Result<String, OperationError> + Send + Sync + 'static,
    ) -> Self
    where
        W: WorkflowDefinition + Send + Sync + 'static,
        W::Input: Send + Sync,
    {
        self.with(operation, WorkflowOperation::new(workflow, workflow_id))
    }

    /// The same service with an operation of any kind.
    pub fn with(mut self, operation: &str, handler: impl Operation + 'static) -> Self {
        self.operations
            .insert(operation.to_owned(), Box::new(handler));
        self
    }

    pub(super) fn find(
        &self,
        service: &str,
        operation: &str,
    ) -> Result<&dyn Operation, OperationError> {
        let not_found = |what| Err(OperationError::NotFound(what));
        if service != self.name {
            return not_found(format!("there is no service {service:?} here"));
        }
        match self.operations.get(operation) {
            Some(handler) => Ok(handler.as_ref()),
            None => not_found(format!("service {service} has no operation {operation:?}")),
        }
    }
}
