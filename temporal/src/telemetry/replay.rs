//! Marks the replay of workflow code, so that its log lines can be dropped.
//!
//! A worker that takes over a workflow runs its code again from the beginning (a replay). Everything
//! up to the point where the workflow stopped was already logged, so it is not logged again.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};

use temporalio_sdk::workflow_interceptors::{
    ExecuteWorkflowInput, ExecuteWorkflowResult, HandleSignalInput, HandleSignalResult,
    HandleUpdateInput, HandleUpdateResult, WorkflowInterceptor, WorkflowInterceptorConstructor,
    WorkflowInterceptorContext, WorkflowInterceptorFuture, WorkflowNext,
};

thread_local! {
    static REPLAYING: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread is replaying workflow code. For a log filter; it works only in workers
/// that have the [`interceptor`].
pub fn is_replaying() -> bool {
    REPLAYING.get()
}

/// Returns the interceptor that marks replays for [`is_replaying`].
pub fn interceptor() -> WorkflowInterceptorConstructor {
    WorkflowInterceptorConstructor::new(|_| Marker)
}

struct Marker;

impl WorkflowInterceptor for Marker {
    fn execute<'a>(
        &'a self,
        ctx: WorkflowInterceptorContext,
        input: ExecuteWorkflowInput,
        next: WorkflowNext<
            'a,
            ExecuteWorkflowInput,
            WorkflowInterceptorFuture<'a, ExecuteWorkflowResult>,
        >,
    ) -> WorkflowInterceptorFuture<'a, ExecuteWorkflowResult> {
        marked(ctx, || next.run(input))
    }

    fn handle_signal<'a>(
        &'a self,
        ctx: WorkflowInterceptorContext,
        input: HandleSignalInput,
        next: WorkflowNext<
            'a,
            HandleSignalInput,
            WorkflowInterceptorFuture<'a, HandleSignalResult>,
        >,
    ) -> WorkflowInterceptorFuture<'a, HandleSignalResult> {
        marked(ctx, || next.run(input))
    }

    fn handle_update<'a>(
        &'a self,
        ctx: WorkflowInterceptorContext,
        input: HandleUpdateInput,
        next: WorkflowNext<
            'a,
            HandleUpdateInput,
            WorkflowInterceptorFuture<'a, HandleUpdateResult>,
        >,
    ) -> WorkflowInterceptorFuture<'a, HandleUpdateResult> {
        marked(ctx, || next.run(input))
    }
}

fn marked<'a, T: 'a>(
    ctx: WorkflowInterceptorContext,
    run: impl FnOnce() -> WorkflowInterceptorFuture<'a, T>,
) -> WorkflowInterceptorFuture<'a, T> {
    // A synchronous handler does all its work here.
    let inner = Mark::set(&ctx).during(run);
    WorkflowInterceptorFuture::new(Marked { ctx, inner })
}

/// Sets the mark for each poll of the future: between two polls the replay may have ended, and the
/// thread may have run another workflow.
struct Marked<'a, T> {
    ctx: WorkflowInterceptorContext,
    inner: WorkflowInterceptorFuture<'a, T>,
}

impl<T> Future for Marked<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        Mark::set(&this.ctx).during(|| Pin::new(&mut this.inner).poll(cx))
    }
}

struct Mark {
    before: bool,
}

impl Mark {
    fn set(ctx: &WorkflowInterceptorContext) -> Self {
        let before = REPLAYING.replace(ctx.is_replaying_history_events());
        Self { before }
    }

    fn during<T>(self, work: impl FnOnce() -> T) -> T {
        work()
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        REPLAYING.set(self.before);
    }
}
