//! Edits that somebody made to the inventory file by hand.

use std::time::SystemTime;

use crate::{
    entry::{Change, Entry},
    state::State,
    stock_file::StockFile,
};

/// One product whose stock in the file is not the ledger's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    product: String,
    order_id: String,
    before: u32,
    /// `None` where the product was taken out.
    after: Option<u32>,
}

/// Takes in products that no line tells of, with what the file held of them
/// before.
pub(crate) fn take_unseen(state: &mut State) {
    let State { levels, file, .. } = state;
    for record in &file.records {
        if !levels.has_seen(&record.product_id) {
            levels.adopt(&record.product_id, &record.order_id, record.in_stock);
        }
    }
}

/// Where `file` and the ledger differ. A product that neither the ledger nor
/// the file's last content tells of opens with what it holds.
pub(crate) fn find(state: &mut State, file: &StockFile) -> Vec<Edit> {
    take_unseen(state);
    let mut edits = Vec::new();
    for record in &file.records {
        let product = &record.product_id;
        if !state.has_baseline && !state.levels.has_seen(product) {
            state
                .levels
                .adopt(&record.product_id, &record.order_id, record.in_stock);
            continue;
        }
        let before = state.levels.get(product).map(|level| level.in_stock);
        if before != Some(record.in_stock) {
            edits.push(Edit {
                product: product.clone(),
                order_id: record.order_id.clone(),
                before: before.unwrap_or(0),
                after: Some(record.in_stock),
            });
        }
    }
    for (product, level) in state.levels.sorted() {
        if !file
            .records
            .iter()
            .any(|record| record.product_id == product)
        {
            edits.push(Edit {
                product: product.to_owned(),
                order_id: level.order_id.clone(),
                before: level.in_stock,
                after: None,
            });
        }
    }
    edits
}

/// The edits as lines of the ledger.
pub(crate) fn entries(state: &State, edits: Vec<Edit>, at: SystemTime) -> Vec<Entry> {
    let entry = |(edit, seq): (Edit, u64)| Entry {
        seq,
        at,
        order_id: edit.order_id,
        product_id: edit.product,
        change: Change::Adjusted,
        quantity: i64::from(edit.after.unwrap_or(0)) - i64::from(edit.before),
        in_stock: edit.after.unwrap_or(0),
        // Two parts, where a placement's key has three or more.
        key: format!("adjusted/{seq}"),
        confirmation: None,
        payment: None,
        address: None,
        more: false,
        removed: edit.after.is_none(),
    };
    edits.into_iter().zip(state.seq + 1..).map(entry).collect()
}
