//! What an order under way is told. Each says what came of it, or why nothing was changed.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use orders::{ADDRESS_RULE, is_address, limits::MAX_ADDRESS, quoted, within};
use temporal::shell_word;
use temporalio_client::{
    WorkflowDescribeOptions, WorkflowExecuteUpdateOptions, WorkflowSignalOptions,
    WorkflowTerminateOptions,
    errors::{WorkflowInteractionError, WorkflowUpdateError},
};
use workflows::ProcessOrder;

use crate::{
    args::{ChangeAddressArgs, CommonArgs, MessageArgs, ReasonArgs},
    connect::connect,
    follow::{self, Followed, OrderHandle, Watch},
    progress::innermost,
    show::Show,
    unserved::{self, NO_WORKER_AFTER},
};

/// Sends an order to another address.
///
/// # Errors
/// Returns an error if the order refuses, or there is no such order.
pub async fn change_address(args: &ChangeAddressArgs) -> anyhow::Result<ExitCode> {
    let order_id = &args.order_id;
    if !is_address(&args.deliver_to) {
        bail!(
            "{} is not an address: {ADDRESS_RULE}",
            quoted(&args.deliver_to)
        );
    }
    within("address", &args.deliver_to, MAX_ADDRESS)?;
    let told = Told::begin(&args.common, order_id).await?;
    let address = args.deliver_to.clone();
    if args.no_reply {
        let options = WorkflowSignalOptions::default();
        let sent = told
            .order
            .signal(ProcessOrder::new_address, address.into(), options);
        return match sent.await {
            Ok(()) => told.done(&format!(
                "{order_id} was sent the address {}; `starter status {}` shows whether it was accepted",
                args.deliver_to,
                shell_word(order_id)
            )),
            Err(WorkflowInteractionError::NotFound(_)) => Err(told.ended().await),
            Err(error) => Err(error.into()),
        };
    }
    let options = WorkflowExecuteUpdateOptions::default();
    let update = told
        .order
        .execute_update(ProcessOrder::change_address, address.into(), options);
    let change = told.answer(update).await?;
    let before = change
        .before
        .map(|before| format!(", and not to {before}"))
        .unwrap_or_default();
    told.done(&format!("{order_id} goes to {}{before}", change.address))
}

/// Approves an order that waits for it.
///
/// # Errors
/// Returns an error if the order does not wait for approval, or there is no such order.
pub async fn approve(args: &MessageArgs) -> anyhow::Result<ExitCode> {
    let told = Told::begin(&args.common, &args.order_id).await?;
    let options = WorkflowExecuteUpdateOptions::default();
    let update = told
        .order
        .execute_update(ProcessOrder::approve, ().into(), options);
    told.answer(update).await?;
    told.done(&format!("{} is approved and continues", args.order_id))
}

/// Rejects an order that waits for approval.
///
/// # Errors
/// Returns an error if the order does not wait for approval, or there is no such order.
pub async fn reject(args: &ReasonArgs) -> anyhow::Result<ExitCode> {
    let told = Told::begin(&args.common, &args.order_id).await?;
    let options = WorkflowExecuteUpdateOptions::default();
    let reason = args.reason.clone();
    let update = told
        .order
        .execute_update(ProcessOrder::reject, reason.into(), options);
    told.answer(update).await?;
    told.done(&format!("{} is rejected", args.order_id))
}

/// Cancels an order, and follows it until what was done is undone.
///
/// # Errors
/// Returns an error if it is too late, or there is no such order.
pub async fn cancel(args: &ReasonArgs) -> anyhow::Result<ExitCode> {
    let mut told = Told::begin(&args.common, &args.order_id).await?;
    let options = WorkflowExecuteUpdateOptions::default();
    let reason = args.reason.clone();
    let update = told
        .order
        .execute_update(ProcessOrder::cancel, reason.into(), options);
    told.answer(update).await?;
    told.show
        .say(&format!("{} is being cancelled", args.order_id));
    let followed = follow::follow(&told.order, &mut told.show).await?;
    told.show.ended(&followed);
    Ok(match followed {
        Followed::Cancelled(_) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Ends an order at once, without a worker, and so without undoing what it did.
///
/// # Errors
/// Returns an error if the order has ended, or there is no such order.
pub async fn terminate(args: &ReasonArgs) -> anyhow::Result<ExitCode> {
    let told = Told::begin(&args.common, &args.order_id).await?;
    let options = WorkflowTerminateOptions::builder()
        .reason(args.reason.clone())
        .build();
    match told.order.terminate(options).await {
        Ok(()) => told.done(&format!(
            "{} is terminated; none of its steps was undone. To see what would undo them: \
             cargo run -p starter -- reconcile",
            args.order_id
        )),
        Err(WorkflowInteractionError::NotFound(_)) => Err(told.ended().await),
        Err(error) => Err(error.into()),
    }
}

/// An order that is told something.
struct Told {
    order: OrderHandle,
    order_id: String,
    show: Show,
}

impl Told {
    async fn begin(common: &CommonArgs, order_id: &str) -> anyhow::Result<Self> {
        let client = connect(&common.connect).await?;
        Ok(Self {
            order: follow::find(&client, order_id).await?,
            order_id: order_id.to_owned(),
            show: Show::new(&common.output),
        })
    }

    fn done(mut self, sentence: &str) -> anyhow::Result<ExitCode> {
        self.show.say(sentence);
        Ok(ExitCode::SUCCESS)
    }

    /// Waits for the order's answer.
    async fn answer<T>(
        &self,
        update: impl Future<Output = Result<T, WorkflowUpdateError>>,
    ) -> anyhow::Result<T> {
        let mut update = std::pin::pin!(update);
        let answer = match tokio::time::timeout(NO_WORKER_AFTER, &mut update).await {
            Ok(answer) => answer,
            Err(_) => {
                let matter = unserved::no_answer(&self.order).await?;
                anstream::eprintln!(
                    "{matter}. What was asked may still happen, also if you do not wait for it"
                );
                update.await
            }
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(WorkflowUpdateError::Failed(failure)) => Err(anyhow!(
                "{}: {}; nothing was changed",
                self.order_id,
                innermost(&failure)
            )),
            Err(WorkflowUpdateError::NotFound(_)) => Err(self.ended().await),
            Err(error) => Err(error.into()),
        }
    }

    /// That it is too late: the order has ended.
    async fn ended(&self) -> anyhow::Error {
        let described = self
            .order
            .describe(WorkflowDescribeOptions::default())
            .await;
        let status = described
            .map(|description| {
                let status = description
                    .search_attributes()
                    .get(&workflows::ORDER_STATUS)
                    .unwrap_or_else(|| format!("{:?}", description.status()));
                format!(" (its status is {status})")
            })
            .unwrap_or_default();
        anyhow!(
            "{}: it is too late, the order has ended{status}; nothing was changed",
            self.order_id
        )
    }
}
