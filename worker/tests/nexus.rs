//! Orders that another team's shipping service ships, through Nexus: real servers, workers and services, which
//! are killed at each point where it hurts.

mod common;

use common::{Scene, WorkerProcess, ended, order, result};
use orders::{Order, ShipBy};
use workflows::OrderOutcome;

const EFFECTS: [&str; 4] = ["reserved", "charged", "shipped", "restocked"];

fn by_nexus(order_id: &str) -> Order {
    Order {
        ship_by: Some(ShipBy::Nexus),
        ..order(order_id, 999)
    }
}

/// A process of the shipping service.
fn service(scene: &Scene, name: &str, flags: &[&str]) -> WorkerProcess {
    let address = scene.server.address();
    let database = scene.database();
    let usual = ["shipping-service", "--address", &address, "--fault-rate=0"];
    let database = ["--database", database.to_str().unwrap()];
    WorkerProcess::command(&[&usual[..], &database, flags].concat(), scene.path(name))
}

#[tokio::test]
async fn an_order_ships_through_the_service_of_another_team() {
    let scene = Scene::new().await;
    let service = service(&scene, "service.log", &[]);
    service.says("shipping service ready").await;
    let _worker = scene.worker(&[]);
    let result = result(ended(&scene.place(&by_nexus("order-1")).await).await);
    assert_eq!(result.outcome, OrderOutcome::Managed);
    assert_eq!(scene.effects("order-1").await, EFFECTS);
    scene.audit().await;
}
