//! Whether everything that happened adds up, and whether an order was left behind.

use std::{
    io::Write,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use inventory::{Audit, Finding, Inventory, OrderAudit, Pending, Standing, SubmissionAudit};
use serde_json::json;
use temporal::{ConnectArgs, printable};
use tokio::time::timeout;

use crate::{
    abandoned::{self, Abandoned},
    args::AuditArgs,
    connect::connect,
};

/// How long a server may take to be there. The ledger can be checked without one.
const SERVER_WITHIN: Duration = Duration::from_secs(2);

/// Checks the ledger and the stock. If orders are under way by the ledger and a server answers, it also
/// looks for those that nobody will finish. The exit status is 1 if something does not add up, or such
/// an order is found.
///
/// # Errors
/// Returns an error if the inventory cannot be read, or the server stops answering.
pub async fn audit(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let inventory = Inventory::at(&args.inventory.database, SystemTime::now)?;
    let audit = inventory.audit().await?;
    let left_behind = left_behind(&args.connect, &inventory, &audit).await?;
    let text = if args.json {
        as_json(&audit, args.orders, &left_behind).to_string() + "\n"
    } else {
        let orders = audit.orders.iter().filter(|_| args.orders).map(line);
        let orders = orders.collect::<String>();
        orders + &report(&audit) + &behind(&audit, &left_behind)
    };
    // A pipe that nobody reads any more changes nothing about the verdict.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let left = left_behind.is_ok_and(|left| !left.is_empty());
    Ok(if audit.is_clean() && !left {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The orders that nobody will finish, or the reason why no server could be asked.
async fn left_behind(
    server: &ConnectArgs,
    inventory: &Inventory,
    audit: &Audit,
) -> anyhow::Result<Result<Vec<Abandoned>, String>> {
    if audit.count(Standing::UnderWay) == 0 {
        return Ok(Ok(Vec::new()));
    }
    let client = match timeout(SERVER_WITHIN, connect(server)).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return Ok(Err(format!("{error:#}"))),
        Err(_) => return Ok(Err("the Temporal server does not answer".to_owned())),
    };
    Ok(Ok(abandoned::find(&client, inventory, audit).await?))
}

fn as_json(
    audit: &Audit,
    orders: bool,
    left_behind: &Result<Vec<Abandoned>, String>,
) -> serde_json::Value {
    let mut value = json!({
        "lines": audit.lines,
        "counts": {
            "completed": audit.count(Standing::Completed),
            "underWay": audit.count(Standing::UnderWay),
            "undone": audit.count(Standing::Undone),
        },
        "products": audit.products,
        "findings": audit.findings,
        "pending": audit.pending,
        // Null if no server was there to be asked.
        "leftBehind": left_behind.as_ref().ok(),
    });
    if orders {
        value["orders"] = json!(audit.orders);
    }
    value
}

/// The orders that were left behind, as a person reads of them.
fn behind(audit: &Audit, left_behind: &Result<Vec<Abandoned>, String>) -> String {
    let left = match left_behind {
        Ok(left) if left.is_empty() => return String::new(),
        Ok(left) => left,
        Err(reason) => {
            let orders = match audit.count(Standing::UnderWay) {
                1 => "the order".to_owned(),
                many => format!("the {many} orders"),
            };
            return format!(
                "Only the ledger was checked, as no Temporal server could be asked about {orders} under \
                 way: {}\n",
                printable(reason)
            );
        }
    };
    let lines = left
        .iter()
        .map(|order| format!("LEFT BEHIND: {}\n", printable(&order.to_string())));
    let orders = if left.len() == 1 { "order" } else { "orders" };
    lines.collect::<String>()
        + &format!(
            "Nobody will finish {} {orders}. What would undo that: cargo run -p starter -- reconcile\n",
            left.len()
        )
}

/// One order, in a line.
fn line(order: &OrderAudit) -> String {
    let standing = match order.standing() {
        Standing::Completed => "completed",
        Standing::UnderWay => "under way",
        Standing::Undone => "undone",
    };
    let what: Vec<_> = order.submissions.iter().map(happened).collect();
    let order_id = printable(&order.order_id);
    format!("{order_id:<20} {standing:<10} {}\n", what.join("; then "))
}

/// The sums and what is wrong, as a person reads them.
pub fn report(audit: &Audit) -> String {
    let mut lines = Vec::new();
    let is_read = |finding: &Finding| !matches!(finding, Finding::Damaged { .. });
    // Sums of what could not be read to its end would look like a total loss.
    if !audit.findings.iter().all(is_read) {
        lines.push("The inventory cannot be read.".to_owned());
    } else {
        lines.extend(sums(audit));
    }
    if let Some(pending) = audit.pending {
        let pending = match pending {
            Pending::HalfLine => "the ledger's last line is half written, after a crash",
            Pending::FileBehind => "the inventory file lacks the last change, after a crash",
            Pending::EditedByHand => {
                "the inventory file was edited by hand, and the ledger is not told yet"
            }
        };
        lines.push(format!("{pending}; the next change puts it right"));
    }
    lines.extend(
        audit
            .findings
            .iter()
            .map(|finding| format!("WRONG: {finding}")),
    );
    let verdict = if audit.is_clean() {
        "Everything adds up."
    } else {
        "It does NOT add up."
    };
    lines.push(verdict.to_owned());
    lines.join("\n") + "\n"
}

/// The orders by how they stand, and the products.
fn sums(audit: &Audit) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {}: {} completed, {} under way, {} undone; {} lines in the ledger",
        audit.orders.len(),
        if audit.orders.len() == 1 {
            "order"
        } else {
            "orders"
        },
        audit.count(Standing::Completed),
        audit.count(Standing::UnderWay),
        audit.count(Standing::Undone),
        audit.lines,
    )];
    for product in &audit.products {
        let found = product
            .found
            .map_or_else(|| "no record".to_owned(), |found| found.to_string());
        let by_hand = match product.adjusted {
            0 => String::new(),
            units if units < 0 => format!(" - {} by hand", -units),
            units => format!(" + {units} by hand"),
        };
        lines.push(format!(
            "product {}: {} at the start + {} delivered - {} reserved + {} released{by_hand} = {}; \
             in stock: {found}",
            product.product,
            product.opening,
            product.delivered,
            product.reserved,
            product.released,
            product.expected,
        ));
    }
    lines
}

/// What one submission of an order did, each thing with its items where they are several.
fn happened(submission: &SubmissionAudit) -> String {
    let items = |count: u32, what: &str| match count {
        0 => None,
        1 => Some(what.to_owned()),
        many => Some(format!("{what} ({many} items)")),
    };
    let times = |count: u32, what: &str| match count {
        0 => None,
        1 => Some(what.to_owned()),
        many => Some(format!("{what} x{many}")),
    };
    let units = submission.units;
    let did: Vec<_> = [
        items(submission.reserved, &format!("reserved {units}")),
        times(submission.charged, "charged"),
        items(submission.shipped, "shipped"),
        times(submission.restocked, "restocked"),
        items(submission.recalled, "recalled"),
        times(submission.refunded, "refunded"),
        times(submission.closed, "closed"),
        items(submission.released, "released"),
    ]
    .into_iter()
    .flatten()
    .collect();
    did.join(", ")
}
