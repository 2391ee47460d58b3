//! The steps of an order, as its process names them.

use activities::{
    Activity, Attempted, OrderActivities, Payment, Preparation, Reserved, Reserving, Restocking,
    Shipping,
};
use inventory::{Confirmation, MINIMUM_STOCK, Stock};
use orders::{Item, ShipBy};
use temporalio_sdk::{ChildWorkflowOptions, workflows::join_all};

use crate::{
    ProcessOrder,
    context::{OrderRun, Step, Undo},
    outcome::Shipment,
    patches, policies,
    ship_item::ShipItem,
    status::OrderStatus,
    stopped::Stopped,
};

/// The supplier's deliveries for an order are counted, so that each is made once. This is the one
/// that follows the shipment.
const AFTER_SHIPMENT: u32 = 0;

/// The longest workflow ID that a Temporal server accepts by default, in bytes
/// (`limit.maxIDLength`).
const MAX_WORKFLOW_ID: usize = 1_000;

/// How the reservation of an order's stock ended.
pub(crate) enum Prepared {
    /// Everything is set aside: what was taken of each product, and what that left in stock.
    Reserved(Vec<Stock>),
    /// An order of this ID was placed before.
    Duplicate {
        /// When it was placed, RFC 3339.
        placed_at: String,
        /// What it reserved, if that is known.
        items: Vec<Item>,
    },
}

impl OrderRun {
    pub(crate) async fn check_fraud(&self) -> Result<(), Stopped> {
        self.enter(OrderStatus::CheckingFraud);
        let (step, check) = (Activity::CheckFraud, OrderActivities::check_fraud);
        let checked = if self.order.local_check {
            self.run_locally(step, check, self.payment()).await?
        } else {
            self.run(step, check, self.payment()).await?
        };
        if let Some(inventory) = checked.and_then(|checked| checked.answer.inventory) {
            self.belongs_to(inventory);
        }
        Ok(())
    }

    /// Reserves the stock of the whole order. If it is short, the supplier comes first; and as
    /// another order may take what was delivered, as often as it takes.
    pub(crate) async fn prepare_shipment(&self) -> Result<Prepared, Stopped> {
        self.enter(OrderStatus::PreparingShipment);
        let mut round = AFTER_SHIPMENT + 1;
        if self.has_several_items() {
            self.fill_short_shelves(round).await?;
            round += 1;
        }
        self.to_undo.borrow_mut().push(Undo::Release);
        loop {
            let prepare = OrderActivities::prepare_shipment;
            let prepared = self
                .run(Activity::PrepareShipment, prepare, self.reserving())
                .await?;
            let (product, needed) = match prepared.answer {
                Preparation::Reserved(Reserved { items, .. }) => {
                    return Ok(Prepared::Reserved(items));
                }
                Preparation::Duplicate { placed_at, items } => {
                    return Ok(Prepared::Duplicate { placed_at, items });
                }
                Preparation::OutOfStock {
                    product, needed, ..
                } => (product, needed),
            };
            if round > AFTER_SHIPMENT + 1 {
                self.sleep(policies::OUT_OF_STOCK_PAUSE, "waiting for stock")
                    .await?;
            }
            let product = product.unwrap_or_else(|| self.order.item.clone());
            let needed = needed.unwrap_or(self.order.quantity);
            self.restock(round, needed, product).await?;
            round += 1;
        }
    }

    /// Looks the items up, and has the supplier fill all the shelves that are short side by side.
    async fn fill_short_shelves(&self, round: u32) -> Result<(), Stopped> {
        let look_up = OrderActivities::look_up_items;
        let shelf = self
            .run_locally(Activity::LookUpItems, look_up, self.reserving())
            .await?;
        let short = |item: &Stock| item.in_stock < item.quantity;
        let short = shelf.answer.items.into_iter().filter(short);
        let restocked =
            join_all(short.map(|item| Box::pin(self.restock(round, item.quantity, item.product))));
        restocked.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }

    pub(crate) async fn charge(&self) -> Result<String, Stopped> {
        self.enter(OrderStatus::Charging);
        self.to_undo.borrow_mut().push(Undo::Refund);
        let charge = OrderActivities::charge;
        let charged = self.run(Activity::Charge, charge, self.payment()).await?;
        Ok(charged.answer.number)
    }

    /// Ships all items side by side. When the last of them has shipped, the order does not stop any
    /// more.
    pub(crate) async fn ship(&self) -> Result<Vec<Confirmation>, Stopped> {
        self.enter(OrderStatus::Shipping);
        let address = self.ctx.state(ProcessOrder::address);
        let shipped = join_all(self.order.items().into_iter().map(|parcel| {
            Box::pin(self.ship_one(Shipping {
                placement: self.placement(),
                parcel,
                deliver_to: address.clone(),
            }))
        }));
        let shipped = shipped.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.go_on()?;
        self.to_undo.borrow_mut().clear();
        Ok(shipped)
    }

    async fn ship_one(&self, shipping: Shipping) -> Result<Confirmation, Stopped> {
        let undo = Undo::Recall(Box::new(shipping.clone()));
        self.to_undo.borrow_mut().push(undo);
        let parcel = &shipping.parcel;
        let step = self.step_about(Activity::Ship, &parcel.product, parcel.to_string());
        let shipped = match self.order.ship_by {
            Some(ShipBy::Nexus) => self.noted(step, self.ship_by_nexus(shipping)).await?,
            None if self.order.ship_apart => self.noted(step, self.ship_apart(shipping)).await?,
            None => self.run(step, OrderActivities::ship, shipping).await?,
        };
        Ok(shipped.answer)
    }

    /// Ships an item in a workflow of its own, which is cancelled if the order stops.
    async fn ship_apart(&self, shipping: Shipping) -> Result<Attempted<Confirmation>, Stopped> {
        let Item { product, .. } = &shipping.parcel;
        let options = ChildWorkflowOptions::builder()
            .workflow_id(shipment_id(
                self.ctx.workflow_id(),
                &self.placement().submission,
                product,
            ))
            .cancellation_token(self.stop.clone())
            .task_timeout(policies::WORKFLOW_TASK_TIMEOUT)
            .static_summary(shipping.parcel.to_string())
            .build();
        let child = self
            .ctx
            .start_child_workflow(ShipItem::run, shipping, options)
            .await?;
        Ok(child.result().await?)
    }

    /// Fills the shelves on which the order's reservation left less than the minimum. Returns what was
    /// shipped, with the units in stock.
    pub(crate) async fn supplier_order(
        &self,
        reserved: &[Stock],
        confirmations: Vec<Confirmation>,
    ) -> Result<Vec<Shipment>, Stopped> {
        let is_enough = |it: &Stock| it.in_stock >= MINIMUM_STOCK;
        let skips = reserved.iter().any(is_enough) && self.ctx.patched(patches::SUPPLIER_WHEN_LOW);
        let skipped = |it: &Stock| skips && is_enough(it);
        if !reserved.iter().all(skipped) {
            self.enter(OrderStatus::Resupplying);
        }
        let items = self.order.items();
        // What was reserved is told in the order of the items. In the answers of earlier versions, the
        // first has no name.
        let levels = join_all(items.iter().zip(reserved).map(|(item, left)| {
            Box::pin(async {
                if skipped(left) {
                    let step = self.supplier_step(&item.product);
                    return Ok(self.skip(step, left.in_stock));
                }
                self.restock(AFTER_SHIPMENT, 0, item.product.clone()).await
            })
        }));
        let levels = levels.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let shipped = items.into_iter().zip(confirmations).zip(levels);
        let shipped = shipped.map(|((item, confirmation), in_stock)| Shipment {
            product: item.product,
            quantity: item.quantity,
            confirmation: confirmation.number,
            in_stock,
        });
        Ok(shipped.collect())
    }

    /// Asks the supplier for a product. Returns the units in stock afterwards.
    async fn restock(&self, round: u32, needed: u32, product: String) -> Result<u32, Stopped> {
        let step = self.supplier_step(&product);
        let restocking = Restocking {
            placement: self.placement(),
            product,
            round,
            needed,
        };
        let order = OrderActivities::supplier_order;
        let delivered = self.run(step, order, restocking).await?;
        Ok(delivered.answer.in_stock)
    }

    fn supplier_step(&self, product: &str) -> Step {
        let summary = format!("product {product}");
        self.step_about(Activity::SupplierOrder, product, summary)
    }

    fn payment(&self) -> Payment {
        Payment {
            placement: self.placement(),
            payment_info: self.order.payment_info.clone(),
        }
    }

    fn reserving(&self) -> Reserving {
        Reserving {
            placement: self.placement(),
            items: self.order.items(),
        }
    }
}

/// The ID of the workflow that ships a product: named for the order's workflow, or, if that would be
/// too long, for the submission.
fn shipment_id(workflow_id: &str, submission: &str, product: &str) -> String {
    let id = format!("{workflow_id}-ship-{product}");
    if id.len() <= MAX_WORKFLOW_ID {
        id
    } else {
        format!("{submission}-ship-{product}")
    }
}

#[cfg(test)]
mod tests {
    use orders::limits::{MAX_ORDER_ID, MAX_PRODUCT};

    use super::*;

    #[test]
    fn a_shipment_is_named_for_its_order_where_the_name_fits() {
        assert_eq!(
            shipment_id("order-1", "run", "123456"),
            "order-1-ship-123456"
        );
        let suffix = "-ship-123456";
        let fits = "a".repeat(MAX_WORKFLOW_ID - suffix.len());
        assert_eq!(
            shipment_id(&fits, "run", "123456"),
            format!("{fits}{suffix}")
        );
        let too_long = format!("{fits}a");
        assert_eq!(shipment_id(&too_long, "run", "123456"), "run-ship-123456");
    }

    #[test]
    fn a_shipment_of_an_order_within_the_limits_is_always_named_for_it() {
        let longest = |length| "\u{10ffff}".repeat(length);
        let order_id = longest(MAX_ORDER_ID);
        let id = shipment_id(&order_id, "run", &longest(MAX_PRODUCT));
        assert!(id.starts_with(&order_id));
    }
}
