//! Orders whose payloads the server cannot read, on a real server with real worker processes.

mod common;

use std::path::{Path, PathBuf};

use common::{Scene, ended, history, order, reason, result, until};
use futures::{FutureExt, future::BoxFuture};
use orders::{Item, Order};
use prost::Message;
use starter::{
    follow::{self, Watch},
    progress::{OrderEvent, StepState},
};
use temporal::{Keys, Settings};
use temporalio_client::{Client, WorkflowDescribeOptions};
use temporalio_common::{
    data_converters::PayloadConversionError,
    payload_visitor::{AsyncPayloadVisitor, PayloadField, PayloadFieldData, PayloadVisitable},
    protos::temporal::api::{
        common::v1::Payload,
        enums::v1::WorkflowExecutionStatus,
        history::v1::{History, HistoryEvent, history_event::Attributes},
    },
};
use workflows::OrderOutcome;

const OLD: &str = "old=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";
const NEW: &str = "new=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n";

/// What an order of `secret_order` and its process write into payloads and failures, and nowhere
/// else.
const WORDS: [&str; 5] = [
    "VISA-4711-0815",
    "paymentInfo",
    "inStock",
    "charge-0",
    "(simulated)",
];

/// A scene whose client has these keys, and the file with them for workers.
async fn scene(keys: &str) -> (Scene, PathBuf) {
    let mut scene = Scene::new().await;
    let file = keys_file(&scene, keys);
    scene.client = client(&scene, keys).await;
    (scene, file)
}

fn keys_file(scene: &Scene, keys: &str) -> PathBuf {
    let file = scene.path(&format!("keys-{}", keys.len()));
    std::fs::write(&file, keys).unwrap();
    file
}

async fn client(scene: &Scene, keys: &str) -> Client {
    let mut settings = Settings::plain(&scene.server.address(), "default").unwrap();
    settings.encryption = Keys::parse(keys).unwrap();
    temporal::connect(&settings, "test").await.unwrap()
}

fn secret_order(order_id: &str) -> Order {
    Order {
        payment_info: "VISA-4711-0815".to_owned(),
        pause_seconds: Some(1),
        ..order(order_id, 999)
    }
}

/// Which of these words the server could read in a history.
fn found<'a>(words: &[&'a str], history: &[HistoryEvent]) -> Vec<&'a str> {
    let events = history.to_vec();
    let bytes = History { events }.encode_to_vec();
    let is_found = |word: &&str| bytes.windows(word.len()).any(|w| w == word.as_bytes());
    words.iter().copied().filter(is_found).collect()
}

/// The keys' IDs of all payloads in a history; an empty one for a payload that is not encrypted.
async fn key_ids(history: &[HistoryEvent]) -> Vec<String> {
    struct Ids(Vec<String>);

    impl Ids {
        fn add(&mut self, payload: &Payload) {
            let id = payload.metadata.get("encryption-key-id").cloned();
            self.0
                .push(String::from_utf8(id.unwrap_or_default()).unwrap());
        }
    }

    impl AsyncPayloadVisitor for Ids {
        fn visit<'a>(
            &'a mut self,
            field: PayloadField<'a>,
        ) -> BoxFuture<'a, Result<(), PayloadConversionError>> {
            // The server itself looks for workflows by these.
            if !field.path.contains("SearchAttributes") {
                match field.data {
                    PayloadFieldData::Single(payload) => self.add(payload),
                    PayloadFieldData::Repeated(all) => all.iter().for_each(|one| self.add(one)),
                    PayloadFieldData::Payloads(all) => {
                        all.payloads.iter().for_each(|one| self.add(one));
                    }
                }
            }
            std::future::ready(Ok(())).boxed()
        }
    }

    let mut ids = Ids(Vec::new());
    for event in history {
        event.clone().visit_payloads_mut(&mut ids).await.unwrap();
    }
    ids.0
}

/// What a person who follows an order is told of its failed steps.
#[derive(Default)]
struct Errors(Vec<String>);

impl Watch for Errors {
    fn event(&mut self, event: &OrderEvent) {
        if let OrderEvent::Step(step) = event
            && let StepState::Failed { error } = &step.state
        {
            self.0.push(error.clone());
        }
    }

    fn say(&mut self, _: &str) {}
}

fn flag(file: &Path) -> [&str; 2] {
    ["--encryption-keys-file", file.to_str().unwrap()]
}

#[tokio::test]
async fn the_server_reads_nothing_of_an_order_and_its_people_read_all() {
    let (scene, keys) = scene(OLD).await;
    let faults = ["--fault-rate", "0.5", "--fault-seed", "4"];
    let worker = scene.worker(&[&flag(&keys)[..], &faults].concat());
    let handle = scene.place(&secret_order("order-1")).await;
    assert_eq!(result(ended(&handle).await).shipments[0].in_stock, 10_000);

    let events = history(&handle).await;
    assert_eq!(found(&WORDS, &events), [""; 0]);
    let ids = key_ids(&events).await;
    assert!(ids.len() > 10, "{ids:?}");
    assert!(ids.iter().all(|id| id == "old"), "{ids:?}");
    let key = OLD.trim().split_once('=').unwrap().1;
    assert!(!worker.log().contains(key), "{}", worker.log());

    // The same without keys, to see that there is something to be found.
    let plain = Scene::new().await;
    let _worker = plain.worker(&faults);
    let handle = plain.place(&secret_order("order-1")).await;
    assert_eq!(result(ended(&handle).await).shipments[0].in_stock, 10_000);
    assert_eq!(found(&WORDS, &history(&handle).await), WORDS);
}

#[tokio::test]
async fn the_server_does_not_read_what_each_step_is_about() {
    const ABOUT: [&str; 2] = ["units of product", "mug"];
    let (scene, keys) = scene(OLD).await;
    scene.shelves(&[("123456", 6_000), ("mug", 6_000)]);
    let _worker = scene.worker(&flag(&keys));
    for ship_apart in [false, true] {
        let several = Order {
            more_items: vec![Item::new("mug", 20)],
            ship_apart,
            ..order(&format!("order-{ship_apart}"), 10)
        };
        let handle = scene.place(&several).await;
        result(ended(&handle).await);
        let mut events = history(&handle).await;
        // A part's ID has the product in it, and IDs are not encrypted.
        let id_of_a_part = format!("{}-ship-mug", several.order_id);
        let ids = found(&[&id_of_a_part], &events);
        assert_eq!(ids.is_empty(), !ship_apart);
        if ship_apart {
            events.retain(|event| found(&[&id_of_a_part], std::slice::from_ref(event)).is_empty());
        }
        assert_eq!(found(&ABOUT, &events), [""; 0], "{ship_apart}");
    }
}

#[tokio::test]
async fn the_server_does_not_read_why_an_order_failed() {
    const REASON: [&str; 2] = ["*********00", "known-bad"];
    let refused = Order {
        payment_info: "VISA-000000".to_owned(),
        ..order("order-1", 10)
    };
    let (scene, keys) = scene(OLD).await;
    let _worker = scene.worker(&flag(&keys));
    let handle = scene.place(&refused).await;
    let mut errors = Errors::default();
    let reason = reason(follow::follow(&handle, &mut errors).await.unwrap());
    for told in [&reason, &errors.0.concat()] {
        assert!(REASON.iter().all(|word| told.contains(word)), "{told:?}");
    }
    assert_eq!(found(&REASON, &history(&handle).await), [""; 0]);

    let plain = Scene::new().await;
    let _worker = plain.worker(&[]);
    let handle = plain.place(&refused).await;
    ended(&handle).await;
    assert_eq!(found(&REASON, &history(&handle).await), REASON);
}

#[tokio::test]
async fn without_the_key_the_order_waits_and_says_for_which() {
    let (scene, keys) = scene(OLD).await;
    let without = scene.worker(&[]);
    let handle = scene.place(&order("order-1", 10)).await;
    let failure = until("the workflow task to fail", async || {
        let mut events = history(&handle).await.into_iter();
        events.find_map(|event| match event.attributes {
            Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => {
                Some(failed.failure?.message)
            }
            _ => None,
        })
    })
    .await;
    for words in [
        "key \"old\"",
        "--encryption-keys-file",
        "no keys were given",
    ] {
        assert!(failure.contains(words), "{failure}");
    }
    without.says("key \"old\"").await;
    let there = handle.describe(WorkflowDescribeOptions::default()).await;
    let status = there.unwrap().into_raw().workflow_execution_info.unwrap();
    assert_eq!(status.status(), WorkflowExecutionStatus::Running);
    without.kill().await;

    let _with = scene.worker(&flag(&keys));
    assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
}

#[tokio::test]
async fn a_new_key_takes_over_from_an_old_one_and_from_none_while_orders_are_under_way() {
    let (mut scene, old) = scene(OLD).await;
    let held = scene.path("held");
    let hold = format!("Charge:before={}", held.display());
    let first = scene.worker(&[&flag(&old)[..], &["--hold", &hold]].concat());
    scene.place(&order("order-1", 10)).await;
    until("the charge", async || held.exists().then_some(())).await;
    first.kill().await;

    let settings = Settings::plain(&scene.server.address(), "default").unwrap();
    scene.client = temporal::connect(&settings, "test").await.unwrap();
    scene.place(&order("order-2", 20)).await;

    let both = format!("{NEW}{OLD}");
    let _second = scene.worker(&flag(&keys_file(&scene, &both)));
    let client = client(&scene, &both).await;
    for (order_id, keys) in [("order-1", ["old", "new"]), ("order-2", ["", "new"])] {
        let handle = follow::find(&client, order_id).await.unwrap();
        assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
        let mut ids = key_ids(&history(&handle).await).await;
        ids.dedup();
        assert_eq!(ids, keys, "{order_id}");
    }
}

#[tokio::test]
async fn a_running_worker_takes_up_a_new_key() {
    let (mut scene, file) = scene(OLD).await;
    let worker = scene.worker(&flag(&file));
    worker.says("worker ready").await;
    let both = format!("{NEW}{OLD}");
    std::fs::write(&file, &both).unwrap();
    worker.says("were renewed").await;

    scene.client = client(&scene, &both).await;
    let handle = scene.place(&order("order-1", 10)).await;
    assert_eq!(result(ended(&handle).await).outcome, OrderOutcome::Managed);
    let ids = key_ids(&history(&handle).await).await;
    assert!(ids.iter().all(|id| id == "new"), "{ids:?}");
}

#[tokio::test]
async fn wrong_keys_end_a_worker_at_once_and_are_named() {
    let scene = Scene::new().await;
    let file = keys_file(&scene, "old=c2hvcnQ=");
    let mut worker = scene.worker(&flag(&file));
    assert!(!worker.ended().await.success());
    let log = worker.log();
    for words in [file.to_str().unwrap(), "\"old\" has 5 bytes", "openssl"] {
        assert!(log.contains(words), "{log}");
    }
    assert!(!log.contains("c2hvcnQ"), "{log}");
}
