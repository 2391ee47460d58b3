//! The workflow `ProcessOrder`.
#![allow(
    missing_docs,
    reason = "the macro writes a constant for each method and gives it no words"
)]

use std::error::Error;

use futures::FutureExt;
use orders::{Order, limits::MAX_REASON, quoted, shortened};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{
    ApplicationFailure, SyncWorkflowContext, WaitConditionOptions, WorkflowContext,
    WorkflowContextView, WorkflowResult, WorkflowTermination, workflows::select,
};

use crate::{
    Answer, Lenient, OrderInput, OrderResult,
    context::{OrderRun, enter},
    patches,
    requests::{AddressChange, Decision, Refused, Requests, check_reason},
    status::{OrderProgress, OrderStatus},
    steps::Prepared,
    stopped::Stopped,
};

/// The process of an order: check fraud, prepare shipment, charge, ship, and order from the supplier
/// if stock runs low. Whatever else an order can do lives around these lines.
async fn process(order: &OrderRun) -> Result<OrderResult, Stopped> {
    let order_id = &order.order.order_id;
    order.check_fraud().await?;
    order.pause().await?;
    if let Some(reason) = order.approval().await? {
        return Ok(OrderResult::rejected(order_id, &reason));
    }
    let reserved = match order.prepare_shipment().await? {
        Prepared::Reserved(items) => items,
        Prepared::Duplicate { placed_at, items } => {
            let is_same = items == order.order.items();
            let others = if is_same { &[][..] } else { &items };
            return Ok(OrderResult::duplicate(order_id, &placed_at, others));
        }
    };
    let charge = order.charge().await?;
    order.another_address().await?;
    let shipped = order.ship().await?;
    let shipments = order.supplier_order(&reserved, shipped).await?;

    let address = order.ctx.state(ProcessOrder::address);
    Ok(OrderResult::managed(order_id, charge, shipments, address))
}

/// The workflow `ProcessOrder`, with its query, signal and updates.
#[workflow]
pub struct ProcessOrder {
    order: Result<Order, String>,
    in_go: bool,
    pub(crate) progress: OrderProgress,
    pub(crate) requests: Requests,
}

/// The methods a client names.
#[workflow_methods]
impl ProcessOrder {
    #[init]
    fn new(ctx: &WorkflowContextView, input: OrderInput) -> Self {
        let in_go = input.is_spelled_as_in_go();
        let order = input.order(ctx.workflow_id());
        let progress = match &order {
            Ok(order) => {
                OrderProgress::new(&order.order_id, order.items().len(), order.address.clone())
            }
            Err(_) => OrderProgress::new(ctx.workflow_id(), 1, None),
        };
        Self {
            order,
            in_go,
            progress,
            requests: Requests::default(),
        }
    }

    /// Processes the order. If the order stops on its way, its steps are undone.
    #[run(name = "ProcessOrder")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Answer> {
        let order = ctx.state(|workflow| workflow.order.clone());
        let order = match order.and_then(|order| within_limits(ctx, order)) {
            Ok(order) => OrderRun::new(ctx, order),
            Err(reason) => {
                ctx.state_mut(|workflow| {
                    workflow.progress = OrderProgress::new(ctx.workflow_id(), 1, None);
                    workflow.progress.reason = Some(reason.clone());
                    workflow.order = Err(reason.clone());
                });
                enter(ctx, OrderStatus::Failed);
                return Err(invalid_order(&reason).into());
            }
        };
        match unless_cancelled(&order, process(&order)).await {
            Ok(result) => {
                order.enter(result.outcome.into());
                Ok(Answer::to(ctx.state(|workflow| workflow.in_go), result))
            }
            Err(stopped) => {
                ctx.state_mut(|workflow| {
                    workflow.progress.reason = workflow.reason_to_stop(&stopped);
                });
                // An undoing that no attempt can mend is the graver failure.
                let stopped = order.undo().await.err().unwrap_or(stopped);
                Err(end(&order, stopped))
            }
        }
    }

    /// Returns the order's status, during the run and after it.
    #[query(name = "status")]
    pub fn status(&self, _: &WorkflowContextView, _nothing: Lenient<()>) -> OrderProgress {
        self.standing()
    }

    /// Returns the order's status, as the query does. A client can send an update together with the order, in
    /// one request (*update-with-start*): the order is placed if it is new, and tells how it stands if it is not.
    #[update(name = "howItStands")]
    pub fn how_it_stands(
        &mut self,
        _: &mut SyncWorkflowContext<Self>,
        _nothing: Lenient<()>,
    ) -> OrderProgress {
        self.standing()
    }

    #[update_validator(change_address)]
    fn may_change_address(
        &self,
        _: &WorkflowContextView,
        address: &Lenient<String>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let address = address.get()?;
        Ok(self.requests.may_change_address(&self.progress, address)?)
    }

    /// Changes the delivery address. Refused as soon as the order is being shipped.
    #[update(name = "changeAddress")]
    pub fn change_address(
        &mut self,
        _: &mut SyncWorkflowContext<Self>,
        address: Lenient<String>,
    ) -> AddressChange {
        let before = self.address();
        let address = validated(address);
        self.requests.address = Some(address.clone());
        AddressChange { before, address }
    }

    /// Changes the delivery address without an answer. If that is not possible, the signal is ignored,
    /// and `status` says why.
    #[signal(name = "changeAddress")]
    pub fn new_address(&mut self, ctx: &mut SyncWorkflowContext<Self>, address: Lenient<String>) {
        let address = match address.read() {
            Ok(address) => address,
            Err(error) => return self.progress.ignore(&format!("changeAddress: {error}")),
        };
        match self.requests.may_change_address(&self.progress, &address) {
            Err(Refused::TooLong(_)) if !ctx.patched(patches::LIMITS) => {}
            Ok(()) => {}
            Err(refused) => {
                let note = format!("address {}: {refused}", quoted(&address));
                return self.progress.ignore(&note);
            }
        }
        self.requests.address = Some(address);
    }

    #[update_validator(approve)]
    fn may_approve(
        &self,
        _: &WorkflowContextView,
        nothing: &Lenient<()>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        nothing.get()?;
        Ok(self.requests.may_decide(&self.progress)?)
    }

    /// Approves an order that is waiting for approval.
    #[update(name = "approve")]
    pub fn approve(&mut self, _: &mut SyncWorkflowContext<Self>, _nothing: Lenient<()>) {
        self.requests.decision = Some(Decision::Approved);
    }

    #[update_validator(reject)]
    fn may_reject(
        &self,
        _: &WorkflowContextView,
        reason: &Lenient<String>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        check_reason(reason.get()?)?;
        Ok(self.requests.may_decide(&self.progress)?)
    }

    /// Rejects an order that is waiting for approval, with a reason.
    #[update(name = "reject")]
    pub fn reject(&mut self, _: &mut SyncWorkflowContext<Self>, reason: Lenient<String>) {
        let reason = validated(reason);
        self.requests.decision = Some(Decision::Rejected(reason));
    }

    #[update_validator(cancel)]
    fn may_cancel(
        &self,
        _: &WorkflowContextView,
        reason: &Lenient<String>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        check_reason(reason.get()?)?;
        Ok(self.requests.may_cancel(&self.progress)?)
    }

    /// Cancels the order, with a reason, and undoes its steps. Refused once the whole order has
    /// shipped.
    #[update(name = "cancel")]
    pub fn cancel(&mut self, _: &mut SyncWorkflowContext<Self>, reason: Lenient<String>) {
        self.requests.cancellation = Some(validated(reason));
    }
}

impl ProcessOrder {
    fn reason_to_stop(&self, stopped: &Stopped) -> Option<String> {
        match stopped {
            Stopped::Cancelled => self.requests.cancellation.clone(),
            Stopped::Failed { message, .. } => Some(message.clone()),
        }
    }

    fn standing(&self) -> OrderProgress {
        OrderProgress {
            address: self.address(),
            ..self.progress.clone()
        }
    }

    /// The delivery address, if there is one.
    pub(crate) fn address(&self) -> Option<String> {
        let placed = self.order.as_ref().ok();
        let placed = placed.and_then(|order| order.address.as_ref());
        self.requests.address.as_ref().or(placed).cloned()
    }
}

/// Does the work. If the order is cancelled meanwhile, its steps are told to stop. When the workflow
/// is cancelled, as the Temporal CLI and the Web UI do it, the order is cancelled on the same terms as
/// by the update `cancel`.
///
/// The update's handler must not stop the steps itself. It runs before the results are applied that
/// came with it: the SDK forgets a timer that is cancelled, and panics if the same workflow task says
/// that the timer fired.
async fn unless_cancelled<T>(order: &OrderRun, work: impl Future<Output = T>) -> T {
    let is_asked = |workflow: &ProcessOrder| workflow.requests.cancellation.is_some();
    // By default a condition is met, too, when the workflow is cancelled.
    let patient = WaitConditionOptions::builder()
        .cancellation_token(order.stop.clone())
        .build();
    let mut asked = Box::pin(order.ctx.wait_condition_with_options(is_asked, patient));
    let mut work = Box::pin(work.fuse());
    select! {
        _ = asked => {}
        done = work => return done,
        reason = order.ctx.cancelled() => order.ctx.state_mut(|workflow| {
            if workflow.requests.may_cancel(&workflow.progress).is_ok() {
                let reason = reason.unwrap_or_default();
                let reason = shortened(&reason, MAX_REASON).into_owned();
                workflow.requests.cancellation = Some(reason);
            }
        }),
    }
    if let Some(reason) = order
        .ctx
        .state(|workflow| workflow.requests.cancellation.clone())
    {
        order.stop.cancel_with_reason(reason);
    }
    work.await
}

/// The order, unless one of its fields is above its limit.
fn within_limits(ctx: &WorkflowContext<ProcessOrder>, order: Order) -> Result<Order, String> {
    match order.check_limits() {
        Err(error) if ctx.patched(patches::LIMITS) => Err(error.to_string()),
        _ => Ok(order),
    }
}

/// The input of an update, which its validator has read before.
fn validated(input: Lenient<String>) -> String {
    input.read().unwrap_or_default()
}

fn end(order: &OrderRun, stopped: Stopped) -> WorkflowTermination {
    match stopped {
        Stopped::Cancelled => {
            order.enter(OrderStatus::Cancelled);
            match order.ctx.state(|workflow| workflow.progress.reason.clone()) {
                Some(reason) => WorkflowTermination::cancelled_with_details(reason),
                None => WorkflowTermination::cancelled(),
            }
        }
        failed => {
            order.enter(OrderStatus::Failed);
            failed.into_failure().into()
        }
    }
}

pub(crate) fn invalid_order(reason: &str) -> ApplicationFailure {
    ApplicationFailure::builder(format!("invalid order: {reason}"))
        .type_name("InvalidOrder".to_owned())
        .non_retryable(true)
        .build()
}
