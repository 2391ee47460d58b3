//! What an order under way is told. Each says what came of it, or why nothing was changed.
//!
//! [`tell`] tells it; the other functions are subcommands.

use std::process::ExitCode;

use anyhow::bail;
use futures::{FutureExt, future::BoxFuture};
use orders::{ADDRESS_RULE, is_address, limits::MAX_ADDRESS, quoted, within};
use temporal::shell_word;
use temporalio_client::{
    WorkflowDescribeOptions, WorkflowExecuteUpdateOptions, WorkflowSignalOptions,
    WorkflowTerminateOptions,
    errors::{WorkflowInteractionError, WorkflowUpdateError},
};
use thiserror::Error;
use workflows::ProcessOrder;

use crate::{
    args::{ChangeAddressArgs, CommonArgs, MessageArgs, ReasonArgs},
    connect::connect,
    follow::{self, Followed, OrderHandle, Watch},
    progress::innermost,
    show::Show,
    unserved,
};

/// A message to an order.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// To continue without asking further.
    Approve,
    /// To end without having changed anything, and why.
    Reject(String),
    /// To undo what was done, and why.
    Cancel(String),
    /// To deliver to this address.
    ChangeAddress(String),
}

/// Why an order did not do what it was told. Nothing was changed.
#[derive(Debug, Error)]
pub enum NotTold {
    /// The order refused, by its own rules.
    #[error("{order_id}: {reason}; nothing was changed")]
    Refused {
        /// The order's ID.
        order_id: String,
        /// Its reason.
        reason: String,
    },
    /// The order has ended.
    #[error("{order_id}: it is too late, the order has ended{status}; nothing was changed")]
    Ended {
        /// The order's ID.
        order_id: String,
        /// How it ended, in brackets, if the server says it.
        status: String,
    },
    /// The server did not pass the message on.
    #[error(transparent)]
    Server(#[from] WorkflowUpdateError),
}

/// Tells an order something, and waits for its answer, which is a sentence. It takes a worker.
///
/// # Errors
/// Returns the reason if nothing was changed.
pub fn tell<'a>(
    order: &'a OrderHandle,
    message: &'a Message,
) -> BoxFuture<'a, Result<String, NotTold>> {
    send(order, message).boxed()
}

async fn send(order: &OrderHandle, message: &Message) -> Result<String, NotTold> {
    let order_id = &order.info().workflow_id;
    let options = WorkflowExecuteUpdateOptions::default();
    let answer = match message.clone() {
        Message::Approve => {
            let update = order.execute_update(ProcessOrder::approve, ().into(), options);
            let done = format!("{order_id} is approved and continues");
            update.await.map(|()| done)
        }
        Message::Reject(reason) => {
            let update = order.execute_update(ProcessOrder::reject, reason.into(), options);
            update.await.map(|()| format!("{order_id} is rejected"))
        }
        Message::Cancel(reason) => {
            let update = order.execute_update(ProcessOrder::cancel, reason.into(), options);
            update
                .await
                .map(|()| format!("{order_id} is being cancelled"))
        }
        Message::ChangeAddress(address) => {
            let update =
                order.execute_update(ProcessOrder::change_address, address.into(), options);
            update.await.map(|change| {
                let before = change.before.map(|before| format!(", and not to {before}"));
                let before = before.unwrap_or_default();
                format!("{order_id} goes to {}{before}", change.address)
            })
        }
    };
    match answer {
        Ok(answer) => Ok(answer),
        Err(WorkflowUpdateError::Failed(failure)) => Err(NotTold::Refused {
            order_id: order_id.clone(),
            reason: innermost(&failure),
        }),
        Err(WorkflowUpdateError::NotFound(_)) => Err(ended(order).await),
        Err(error) => Err(error.into()),
    }
}

/// That it is too late: the order has ended.
async fn ended(order: &OrderHandle) -> NotTold {
    let described = order.describe(WorkflowDescribeOptions::default()).await;
    let status = described
        .map(|description| {
            let status = description
                .search_attributes()
                .get(&workflows::ORDER_STATUS)
                .unwrap_or_else(|| format!("{:?}", description.status()));
            format!(" (its status is {status})")
        })
        .unwrap_or_default();
    NotTold::Ended {
        order_id: order.info().workflow_id.clone(),
        status,
    }
}

/// Checks an address before it is sent.
///
/// # Errors
/// Returns an error if it is none, or too long.
pub fn check_address(address: &str) -> anyhow::Result<()> {
    if !is_address(address) {
        bail!("{} is not an address: {ADDRESS_RULE}", quoted(address));
    }
    Ok(within("address", address, MAX_ADDRESS)?)
}

/// Sends an order to another address.
///
/// # Errors
/// Returns an error if the order refuses, or there is no such order.
pub async fn change_address(args: &ChangeAddressArgs) -> anyhow::Result<ExitCode> {
    let order_id = &args.order_id;
    check_address(&args.deliver_to)?;
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
            Err(WorkflowInteractionError::NotFound(_)) => Err(ended(&told.order).await.into()),
            Err(error) => Err(error.into()),
        };
    }
    told.order_does(&Message::ChangeAddress(address)).await
}

/// Approves an order that waits for it.
///
/// # Errors
/// Returns an error if the order does not wait for approval, or there is no such order.
pub async fn approve(args: &MessageArgs) -> anyhow::Result<ExitCode> {
    let told = Told::begin(&args.common, &args.order_id).await?;
    told.order_does(&Message::Approve).await
}

/// Rejects an order that waits for approval.
///
/// # Errors
/// Returns an error if the order does not wait for approval, or there is no such order.
pub async fn reject(args: &ReasonArgs) -> anyhow::Result<ExitCode> {
    let told = Told::begin(&args.common, &args.order_id).await?;
    told.order_does(&Message::Reject(args.reason.clone())).await
}

/// Cancels an order, and follows it until what was done is undone.
///
/// # Errors
/// Returns an error if it is too late, or there is no such order.
pub async fn cancel(args: &ReasonArgs) -> anyhow::Result<ExitCode> {
    let mut told = Told::begin(&args.common, &args.order_id).await?;
    let answer = told.answer(&Message::Cancel(args.reason.clone())).await?;
    told.show.say(&answer);
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
        Err(WorkflowInteractionError::NotFound(_)) => Err(ended(&told.order).await.into()),
        Err(error) => Err(error.into()),
    }
}

/// An order that is told something.
struct Told {
    order: OrderHandle,
    show: Show,
}

impl Told {
    async fn begin(common: &CommonArgs, order_id: &str) -> anyhow::Result<Self> {
        let client = connect(&common.connect).await?;
        Ok(Self {
            order: follow::find(&client, order_id).await?,
            show: Show::new(&common.output),
        })
    }

    fn done(mut self, sentence: &str) -> anyhow::Result<ExitCode> {
        self.show.say(sentence);
        Ok(ExitCode::SUCCESS)
    }

    async fn order_does(self, message: &Message) -> anyhow::Result<ExitCode> {
        let answer = self.answer(message).await?;
        self.done(&answer)
    }

    /// Waits for the order's answer.
    async fn answer(&self, message: &Message) -> anyhow::Result<String> {
        Ok(unserved::patiently(&self.order, tell(&self.order, message)).await??)
    }
}
