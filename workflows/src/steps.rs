//! The steps of an order, as its process names them.

use activities::{Confirmation, OrderActivities, Preparation, Restocking, Shipping, Stock};
use orders::Item;
use temporalio_sdk::{ChildWorkflowOptions, workflows::join_all};

use crate::{
    ProcessOrder, context::Steps, outcome::Shipment, policies, ship_item::ShipItem,
    status::OrderStatus, stopped::Stopped, undo::Undo,
};

/// The supplier's deliveries of an order are counted, so that each is made once. This is the one
/// that follows the shipment.
const AFTER_SHIPMENT: u32 = 0;

impl Steps {
    pub(crate) async fn check_fraud(&self) -> Result<(), Stopped> {
        self.enter(OrderStatus::CheckingFraud);
        self.go_on()?;
        let step = self.begin("CheckFraud", None);
        let checked = if self.task.order.local_check {
            self.run_locally(OrderActivities::check_fraud, self.task.clone())
                .await
        } else {
            self.run(OrderActivities::check_fraud, self.task.clone(), None)
                .await
        };
        self.end(step, checked, |checked| {
            (checked.map_or(1, |checked| checked.attempts), None)
        })?;
        Ok(())
    }

    /// Reserves the stock of the whole order. Where it is short, the supplier comes first; and as
    /// another order may take what was delivered, as often as it takes.
    pub(crate) async fn prepare_shipment(&self) -> Result<Preparation, Stopped> {
        self.enter(OrderStatus::PreparingShipment);
        let mut round = AFTER_SHIPMENT + 1;
        if self.has_several_items() {
            self.fill_short_shelves(round).await?;
            round += 1;
        }
        self.to_undo.borrow_mut().push(Undo::Release);
        loop {
            let step = self.begin("PrepareShipment", None);
            let prepared = self
                .run(OrderActivities::prepare_shipment, self.task.clone(), None)
                .await;
            let prepared = self.end(step, prepared, |prepared| (prepared.attempts, None))?;
            let Preparation::OutOfStock {
                product, needed, ..
            } = prepared.answer
            else {
                return Ok(prepared.answer);
            };
            if round > AFTER_SHIPMENT + 1 {
                self.sleep(policies::OUT_OF_STOCK_PAUSE, "stock is short")
                    .await?;
            }
            let needed = needed.unwrap_or(self.task.order.quantity);
            self.restock(round, needed, product).await?;
            round += 1;
        }
    }

    /// Looks the items up, and has the supplier fill all the shelves that are short side by side.
    async fn fill_short_shelves(&self, round: u32) -> Result<(), Stopped> {
        let step = self.begin("LookUpItems", None);
        let shelf = self
            .run_locally(OrderActivities::look_up_items, self.task.clone())
            .await;
        let shelf = self.end(step, shelf, |shelf| (shelf.attempts, None))?;
        let short = |item: &Stock| item.in_stock < item.quantity;
        let short = shelf.answer.items.into_iter().filter(short);
        let restocked = join_all(short.map(|item| {
            let product = Some(item.product);
            Box::pin(self.restock(round, item.quantity, product))
        }));
        restocked.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }

    pub(crate) async fn charge(&self) -> Result<String, Stopped> {
        self.enter(OrderStatus::Charging);
        self.to_undo.borrow_mut().push(Undo::Refund);
        let step = self.begin("Charge", None);
        let charged = self
            .run(OrderActivities::charge, self.task.clone(), None)
            .await;
        let charged = self.end(step, charged, |charged| {
            let confirmation = charged.answer.confirmation.clone();
            (charged.attempts, Some(confirmation))
        })?;
        Ok(charged.answer.confirmation)
    }

    /// Ships all items side by side. When the last of them has shipped, the order does not stop any
    /// more.
    pub(crate) async fn ship(&self) -> Result<Vec<Confirmation>, Stopped> {
        self.enter(OrderStatus::Shipping);
        let address = self.ctx.state(ProcessOrder::address);
        let shipped = join_all(self.task.order.items().into_iter().map(|item| {
            let shipping = self.shipping(item, address.clone());
            Box::pin(self.ship_one(shipping))
        }));
        let shipped = shipped.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.go_on()?;
        self.to_undo.borrow_mut().clear();
        Ok(shipped)
    }

    async fn ship_one(&self, shipping: Shipping) -> Result<Confirmation, Stopped> {
        let Item { product, .. } = shipping.parcel();
        let several = self.has_several_items();
        let undo = Undo::Recall(Box::new(shipping.clone()));
        self.to_undo.borrow_mut().push(undo);
        let step = self.begin("Ship", several.then_some(product.as_str()));
        let summary = several.then(|| shipping.parcel().to_string());
        let shipped = if self.task.order.ship_apart {
            self.ship_apart(shipping).await
        } else {
            let shipped = self.run(OrderActivities::ship, shipping, summary).await;
            shipped.map(|shipped| (shipped.answer, shipped.attempts))
        };
        let (confirmation, _) = self.end(step, shipped, |(shipped, attempts)| {
            (*attempts, Some(shipped.confirmation.clone()))
        })?;
        Ok(confirmation)
    }

    /// Ships an item in a workflow of its own, which goes on by itself whatever this one does.
    async fn ship_apart(&self, shipping: Shipping) -> Result<(Confirmation, u32), Stopped> {
        let item = shipping.parcel();
        let workflow_id = format!("{}-ship-{}", self.ctx.workflow_id(), item.product);
        let options = ChildWorkflowOptions::builder()
            .workflow_id(workflow_id)
            .cancellation_token(self.stop.clone())
            .task_timeout(policies::WORKFLOW_TASK_TIMEOUT)
            .static_summary(item.to_string())
            .build();
        let child = self
            .ctx
            .start_child_workflow(ShipItem::run, shipping, options)
            .await
            .map_err(|error| self.stopped(error.failure(), error.cause(), &error))?;
        let shipped = child
            .result()
            .await
            .map_err(|error| self.stopped(error.failure(), error.cause(), &error))?;
        Ok((shipped.answer, shipped.attempts))
    }

    /// Fills the shelves where stock fell below the minimum. Returns what was shipped, with the
    /// units in stock.
    pub(crate) async fn supplier_order(
        &self,
        confirmations: Vec<Confirmation>,
    ) -> Result<Vec<Shipment>, Stopped> {
        self.enter(OrderStatus::Resupplying);
        let items = self.task.order.items();
        let several = self.has_several_items();
        let levels = join_all(items.iter().map(|item| {
            let product = several.then(|| item.product.clone());
            Box::pin(self.restock(AFTER_SHIPMENT, 0, product))
        }));
        let levels = levels.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let shipped = items.into_iter().zip(confirmations).zip(levels);
        let shipped = shipped.map(|((item, confirmation), in_stock)| Shipment {
            product: item.product,
            quantity: item.quantity,
            confirmation: confirmation.confirmation,
            in_stock,
        });
        Ok(shipped.collect())
    }

    async fn restock(
        &self,
        round: u32,
        needed: u32,
        product: Option<String>,
    ) -> Result<u32, Stopped> {
        let step = self.begin("SupplierOrder", product.as_deref());
        let restocking = Restocking {
            task: self.task.clone(),
            round,
            needed,
            product,
        };
        let summary = self
            .has_several_items()
            .then(|| format!("product {}", restocking.product()));
        let delivered = self
            .run(OrderActivities::supplier_order, restocking, summary)
            .await;
        let delivered = self.end(step, delivered, |delivered| (delivered.attempts, None))?;
        Ok(delivered.answer.in_stock)
    }

    pub(crate) fn shipping(&self, item: Item, deliver_to: Option<String>) -> Shipping {
        Shipping {
            task: self.task.clone(),
            parcel: Some(item),
            deliver_to,
        }
    }
}
