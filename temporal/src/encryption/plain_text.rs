//! Keeps from the server what the SDK would send unencrypted.

use futures::future::BoxFuture;
use temporalio_client::errors::{WorkflowStartError, WorkflowUpdateWithStartError};
use temporalio_client::{
    ClientInterceptor, Next, SignalWithStartWorkflowInput, StartWorkflowInput, StartWorkflowOutput,
    UpdateWithStartWorkflowInput, UpdateWithStartWorkflowOutput,
};

/// Leaves out a workflow's summary and details: the SDK's client sends these two without asking its
/// codec. Those that a workflow's own commands carry, such as a timer's, it does encrypt.
pub(super) struct WithoutPlainText;

impl ClientInterceptor for WithoutPlainText {
    fn start_workflow<'a>(
        &'a self,
        mut input: StartWorkflowInput,
        next: Next<
            'a,
            StartWorkflowInput,
            BoxFuture<'a, Result<StartWorkflowOutput, WorkflowStartError>>,
        >,
    ) -> BoxFuture<'a, Result<StartWorkflowOutput, WorkflowStartError>> {
        input.options.static_summary = None;
        input.options.static_details = None;
        next.run(input)
    }

    fn signal_with_start_workflow<'a>(
        &'a self,
        mut input: SignalWithStartWorkflowInput,
        next: Next<
            'a,
            SignalWithStartWorkflowInput,
            BoxFuture<'a, Result<StartWorkflowOutput, WorkflowStartError>>,
        >,
    ) -> BoxFuture<'a, Result<StartWorkflowOutput, WorkflowStartError>> {
        input.options.static_summary = None;
        input.options.static_details = None;
        next.run(input)
    }

    fn update_with_start_workflow<'a>(
        &'a self,
        mut input: UpdateWithStartWorkflowInput,
        next: Next<
            'a,
            UpdateWithStartWorkflowInput,
            BoxFuture<'a, Result<UpdateWithStartWorkflowOutput, WorkflowUpdateWithStartError>>,
        >,
    ) -> BoxFuture<'a, Result<UpdateWithStartWorkflowOutput, WorkflowUpdateWithStartError>> {
        input.options.static_summary = None;
        input.options.static_details = None;
        next.run(input)
    }
}
