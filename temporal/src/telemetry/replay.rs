//! Keeps workflow code silent while it is replayed.
//!
//! A worker that takes an order over runs its workflow again from the top. What it says on the way
//! to where it stopped was said before, by another worker or by this one. So a log line of workflow
//! code is dropped there, whoever wrote it.

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

/// Whether this thread is replaying workflow code at this moment. For a filter of log lines; only
/// in workers that have [`interceptor`].
pub fn is_replaying() -> bool {
    REPLAYING.get()
}

/// Marks the replay of workflow code, for [`is_replaying`].
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
    // A handler that is not async does its work here.
    let inner = Mark::set(&ctx).during(run);
    WorkflowInterceptorFuture::new(Marked { ctx, inner })
}

/// Marks each poll anew: between two of them the replay may have ended, and the thread may have
/// run another workflow.
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
