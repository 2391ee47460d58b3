//! What comes from outside cannot stop an order: recorded histories with other input in them are
//! replayed with the code as it is now.
#![allow(clippy::disallowed_methods, reason = "a test reads files")]

mod common;

use std::{fs, path::Path};

use orders::{Order, limits::MAX_WAIT};
use temporalio_client::WorkflowHistory;
use temporalio_common::{
    WorkflowDefinition,
    protos::temporal::api::{
        common::v1::{Payload, Payloads, WorkflowType},
        history::v1::{HistoryEvent, history_event::Attributes},
    },
};
use temporalio_sdk::{workflow_replayer::WorkflowReplayFailure, workflows::WorkflowImplementation};
use workflows::{ProcessOrder, ShipItem};

/// The events of a recorded history of the current version.
async fn recorded(name: &str) -> Vec<HistoryEvent> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/histories/with-own-inputs")
        .join(name);
    let history = WorkflowHistory::from_json(&fs::read(path).unwrap()).unwrap();
    history.into_events().await.unwrap()
}

async fn replay<W>(events: Vec<HistoryEvent>) -> Option<WorkflowReplayFailure>
where
    W: WorkflowImplementation,
    <W::Run as WorkflowDefinition>::Input: Send,
{
    common::replay::<W>(&[events]).await.remove(0)
}

fn payload(encoding: Option<&str>, data: &str) -> Payload {
    let encoding = encoding.map(|name| ("encoding".to_owned(), name.as_bytes().to_vec()));
    Payload {
        metadata: encoding.into_iter().collect(),
        data: data.as_bytes().to_vec(),
        ..Payload::default()
    }
}

fn json(data: &str) -> Payload {
    payload(Some("json/plain"), data)
}

/// The input of each signal in the history, in order.
fn signals(events: &mut [HistoryEvent]) -> Vec<&mut Option<Payloads>> {
    let attributes = events.iter_mut().filter_map(|it| it.attributes.as_mut());
    attributes
        .filter_map(|it| match it {
            Attributes::WorkflowExecutionSignaledEventAttributes(signal) => Some(&mut signal.input),
            _ => None,
        })
        .collect()
}

fn input(events: &mut [HistoryEvent]) -> &mut Payloads {
    match &mut events[0].attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
            started.input.as_mut().unwrap()
        }
        other => panic!("not the start: {other:?}"),
    }
}

#[tokio::test]
async fn a_signal_that_cannot_be_read_is_ignored() {
    for payloads in [
        vec![json("7")],
        vec![json("null")],
        vec![json("{")],
        vec![json(r#""12 Main Street""#); 2],
        vec![payload(Some("binary/null"), "")],
        vec![payload(Some("who/knows"), "12 Main Street")],
        vec![payload(None, r#""12 Main Street""#)],
        vec![],
    ] {
        // The first of its two signals was ignored, and the second accepted.
        let mut events = recorded("address-by-signal.json").await;
        *signals(&mut events)[0] = Some(Payloads {
            payloads: payloads.clone(),
        });
        let replayed = replay::<ProcessOrder>(events).await;
        assert!(replayed.is_none(), "{payloads:?}: {replayed:?}");
    }
    let mut events = recorded("address-by-signal.json").await;
    *signals(&mut events)[0] = None;
    assert!(replay::<ProcessOrder>(events).await.is_none());
}

#[tokio::test]
async fn an_order_from_before_the_limits_continues_above_them() {
    let mut events = recorded("address-by-signal.json").await;
    let long = format!(r#""7 {}""#, "x".repeat(1_000));
    *signals(&mut events)[1] = Some(Payloads {
        payloads: vec![json(&long)],
    });
    let replayed = replay::<ProcessOrder>(events).await;
    assert!(replayed.is_none(), "{replayed:?}");

    let mut events = recorded("paused.json").await;
    let placed = &mut input(&mut events).payloads[0];
    let mut order = Order::from_json(&placed.data).unwrap();
    order.pause_seconds = Some(2 * MAX_WAIT.as_secs());
    placed.data = serde_json::to_vec(&order).unwrap();
    let replayed = replay::<ProcessOrder>(events).await;
    assert!(replayed.is_none(), "{replayed:?}");
}

/// A workflow of this type that failed in its first workflow task.
async fn failed_at_once(workflow: &str, payloads: Vec<Payload>) -> Vec<HistoryEvent> {
    let mut events = recorded("declined-payment.json").await;
    let failed = events.pop().unwrap();
    // Its start, and one workflow task.
    events.truncate(4);
    events.push(failed);
    events[4].event_id = 5;
    input(&mut events).payloads = payloads;
    if let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) =
        &mut events[0].attributes
    {
        started.search_attributes = None;
        started.workflow_type = Some(WorkflowType {
            name: workflow.to_owned(),
        });
    }
    events
}

#[tokio::test]
async fn a_shipment_or_an_order_that_cannot_be_read_fails() {
    for payloads in [
        vec![json("7")],
        vec![json(r#"{"orderID":"order-1"}"#)],
        vec![payload(Some("who/knows"), "")],
        vec![],
    ] {
        let shipment = failed_at_once("ShipItem", payloads.clone()).await;
        let replayed = replay::<ShipItem>(shipment).await;
        assert!(replayed.is_none(), "{payloads:?}: {replayed:?}");
        let order = failed_at_once("ProcessOrder", payloads.clone()).await;
        let replayed = replay::<ProcessOrder>(order).await;
        assert!(replayed.is_none(), "{payloads:?}: {replayed:?}");
    }
}
