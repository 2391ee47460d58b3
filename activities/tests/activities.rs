//! Each activity, by itself.

use std::{path::Path, sync::Arc, time::SystemTime};

use activities::{
    Activity, Controls, Effect, Faults, OrderActivities, Payment, Preparation, Reserved, Reserving,
    Restocking, Services, Shipping,
    faults::{FaultPoint, FaultRate},
    services::{BACK_AT_ATTEMPT, DECLINED, OUTAGE, PAYMENTS_DOWN},
};
use inventory::{Inventory, Placement, Stock};
use orders::Item;
use temporalio_sdk::{
    activities::ActivityError,
    testing::{ActivityEnvironment, ActivityEnvironmentError, TestActivityInfoOptions},
};

struct Scene {
    folder: tempfile::TempDir,
    inventory: Inventory,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().join("inventory.json").into();
        let inventory = Inventory::at(&location, SystemTime::now).unwrap();
        Self { folder, inventory }
    }

    fn environment(&self, faults: Faults, attempt: u32) -> ActivityEnvironment {
        let services = Services::new(self.inventory.clone());
        ActivityEnvironment::builder()
            .register_activities(OrderActivities::new(services, faults, Vec::new()))
            .info(TestActivityInfoOptions::builder().attempt(attempt).build())
            .build()
    }

    /// Activities that do as this file says.
    fn controlled(&self, file: &Path) -> ActivityEnvironment {
        let services = Services::new(self.inventory.clone());
        let activities = OrderActivities::new(services, Faults::none(), Vec::new());
        ActivityEnvironment::builder()
            .register_activities(activities.with_controls(Some(file.to_owned())))
            .build()
    }

    fn calm(&self) -> ActivityEnvironment {
        self.environment(Faults::none(), 1)
    }

    async fn effects(&self) -> Vec<String> {
        // There is no inventory before the first change.
        let entries = self.inventory.effects("order-1").await.unwrap_or_default();
        entries
            .iter()
            .map(|entry| entry.change.to_string())
            .collect()
    }
}

fn placement(submission: &str) -> Placement {
    Placement::new("order-1", submission)
}

fn payment(payment_info: &str) -> Payment {
    Payment {
        placement: placement("first"),
        payment_info: payment_info.to_owned(),
    }
}

fn reserving(quantity: u32) -> Reserving {
    Reserving {
        placement: placement("first"),
        items: vec![Item::new("123456", quantity)],
    }
}

fn restocking(needed: u32) -> Restocking {
    Restocking {
        placement: placement("first"),
        product: "123456".to_owned(),
        round: 0,
        needed,
    }
}

fn shipping() -> Shipping {
    Shipping {
        placement: placement("first"),
        parcel: Item::new("123456", 999),
        deliver_to: Some("12 Main Street".to_owned()),
    }
}

/// The failure's message, type, and whether it is final.
fn failure(error: ActivityEnvironmentError) -> (String, String, bool) {
    match error {
        ActivityEnvironmentError::Activity(ActivityError::Application(failure)) => (
            failure.to_string(),
            failure.type_name().unwrap_or_default().to_owned(),
            failure.is_non_retryable(),
        ),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn check_fraud_refuses_what_is_no_payment_info_for_good() {
    let scene = Scene::new();
    let environment = scene.calm();
    environment
        .run(OrderActivities::check_fraud, payment("VISA-123456"))
        .await
        .unwrap();
    for (info, word) in [
        ("", "no payment info"),
        ("  ", "no payment info"),
        ("visa-666666", "known-bad"),
    ] {
        let refused = environment
            .run(OrderActivities::check_fraud, payment(info))
            .await
            .unwrap_err();
        let (message, kind, is_final) = failure(refused);
        assert!(
            message.contains("order-1") && message.contains(word),
            "{message}"
        );
        assert!(!message.contains("666666"), "{message}");
        assert_eq!((kind.as_str(), is_final), ("PaymentRefused", true));
    }
    assert_eq!(scene.effects().await, [""; 0]);
}

#[tokio::test]
async fn prepare_shipment_reserves_once_for_each_submission() {
    let scene = Scene::new();
    let environment = scene.calm();
    for attempt in 1..=3 {
        let reserved = Preparation::Reserved(Reserved {
            items: vec![Stock {
                product: "123456".to_owned(),
                quantity: 999,
                in_stock: 1,
            }],
            already: attempt > 1,
        });
        let prepared = environment
            .run(OrderActivities::prepare_shipment, reserving(999))
            .await
            .unwrap();
        assert_eq!(prepared.answer, reserved);
    }
    let again = Reserving {
        placement: placement("second"),
        ..reserving(999)
    };
    let prepared = environment
        .run(OrderActivities::prepare_shipment, again)
        .await
        .unwrap();
    assert!(
        matches!(&prepared.answer, Preparation::Duplicate { items, .. } if *items == reserving(999).items),
        "{prepared:?}"
    );
    assert_eq!(scene.effects().await, ["reserved"]);
}

#[tokio::test]
async fn prepare_shipment_tells_what_can_be_mended_from_what_cannot() {
    let scene = Scene::new();
    let environment = scene.calm();
    let prepared = environment
        .run(OrderActivities::prepare_shipment, reserving(1_001))
        .await
        .unwrap();
    let short = Preparation::OutOfStock {
        in_stock: 1_000,
        product: Some("123456".to_owned()),
        needed: Some(1_001),
    };
    assert_eq!(prepared.answer, short);

    let refused = environment
        .run(OrderActivities::prepare_shipment, reserving(10_001))
        .await
        .unwrap_err();
    let (message, kind, is_final) = failure(refused);
    assert!(
        message.contains("10001") && message.contains("10000"),
        "{message}"
    );
    assert_eq!((kind.as_str(), is_final), ("OverCapacity", true));

    let mut unknown = reserving(1);
    unknown.items[0].product = "654321".to_owned();
    let refused = environment
        .run(OrderActivities::prepare_shipment, unknown)
        .await
        .unwrap_err();
    let (message, kind, is_final) = failure(refused);
    assert!(
        message.contains("654321") && message.contains("123456"),
        "{message}"
    );
    assert_eq!((kind.as_str(), is_final), ("UnknownProduct", true));

    std::fs::write(scene.folder.path().join("inventory.json"), "{").unwrap();
    let failed = environment
        .run(OrderActivities::prepare_shipment, reserving(1))
        .await
        .unwrap_err();
    let (message, kind, is_final) = failure(failed);
    assert!(message.contains("inventory.json"), "{message}");
    assert_eq!((kind.as_str(), is_final), ("Inventory", false));
}

#[tokio::test]
async fn charge_and_ship_answer_a_retry_with_the_same_confirmation() {
    let scene = Scene::new();
    let environment = scene.calm();
    environment
        .run(OrderActivities::prepare_shipment, reserving(999))
        .await
        .unwrap();
    let charge = || environment.run(OrderActivities::charge, payment("VISA-123456"));
    let (charge, again) = (charge().await.unwrap(), charge().await.unwrap());
    assert_eq!(again.answer.confirmation(), charge.answer.confirmation());
    assert_eq!((charge.answer.found(), again.answer.found()), (false, true));
    let ship = || environment.run(OrderActivities::ship, shipping());
    let (shipment, again) = (ship().await.unwrap(), ship().await.unwrap());
    assert_eq!(again.answer.confirmation(), shipment.answer.confirmation());
    assert_eq!(
        (shipment.answer.found(), again.answer.found()),
        (false, true)
    );
    assert_ne!(charge, shipment);
    assert_eq!(charge.attempts, 1);
    let shipped = &scene.inventory.effects("order-1").await.unwrap()[2];
    assert_eq!(shipped.address.as_deref(), Some("12 Main Street"));
    assert_eq!(scene.effects().await, ["reserved", "charged", "shipped"]);
    let ledger = std::fs::read_to_string(scene.folder.path().join("ledger.jsonl")).unwrap();
    assert!(
        !ledger.contains("VISA"),
        "payment info stands in the ledger"
    );
}

#[tokio::test]
async fn supplier_order_delivers_up_to_the_capacity_and_only_where_stock_is_low() {
    let scene = Scene::new();
    let environment = scene.calm();
    let delivery = environment
        .run(OrderActivities::supplier_order, restocking(0))
        .await
        .unwrap()
        .answer;
    assert_eq!((delivery.quantity, delivery.in_stock), (9_000, 10_000));
    let again = environment
        .run(OrderActivities::supplier_order, restocking(0))
        .await
        .unwrap()
        .answer;
    assert_eq!((again.quantity, again.in_stock), (9_000, 10_000));
    assert_eq!((delivery.found(), again.found()), (false, true));
    let enough = Restocking {
        round: 1,
        ..restocking(0)
    };
    let delivery = environment
        .run(OrderActivities::supplier_order, enough)
        .await
        .unwrap()
        .answer;
    assert_eq!((delivery.quantity, delivery.in_stock), (0, 10_000));
    assert_eq!(scene.effects().await, ["restocked"]);
}

async fn undo_all(environment: &ActivityEnvironment) {
    environment
        .run(OrderActivities::recall, shipping())
        .await
        .unwrap();
    environment
        .run(OrderActivities::refund, placement("first"))
        .await
        .unwrap();
    environment
        .run(OrderActivities::release, placement("first"))
        .await
        .unwrap();
}

#[tokio::test]
async fn undoing_what_was_not_done_sees_to_it_that_it_is_not_done_later() {
    let scene = Scene::new();
    let environment = scene.calm();
    undo_all(&environment).await;
    assert_eq!(scene.effects().await, ["closed"]);
    let late = environment
        .run(OrderActivities::prepare_shipment, reserving(999))
        .await
        .unwrap_err();
    let (message, kind, is_final) = failure(late);
    assert!(message.contains("has been undone"), "{message}");
    assert_eq!((kind.as_str(), is_final), ("Undone", true));
    assert_eq!(scene.effects().await, ["closed"]);
}

#[tokio::test]
async fn what_was_done_is_undone_once() {
    let scene = Scene::new();
    let environment = scene.calm();
    environment
        .run(OrderActivities::prepare_shipment, reserving(999))
        .await
        .unwrap();
    environment
        .run(OrderActivities::charge, payment("VISA-1"))
        .await
        .unwrap();
    undo_all(&environment).await;
    undo_all(&environment).await;
    let effects = scene.effects().await;
    // The recall came first, and found no shipment.
    assert_eq!(
        effects,
        ["reserved", "charged", "closed", "refunded", "released"]
    );
}

#[tokio::test]
async fn a_declined_payment_is_final_and_charges_nothing() {
    let scene = Scene::new();
    let environment = scene.calm();
    environment
        .run(OrderActivities::prepare_shipment, reserving(999))
        .await
        .unwrap();
    let refused = environment
        .run(OrderActivities::charge, payment(DECLINED))
        .await
        .unwrap_err();
    let (message, kind, is_final) = failure(refused);
    assert!(message.contains("declined"), "{message}");
    assert_eq!((kind.as_str(), is_final), ("PaymentDeclined", true));
    assert_eq!(scene.effects().await, ["reserved"]);
}

#[tokio::test]
async fn the_payment_service_comes_back_at_the_fifth_attempt() {
    let scene = Scene::new();
    let calm = scene.calm();
    calm.run(OrderActivities::prepare_shipment, reserving(999))
        .await
        .unwrap();
    for attempt in 1..=BACK_AT_ATTEMPT {
        let charged = scene
            .environment(Faults::none(), attempt)
            .run(OrderActivities::charge, payment(OUTAGE))
            .await;
        if attempt < BACK_AT_ATTEMPT {
            let (_, kind, is_final) = failure(charged.unwrap_err());
            assert_eq!((kind.as_str(), is_final), ("ServiceDown", false));
        } else {
            assert_eq!(charged.unwrap().attempts, BACK_AT_ATTEMPT);
        }
    }
    assert_eq!(scene.effects().await, ["reserved", "charged"]);
}

#[tokio::test]
async fn what_a_person_controls_counts_from_the_next_attempt_on() {
    let scene = Scene::new();
    let file = scene.folder.path().join("controls.json");
    let mut controls = Controls {
        fault_rate: FaultRate::NONE,
        payments_down: true,
        hold_after_charge: None,
    };
    controls.write(&file).unwrap();
    let environment = scene.controlled(&file);
    environment
        .run(OrderActivities::prepare_shipment, reserving(999))
        .await
        .unwrap();
    let charge = || environment.run(OrderActivities::charge, payment("VISA-123456"));
    let (message, kind, is_final) = failure(charge().await.unwrap_err());
    assert_eq!(message, PAYMENTS_DOWN);
    assert_eq!((kind.as_str(), is_final), ("ServiceDown", false));
    assert_eq!(scene.effects().await, ["reserved"]);

    // A service that is down fails in no other way.
    controls.fault_rate = 0.999_999.try_into().unwrap();
    controls.write(&file).unwrap();
    let (message, ..) = failure(charge().await.unwrap_err());
    assert_eq!(message, PAYMENTS_DOWN);

    controls.payments_down = false;
    controls.write(&file).unwrap();
    let (_, kind, _) = failure(charge().await.unwrap_err());
    assert_eq!(kind, "SimulatedFault");

    // The effect comes first, then the sign, and the answer only when the file is gone.
    let charged = scene.folder.path().join("charged");
    controls.fault_rate = FaultRate::NONE;
    controls.hold_after_charge = Some(charged.clone());
    controls.write(&file).unwrap();
    let watching = async {
        while !charged.exists() {
            tokio::task::yield_now().await;
        }
        assert_eq!(scene.effects().await, ["reserved", "charged"]);
        std::fs::remove_file(&charged).unwrap();
    };
    tokio::select! {
        biased;
        _ = charge() => panic!("the charge did not stop"),
        () = watching => {}
    }

    // An order does not suffer from a file that is damaged.
    std::fs::write(&file, "{").unwrap();
    assert!(charge().await.unwrap().answer.found());
}

#[tokio::test]
async fn an_order_of_several_items_is_looked_up_reserved_and_shipped_item_by_item() {
    let scene = Scene::new();
    let record =
        |product: &str| format!(r#"{{"orderID":"000","productID":"{product}","inStock":10}}"#);
    let file = format!("[{},{}]", record("123456"), record("234567"));
    std::fs::write(scene.folder.path().join("inventory.json"), file).unwrap();
    let environment = scene.calm();
    let reserving = Reserving {
        items: vec![Item::new("123456", 3), Item::new("234567", 4)],
        ..reserving(0)
    };
    let shelf = environment
        .run(OrderActivities::look_up_items, reserving.clone())
        .await
        .unwrap()
        .answer;
    let seen: Vec<_> = shelf
        .items
        .iter()
        .map(|item| (item.quantity, item.in_stock))
        .collect();
    assert_eq!(seen, [(3, 10), (4, 10)]);
    environment
        .run(OrderActivities::prepare_shipment, reserving.clone())
        .await
        .unwrap();
    for parcel in reserving.items {
        let shipping = Shipping {
            parcel,
            ..shipping()
        };
        environment
            .run(OrderActivities::ship, shipping)
            .await
            .unwrap();
    }
    assert_eq!(
        scene.effects().await,
        ["reserved", "reserved", "shipped", "shipped"]
    );
}

/// An attempt that fails at `point`, and the faults that make it so.
fn fault(activity: Activity, point: FaultPoint) -> (Faults, u32) {
    let faults = Faults::new(0.5.try_into().unwrap(), 1);
    let attempt = (1..).find(|attempt| faults.draw("order-1", activity, *attempt) == Some(point));
    (faults, attempt.unwrap())
}

/// The steps of an order that have an effect, without faults.
async fn do_all(environment: &ActivityEnvironment) {
    environment
        .run(OrderActivities::prepare_shipment, reserving(999))
        .await
        .unwrap();
    environment
        .run(OrderActivities::charge, payment("VISA-123456"))
        .await
        .unwrap();
    environment
        .run(OrderActivities::ship, shipping())
        .await
        .unwrap();
    environment
        .run(OrderActivities::supplier_order, restocking(0))
        .await
        .unwrap();
}

#[tokio::test]
async fn each_activity_fails_with_a_message_of_its_own_and_a_retry_finds_what_was_done() {
    let mut messages = Vec::new();
    for point in [FaultPoint::Before, FaultPoint::After] {
        let scene = Scene::new();
        for activity in Activity::ALL {
            if activity == Activity::Recall {
                // From here on, the order is undone.
                do_all(&scene.calm()).await;
            }
            let (faults, attempt) = fault(activity, point);
            let environment = scene.environment(faults, attempt);
            let failed = match activity {
                Activity::CheckFraud => environment
                    .run(OrderActivities::check_fraud, payment("VISA-123456"))
                    .await
                    .err(),
                Activity::PrepareShipment => environment
                    .run(OrderActivities::prepare_shipment, reserving(999))
                    .await
                    .err(),
                Activity::Charge => environment
                    .run(OrderActivities::charge, payment("VISA-123456"))
                    .await
                    .err(),
                Activity::Ship => environment
                    .run(OrderActivities::ship, shipping())
                    .await
                    .err(),
                Activity::SupplierOrder => environment
                    .run(OrderActivities::supplier_order, restocking(0))
                    .await
                    .err(),
                Activity::LookUpItems => environment
                    .run(OrderActivities::look_up_items, reserving(999))
                    .await
                    .err(),
                Activity::Recall => environment
                    .run(OrderActivities::recall, shipping())
                    .await
                    .err(),
                Activity::Refund => environment
                    .run(OrderActivities::refund, placement("first"))
                    .await
                    .err(),
                Activity::Release => environment
                    .run(OrderActivities::release, placement("first"))
                    .await
                    .err(),
            };
            let (message, kind, is_final) = failure(failed.expect("a fault"));
            assert_eq!((kind.as_str(), is_final), ("SimulatedFault", false));
            messages.push(message);
        }
        let done: &[&str] = match point {
            FaultPoint::Before => &["reserved", "charged", "shipped", "restocked"],
            FaultPoint::After => &[
                "reserved",
                "charged",
                "shipped",
                "restocked",
                "recalled",
                "refunded",
                "released",
            ],
        };
        assert_eq!(scene.effects().await, done);

        undo_all(&scene.calm()).await;
        let all = [
            "reserved",
            "charged",
            "shipped",
            "restocked",
            "recalled",
            "refunded",
            "released",
        ];
        assert_eq!(scene.effects().await, all);
    }
    let all = messages.len();
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), all);
}

#[tokio::test]
async fn an_attempt_that_lasts_sends_heartbeats() {
    use std::sync::atomic::{AtomicU32, Ordering};

    let scene = Scene::new();
    let held = scene.folder.path().join("held");
    let hold = format!("CheckFraud:before={}", held.display())
        .parse()
        .unwrap();
    let beats = Arc::new(AtomicU32::new(0));
    let counted = beats.clone();
    let services = Services::new(scene.inventory.clone());
    let environment = ActivityEnvironment::builder()
        .register_activities(OrderActivities::new(services, Faults::none(), vec![hold]))
        .on_heartbeat(move |_| {
            // The third lets the attempt go on.
            if counted.fetch_add(1, Ordering::Relaxed) == 2 {
                std::fs::remove_file(&held).unwrap();
            }
        })
        .info(
            TestActivityInfoOptions::builder()
                .heartbeat_timeout(std::time::Duration::from_millis(300))
                .build(),
        )
        .build();
    environment
        .run(OrderActivities::check_fraud, payment("VISA-123456"))
        .await
        .unwrap();
    assert!(beats.load(Ordering::Relaxed) >= 3);
}

/// An order that is cancelled waits for the attempt that is running, because only a known effect can be undone.
#[tokio::test]
async fn an_attempt_that_is_cancelled_still_ends_and_tells_its_effect() {
    let scene = Scene::new();
    let held = scene.folder.path().join("held");
    let hold = format!("Charge:before={}", held.display());
    let services = Services::new(scene.inventory.clone());
    let activities = OrderActivities::new(services, Faults::none(), vec![hold.parse().unwrap()]);
    let environment = ActivityEnvironment::builder()
        .register_activities(activities)
        .build();
    let reserved = environment.run(OrderActivities::prepare_shipment, reserving(1));
    reserved.await.unwrap();
    let cancelling = async {
        while !held.exists() {
            tokio::task::yield_now().await;
        }
        environment.cancel();
        std::fs::remove_file(&held).unwrap();
    };
    let charging = environment.run(OrderActivities::charge, payment("VISA-123456"));
    let (charged, ()) = tokio::join!(charging, cancelling);
    assert!(!charged.unwrap().answer.already);
    assert_eq!(scene.effects().await.len(), 2);
}
