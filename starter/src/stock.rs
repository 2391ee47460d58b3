//! The stock of each product, and setting it by hand. Neither needs a server.

use std::{io::Write, process::ExitCode, time::SystemTime};

use inventory::Inventory;
use serde_json::json;
use temporal::printable;

use crate::args::{StockArgs, StockCommand};

/// What the ledger names as the cause of a stock that was set here.
const BY: &str = "starter stock set";

/// Prints what is in stock of each product, after setting one of them if that was asked for.
///
/// # Errors
/// Returns an error if the inventory cannot be used.
pub async fn stock(args: &StockArgs) -> anyhow::Result<ExitCode> {
    let inventory = Inventory::at(&args.inventory.database, SystemTime::now)?;
    if let Some(StockCommand::Set(set)) = &args.command {
        inventory.set_stock(&set.product, set.units, BY).await?;
    }
    let products = inventory.products().await?;
    let text = if args.json {
        let products = products.iter().map(|it| {
            json!({"product": it.product, "inStock": it.in_stock, "lastChangedBy": it.order_id})
        });
        json!(products.collect::<Vec<_>>()).to_string() + "\n"
    } else {
        let ids: Vec<_> = products.iter().map(|it| printable(&it.product)).collect();
        let width = ids.iter().map(|id| id.chars().count()).max();
        let width = width.unwrap_or_default();
        let lines = ids.iter().zip(&products);
        let line = |(id, product): (_, &inventory::Product)| {
            format!("product {id:<width$}  {:>5} in stock\n", product.in_stock)
        };
        lines.map(line).collect()
    };
    // A pipe that nobody reads any more is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}
