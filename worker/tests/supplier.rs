//! The supplier is asked where a reservation leaves less than the minimum in stock, and only there.

mod common;

use activities::Activity;
use common::{Scene, ended, history, order, result, status, until};
use inventory::{CAPACITY, Change, Entry, MINIMUM_STOCK};
use orders::{Item, Order};
use starter::{
    follow::{self, OrderHandle, Watch},
    progress::{OrderEvent, StepChange, StepState},
};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use workflows::status::StepStatus;

const PRODUCT: &str = "123456";

/// The activities that the server was asked for.
async fn scheduled(handle: &OrderHandle) -> Vec<String> {
    let activities =
        history(handle)
            .await
            .into_iter()
            .filter_map(|event| match event.attributes? {
                Attributes::ActivityTaskScheduledEventAttributes(step) => {
                    Some(step.activity_type?.name)
                }
                _ => None,
            });
    activities.collect()
}

/// The steps that whoever follows an order is told to be skipped.
#[derive(Default)]
struct Skipped(Vec<StepChange>);

impl Watch for Skipped {
    fn event(&mut self, event: &OrderEvent) {
        if let OrderEvent::Step(step) = event
            && step.state == StepState::Skipped
        {
            self.0.push(step.clone());
        }
    }

    fn say(&mut self, _: &str) {}
}

async fn skipped(handle: &OrderHandle) -> Vec<StepChange> {
    let mut skipped = Skipped::default();
    follow::follow(handle, &mut skipped).await.unwrap();
    skipped.0
}

#[tokio::test]
async fn an_order_that_leaves_the_minimum_skips_the_supplier_and_says_so() {
    let scene = Scene::new().await;
    scene.shelves(&[(PRODUCT, MINIMUM_STOCK + 3_000)]);
    let _worker = scene.worker(&[]);

    let handle = scene.place(&order("order-1", 8)).await;
    let ended_with = result(ended(&handle).await);
    assert_eq!(ended_with.shipments[0].in_stock, 7_992);
    assert_eq!(
        scheduled(&handle).await,
        ["CheckFraud", "PrepareShipment", "Charge", "Ship"]
    );
    assert_eq!(
        scene.effects("order-1").await,
        ["reserved", "charged", "shipped"]
    );
    let told = status(&handle).await;
    assert_eq!((told.steps.len(), told.percent), (5, 100));
    assert_eq!(told.steps[4].step, Activity::SupplierOrder);
    assert_eq!(told.steps[4].status, StepStatus::Skipped);
    assert_eq!(told.steps[4].in_stock, Some(7_992));
    let steps = skipped(&handle).await;
    assert_eq!(
        (steps[0].step.as_str(), steps[0].number),
        ("SupplierOrder", 5)
    );
    assert_eq!(
        steps[0].answer.remark.as_deref(),
        Some("not needed, 7,992 in stock")
    );

    // What leaves exactly the minimum leaves enough, and a unit less does not.
    let handle = scene.place(&order("order-2", 2_992)).await;
    assert_eq!(result(ended(&handle).await).shipments[0].in_stock, 5_000);
    assert_eq!(skipped(&handle).await.len(), 1);
    let handle = scene.place(&order("order-3", 1)).await;
    assert_eq!(result(ended(&handle).await).shipments[0].in_stock, CAPACITY);
    assert_eq!(skipped(&handle).await, []);
    scene.audit().await;
}

#[tokio::test]
async fn of_several_items_the_supplier_is_asked_only_for_what_is_low() {
    let scene = Scene::new().await;
    scene.shelves(&[(PRODUCT, CAPACITY), ("234567", MINIMUM_STOCK)]);
    let _worker = scene.worker(&[]);
    let both = Order {
        more_items: vec![Item::new("234567", 20)],
        ..order("order-1", 10)
    };
    let handle = scene.place(&both).await;
    let shipments = result(ended(&handle).await).shipments;
    let levels: Vec<_> = shipments.iter().map(|it| it.in_stock).collect();
    assert_eq!(levels, [9_990, CAPACITY]);
    let asked = scheduled(&handle).await;
    let supplier = asked.iter().filter(|name| *name == "SupplierOrder");
    assert_eq!(supplier.count(), 1);
    let steps = skipped(&handle).await;
    let about: Vec<_> = steps.iter().map(|it| it.about.as_deref()).collect();
    assert_eq!(about, [Some("product 123456")]);
}

/// All that the orders did to the product's stock, in the order in which it was done.
async fn changes(scene: &Scene, orders: &[Order]) -> Vec<Entry> {
    let inventory = scene.inventory().await;
    let mut all = Vec::new();
    for order in orders {
        all.extend(inventory.effects(&order.order_id).await.unwrap());
    }
    all.retain(|entry| entry.in_stock.is_some());
    all.sort_by_key(|entry| entry.seq);
    all
}

#[tokio::test]
async fn whenever_a_reservation_takes_the_stock_below_the_minimum_the_supplier_delivers() {
    let scene = Scene::new().await;
    scene.shelves(&[(PRODUCT, CAPACITY)]);
    let orders: Vec<_> = (1..=60)
        .map(|number| order(&format!("order-{number}"), 400))
        .collect();
    let mut workers: Vec<_> = (0..3).map(|_| scene.worker(&[])).collect();
    let mut handles = Vec::new();
    for order in &orders {
        handles.push(scene.place(order).await);
    }
    for killed_after in [5, 15, 25, 35, 45] {
        until("reservations", async || {
            let changes = changes(&scene, &orders).await;
            let reserved = changes.iter().filter(|it| it.change == Change::Reserved);
            (reserved.count() >= killed_after).then_some(())
        })
        .await;
        workers.remove(0).kill().await;
        workers.push(scene.worker(&[]));
    }
    for handle in &handles {
        result(ended(handle).await);
    }

    let changes = changes(&scene, &orders).await;
    let mut asked = 0;
    for reserved in changes.iter().filter(|it| it.change == Change::Reserved) {
        // An order that found too little asks before it reserves, too. The last step is what counts.
        let handle = follow::find(&scene.client, &reserved.order_id).await;
        let activities = scheduled(&handle.unwrap()).await;
        let asks = activities.last().is_some_and(|it| it == "SupplierOrder");
        assert_eq!(
            asks,
            reserved.in_stock < Some(MINIMUM_STOCK),
            "{reserved:?}"
        );
        asked += usize::from(asks);
    }
    assert!(scene.stock().await >= MINIMUM_STOCK);
    // Neither every order asked for it nor none did.
    assert!(asked > 0 && asked < orders.len(), "{asked} orders asked");
    scene.audit().await;
}
