//! Removes what the SDK would send to the server unencrypted.

use futures::future::BoxFuture;
use temporalio_client::{
    ClientInterceptor, Next, SignalWithStartWorkflowInput, StartWorkflowInput, StartWorkflowOutput,
    UpdateWithStartWorkflowInput, UpdateWithStartWorkflowOutput,
    errors::{WorkflowStartError, WorkflowUpdateWithStartError},
};

/// Removes a workflow's summary and details, because the SDK's client sends these two without its
/// codec. The summaries of a workflow's own commands, such as a timer's, are encrypted.
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
