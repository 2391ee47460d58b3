//! The same orders as plain function calls and on Temporal, with the same kills.

use std::{collections::HashSet, sync::Arc, time::SystemTime};

use inventory::{Audit, Inventory};
use web::stage::{Comparison, ComparisonState, Side, StageError};

use crate::{
    args::WithoutTemporalArgs,
    demos::without_temporal::{self, Outcome},
    live::{
        backstage::{Backstage, UnderWay, refused},
        many::{self, Kills},
    },
    plain::QUANTITY,
    sample::numbered_order,
};

/// Orders on each side at most, so that an audience sees the end of it.
const MOST_ORDERS: u32 = 200;

/// Begins a comparison. What the returned future does shows on the page.
///
/// # Errors
/// Returns an error if there are too many orders or kills, or something else is under way.
pub fn begin(
    backstage: &Arc<Backstage>,
    orders: u32,
    kills: u32,
) -> Result<impl Future<Output = anyhow::Result<String>> + Send + 'static, StageError> {
    if !(1..=MOST_ORDERS).contains(&orders) || kills > orders {
        return Err(refused(format!(
            "compare 1 to {MOST_ORDERS} orders, with no more kills than orders"
        )));
    }
    let act = backstage.begin(&format!(
        "{orders} orders are being processed as plain function calls."
    ))?;
    let backstage = backstage.clone();
    Ok(async move {
        let compared = compare(&backstage, &act, orders, kills).await;
        if compared.is_err() {
            backstage.comparison.send_replace(None);
        }
        let found = compared.map(|found| {
            format!(
                "As plain function calls, {} of {orders} orders completed; on Temporal, {} did.",
                found.plain.completed, found.temporal.completed
            )
        });
        act.ends(&found);
        found
    })
}

async fn compare(
    backstage: &Arc<Backstage>,
    act: &UnderWay,
    orders: u32,
    kills: u32,
) -> anyhow::Result<Comparison> {
    let mut comparison = Comparison {
        act: act.number,
        state: ComparisonState::Running,
        temporal: Side {
            orders,
            ..Side::default()
        },
        plain: Side {
            orders,
            ..Side::default()
        },
        kills,
    };
    backstage.comparison.send_replace(Some(comparison.clone()));
    let fault_rate = backstage.fault_rate();
    let numbers = backstage.numbers(orders);
    let first = numbers.start;
    let placed: Vec<_> = numbers.map(|it| numbered_order(it, QUANTITY)).collect();
    let those: HashSet<_> = placed.iter().map(|it| it.order_id.clone()).collect();

    let own = format!("plain_{:08x}", rand::random::<u32>());
    let location = backstage.inventory.location().apart(&own);
    let plain_inventory = Inventory::open(&location, SystemTime::now).await?;
    let args = WithoutTemporalArgs {
        orders,
        kills,
        fault_rate,
        seed: backstage.fault_seed,
        picture: None,
    };
    without_temporal::plain(&location, first, &args, |begun| {
        act.say(format!(
            "{begun} of {orders} orders began as plain function calls so far."
        ));
    })
    .await?;
    comparison.plain = side(orders, &plain_inventory.audit().await?, None);
    backstage.comparison.send_replace(Some(comparison.clone()));

    let kills = Kills {
        count: kills,
        server_every: None,
    };
    many::run(backstage, &placed, kills, |completed| {
        act.say(format!(
            "{completed} of {orders} orders completed on Temporal so far."
        ));
        backstage.comparison.send_modify(|shown| {
            shown
                .iter_mut()
                .for_each(|it| it.temporal.completed = completed);
        });
    })
    .await;
    comparison.temporal = side(orders, &backstage.inventory.audit().await?, Some(&those));
    comparison.state = ComparisonState::Done;
    backstage.comparison.send_replace(Some(comparison.clone()));
    Ok(comparison)
}

/// What became of these orders of an inventory, or of all.
fn side(orders: u32, audit: &Audit, those: Option<&HashSet<String>>) -> Side {
    let is_one = |order_id: &str| those.is_none_or(|those| those.contains(order_id));
    let of_them = audit.orders.iter().filter(|it| is_one(&it.order_id));
    let outcome = Outcome::of(of_them);
    Side {
        orders,
        completed: outcome.completed,
        lost: orders.saturating_sub(outcome.completed),
        doubled: outcome.doubled,
        charged_not_shipped: outcome.charged_not_shipped,
        units_lost: outcome.units_lost,
    }
}
