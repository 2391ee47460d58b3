//! Whether everything that happened adds up, by the ledger and the inventory file alone.

use std::{io::Write, process::ExitCode, time::SystemTime};

use inventory::{Audit, Inventory, Pending, Standing, SubmissionAudit};

use crate::args::AuditArgs;

/// Reads the ledger and the inventory file and says what happened to each order. The exit status
/// is 1 if something does not add up.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub async fn audit(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let inventory = Inventory::at(&args.database, SystemTime::now)?;
    let audit = inventory.audit().await?;
    let text = if args.json {
        serde_json::to_string(&audit)? + "\n"
    } else {
        report(&audit)
    };
    // A pipe that nobody reads any more changes nothing about the verdict.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(if audit.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The audit as a person reads it.
pub fn report(audit: &Audit) -> String {
    let mut lines = Vec::new();
    for order in &audit.orders {
        let standing = match order.standing() {
            Standing::Completed => "completed",
            Standing::UnderWay => "under way",
            Standing::Undone => "undone",
        };
        let what: Vec<_> = order.submissions.iter().map(happened).collect();
        lines.push(format!(
            "{:<20} {standing:<10} {}",
            order.order_id,
            what.join("; then ")
        ));
    }
    lines.push(format!(
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
    ));
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
             the inventory file says {found}",
            product.product,
            product.opening,
            product.delivered,
            product.reserved,
            product.released,
            product.expected,
        ));
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
