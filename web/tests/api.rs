//! The API, with a real server and a real worker.

mod common;

use std::process::Command;

use common::{Answer, Events, Scene, until};
use reqwest::Method;
use serde_json::{Value, json};

fn order(order_id: &str) -> Value {
    json!({"orderID": order_id, "item": "123456", "quantity": 10, "paymentInfo": "VISA-123456"})
}

fn with(mut order: Value, field: &str, value: Value) -> Value {
    order[field] = value;
    order
}

async fn order_events(scene: &Scene, order_id: &str) -> Events {
    scene
        .web
        .events(&format!("/api/orders/{order_id}/events"))
        .await
}

#[tokio::test]
async fn an_order_is_placed_once_and_followed_to_its_end() {
    let scene = Scene::new().await;
    let mut all = scene.web.events("/api/events").await;
    let _worker = scene.worker(&[]);
    all.until("reach", |reach| {
        *reach == json!({"temporal": null, "inventory": null, "workers": null})
    })
    .await;
    let placed = scene
        .web
        .post(
            "/api/orders",
            &with(order("order-1"), "pauseSeconds", json!(5)),
        )
        .await;
    assert_eq!(
        (placed.status, &placed.json["orderID"]),
        (201, &json!("order-1"))
    );
    let link = placed.json["link"].as_str().unwrap();
    assert!(
        link.contains("/namespaces/default/workflows/order-1/"),
        "{link}"
    );
    let again = scene.web.post("/api/orders", &order("order-1")).await;
    assert_eq!((again.status, &again.json), (200, &placed.json));

    let mut events = order_events(&scene, "order-1").await;
    let paused = events
        .until("order", |order| order["status"] == "Pausing")
        .await;
    assert_eq!(paused["waiting"]["what"], "its pause to end");
    assert!(paused["waiting"]["until"].is_string(), "{paused}");
    let ended = events
        .until("order", |order| order["execution"] == "Completed")
        .await;
    assert_eq!(ended["status"], "Completed");
    assert_eq!(ended["percent"], 100);
    assert_eq!(
        ended["items"],
        json!([{"productID": "123456", "quantity": 10}])
    );
    let proof = json!({"reserved": 1, "charged": 1, "shipped": 1, "undone": 0});
    assert_eq!(ended["proof"], proof);
    let steps: Vec<_> = ended["steps"].as_array().unwrap().iter().collect();
    let names: Vec<_> = steps
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    let expected = [
        "CheckFraud",
        "Pause",
        "PrepareShipment",
        "Charge",
        "Ship",
        "SupplierOrder",
    ];
    assert_eq!(names, expected);
    for step in &steps {
        assert_eq!(step["state"], "completed");
        let has_worker = step["worker"]
            .as_str()
            .is_some_and(|it| it.contains("worker"));
        assert_eq!(has_worker, step["step"] != "Pause", "{step}");
    }
    assert_eq!(steps[2]["stock"], json!({"before": 1000, "after": 990}));
    // Whoever asks later is told the same.
    until("the same answer", async || {
        let shown = scene.web.get("/api/orders/order-1").await;
        (shown.json == ended).then_some(())
    })
    .await;

    all.until("ledger", |ledger| ledger["last"] == 4).await;
    all.until("totals", |totals| {
        totals["completed"] == 1 && totals["lost"] == 0
    })
    .await;
    let stock = scene.web.get("/api/stock").await;
    assert_eq!(
        stock.json,
        json!([{"productID": "123456", "inStock": 10000}])
    );
    let ledger = scene.web.get("/api/ledger?after=1&limit=2").await;
    let changes: Vec<_> = ledger
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["change"])
        .collect();
    assert_eq!(changes, ["charged", "shipped"]);
    let audit = scene.web.get("/api/audit").await;
    assert_eq!(audit.json["clean"], true);
    assert_eq!(audit.json["lost"], 0);

    // What was done is not done again, and says so.
    let duplicate = scene.web.post("/api/orders", &order("order-1")).await;
    assert_eq!(duplicate.status, 201);
    let ended = events
        .until("order", |order| order["status"] == "Duplicate")
        .await;
    // The counts are those of the submission that has the effects.
    assert_eq!(ended["proof"], proof);
    let first = json!([{"productID": "123456", "quantity": 10}]);
    assert_eq!(ended["first"], first);
    assert_eq!(ended["percent"], Value::Null);
    assert_eq!(ended["ledger"].as_array().unwrap().len(), 4);
    let listed = until("the list", async || {
        let listed = scene.web.get("/api/orders?status=Duplicate&limit=5").await;
        (listed.json["total"] == 1).then_some(listed.json)
    })
    .await;
    assert_eq!(listed["orders"][0]["orderID"], "order-1");
}

#[tokio::test]
async fn an_idempotency_key_is_the_orders_id() {
    let scene = Scene::new().await;
    let mut nameless = order("");
    nameless.as_object_mut().unwrap().remove("orderID");
    until("the server", async || {
        let placed = scene.web.post("/api/orders", &nameless).await;
        (placed.status == 201).then_some(())
    })
    .await;
    let place = async |key: &str, order: &Value| {
        let request = scene.web.request(Method::POST, "/api/orders");
        let request = request
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(order.to_string());
        Answer::of(request.send().await.unwrap()).await
    };
    let placed = place("order-7", &nameless).await;
    assert_eq!(
        (placed.status, &placed.json["orderID"]),
        (201, &json!("order-7"))
    );
    assert_eq!(place("order-7", &nameless).await.status, 200);
    assert_eq!(place("order-7", &order("order-7")).await.status, 200);
    let differ = place("order-8", &order("order-7")).await;
    assert!(differ.problem(409).contains("differ"), "{differ:?}");
}

#[tokio::test]
async fn people_decide_and_the_orders_rules_refuse() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let approval = json!({"aboveQuantity": 5, "withinSeconds": 3600});
    let waits = |order_id| with(order(order_id), "approval", approval.clone());
    for order_id in ["order-1", "order-2"] {
        until("the server", async || {
            let placed = scene.web.post("/api/orders", &waits(order_id)).await;
            (placed.status < 300).then_some(())
        })
        .await;
        scene.web.until_status(order_id, "AwaitingApproval").await;
    }
    let early = scene
        .web
        .post(
            "/api/orders/order-1/address",
            &json!({"address": "Main Street"}),
        )
        .await;
    assert!(early.problem(400).contains("house number"), "{early:?}");

    let approved = scene
        .web
        .post("/api/orders/order-1/approve", &json!({}))
        .await;
    assert_eq!(
        (approved.status, approved.json["answer"].as_str().unwrap()),
        (200, "order-1 is approved and continues")
    );
    scene.web.until_status("order-1", "Completed").await;
    let late = scene
        .web
        .post("/api/orders/order-1/cancel", &json!({}))
        .await;
    assert!(
        late.problem(409).contains("the order has ended"),
        "{late:?}"
    );

    let reason = json!({"reason": "too many"});
    let rejected = scene.web.post("/api/orders/order-2/reject", &reason).await;
    assert_eq!(rejected.status, 200, "{rejected:?}");
    let mut events = order_events(&scene, "order-2").await;
    // Its reason comes with its result, a moment after its status.
    let rejected = events
        .until("order", |order| order["reason"].is_string())
        .await;
    assert_eq!(rejected["status"], "Rejected");
    assert!(
        rejected["reason"].as_str().unwrap().contains("too many"),
        "{rejected}"
    );
    assert_eq!(rejected["asked"], json!(["reject"]));

    let waits = with(order("order-3"), "awaitAddressSeconds", json!(3600));
    scene.web.post("/api/orders", &waits).await;
    scene.web.until_status("order-3", "AwaitingAddress").await;
    let wrong = scene
        .web
        .post("/api/orders/order-3/approve", &json!({}))
        .await;
    assert!(wrong.problem(409).contains("AwaitingAddress"), "{wrong:?}");
    let address = json!({"address": "12 Main Street"});
    let changed = scene
        .web
        .post("/api/orders/order-3/address", &address)
        .await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let shipped = scene.web.until_status("order-3", "Completed").await;
    assert_eq!(shipped["address"], "12 Main Street");

    let waits = with(order("order-4"), "awaitAddressSeconds", json!(3600));
    scene.web.post("/api/orders", &waits).await;
    scene.web.until_status("order-4", "AwaitingAddress").await;
    // A message may come without a body.
    let cancelled = scene
        .web
        .request(Method::POST, "/api/orders/order-4/cancel");
    assert_eq!(cancelled.send().await.unwrap().status(), 200);
    let undone = scene.web.until_status("order-4", "Cancelled").await;
    assert_eq!(
        undone["proof"],
        json!({"reserved": 1, "charged": 1, "shipped": 0, "undone": 1})
    );
    let undoing = undone["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["undo"] == true);
    assert_eq!(undoing.count(), 2);

    for what in ["approve", "reject", "cancel"] {
        let nobody = scene
            .web
            .post(&format!("/api/orders/order-9/{what}"), &json!({}))
            .await;
        assert!(nobody.problem(404).contains("no such order"), "{nobody:?}");
    }
}

#[tokio::test]
async fn without_a_worker_it_is_said_and_what_was_placed_goes_on_with_one() {
    let scene = Scene::new().await;
    let mut all = scene.web.events("/api/events").await;
    let reach = all
        .until("reach", |reach| reach["workers"].is_string())
        .await;
    let said = reach["workers"].as_str().unwrap();
    assert!(
        said.contains("cargo run -p worker -- --task-queue orders"),
        "{said}"
    );
    assert!(
        reach["inventory"]
            .as_str()
            .unwrap()
            .contains("no inventory"),
        "{reach}"
    );
    assert_eq!(
        scene
            .web
            .post("/api/orders", &order("order-1"))
            .await
            .status,
        201
    );
    let told = scene
        .web
        .post("/api/orders/order-1/cancel", &json!({}))
        .await;
    assert!(
        told.problem(504).contains("no worker on task queue"),
        "{told:?}"
    );
    let mut events = order_events(&scene, "order-1").await;
    let unserved = |order: &Value| {
        order["notices"]
            .to_string()
            .contains("no worker on task queue")
    };
    events.until("order", unserved).await;

    let worker = scene.worker(&[]);
    // What was asked happened all the same.
    events
        .until("order", |order| order["status"] == "Cancelled")
        .await;
    all.until("reach", |reach| reach["workers"].is_null()).await;

    // One that ends in the middle of an order is missed, too.
    let waits = with(order("order-2"), "pauseSeconds", json!(5));
    scene.web.post("/api/orders", &waits).await;
    scene.web.until_status("order-2", "Pausing").await;
    drop(worker);
    all.until("reach", |reach| reach["workers"].is_string())
        .await;
    let _worker = scene.worker(&[]);
    scene.web.until_status("order-2", "Completed").await;
}

#[tokio::test]
async fn a_server_that_is_killed_is_missed_and_found_again() {
    let mut scene = Scene::new().await;
    let worker = scene.worker(&[]);
    let waits = with(order("order-1"), "awaitAddressSeconds", json!(3600));
    let mut all = scene.web.events("/api/events").await;
    all.until("reach", |reach| {
        reach["workers"].is_null() && reach["temporal"].is_null()
    })
    .await;
    scene.web.post("/api/orders", &waits).await;
    let mut events = order_events(&scene, "order-1").await;
    events
        .until("order", |order| order["status"] == "AwaitingAddress")
        .await;
    scene.server.kill().await.unwrap();
    let reach = all
        .until("reach", |reach| reach["temporal"].is_string())
        .await;
    assert!(
        reach["temporal"]
            .as_str()
            .unwrap()
            .contains("does not answer"),
        "{reach}"
    );
    let away = scene.web.get("/api/orders").await;
    away.problem(503);
    // The inventory is there all the same.
    assert_eq!(scene.web.get("/api/stock").await.status, 200);
    drop(worker);

    scene.server.restart().await.unwrap();
    let _worker = scene.worker(&[]);
    all.until("reach", |reach| reach["temporal"].is_null())
        .await;
    let address = json!({"address": "12 Main Street"});
    until("the order to take the address", async || {
        let told = scene
            .web
            .post("/api/orders/order-1/address", &address)
            .await;
        (told.status == 200).then_some(())
    })
    .await;
    events
        .until("order", |order| order["status"] == "Completed")
        .await;
}

#[tokio::test]
async fn retries_are_shown_while_they_last_and_counted() {
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let mut all = scene.web.events("/api/events").await;
    all.until("reach", |reach| {
        reach["workers"].is_null() && reach["temporal"].is_null()
    })
    .await;
    let mut down = order("order-1");
    down["paymentInfo"] = json!("VISA-OUTAGE");
    scene.web.post("/api/orders", &down).await;
    let mut events = order_events(&scene, "order-1").await;
    let retrying = |order: &Value| {
        let mut steps = order["steps"].as_array().unwrap().iter();
        steps.any(|step| {
            step["state"] == "retrying"
                && step["nextAttemptAt"].is_string()
                && step["error"].is_string()
        })
    };
    events.until("order", retrying).await;
    let ended = events
        .until("order", |order| order["status"] == "Completed")
        .await;
    assert!(
        ended["steps"][2]["attempts"].as_u64().unwrap() > 1,
        "{ended}"
    );
    all.until("totals", |totals| totals["retries"].as_u64() > Some(1))
        .await;
}

#[tokio::test]
async fn what_is_wrong_is_named_and_never_quoted_at_length() {
    let scene = Scene::new().await;
    until("the server", async || {
        let listed = scene.web.get("/api/orders").await;
        (listed.status == 200).then_some(())
    })
    .await;
    let long = "x".repeat(1_000);
    for (body, field) in [
        (json!({"item": "123456", "quantity": 1}), "paymentInfo"),
        (with(order("order-1"), "quantity", json!(0)), "quantity"),
        (
            with(order("order-1"), "quantity", json!("4111111111111111")),
            "quantity",
        ),
        (with(order("order-1"), "colour", json!("red")), "colour"),
        (
            with(order("order-1"), "address", json!("nowhere")),
            "address",
        ),
        (
            with(order("order-1"), "moreItems", json!([{"product": "1"}])),
            "quantity",
        ),
        (order(&long), "orderID"),
        (json!("order-1"), "invalid type"),
    ] {
        let refused = scene.web.post("/api/orders", &body).await;
        let detail = refused.problem(400);
        assert!(detail.contains(field), "{detail}");
        assert!(
            !detail.contains("4111111111111111") && detail.len() < 500,
            "{detail}"
        );
    }
    let huge = with(order("order-1"), "address", json!("x".repeat(100_000)));
    scene.web.post("/api/orders", &huge).await.problem(413);
    let text = scene
        .web
        .request(Method::POST, "/api/orders")
        .body(order("order-1").to_string());
    Answer::of(text.send().await.unwrap()).await.problem(415);
    let reason = json!({"reason": long});
    scene
        .web
        .post("/api/orders/order-1/cancel", &reason)
        .await
        .problem(400);
    for (path, status) in [
        (format!("/api/orders/{long}"), 400),
        ("/api/orders/%ff".to_owned(), 400),
        ("/api/orders/%20".to_owned(), 400),
        ("/api/orders/order-1".to_owned(), 404),
        ("/api/orders/order-1/events".to_owned(), 404),
        ("/api/orders?limit=201".to_owned(), 400),
        ("/api/orders?status=Lost".to_owned(), 400),
        ("/api/orders?colour=red".to_owned(), 400),
        ("/api/ledger?after=-1".to_owned(), 400),
        ("/api/nothing".to_owned(), 404),
        ("/api/stage/report".to_owned(), 404),
    ] {
        let refused = scene.web.get(&path).await;
        assert!(refused.problem(status).len() < 500, "{path}: {refused:?}");
    }
    let wrong = scene
        .web
        .request(Method::DELETE, "/api/orders")
        .send()
        .await
        .unwrap();
    Answer::of(wrong).await.problem(405);
}

#[tokio::test]
async fn the_description_is_complete() {
    let scene = Scene::new().await;
    let description = scene.web.get("/api/openapi.json").await;
    assert_eq!(description.kind, "application/json");
    for (path, methods) in description.json["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let path = path.replace("{id}", "order-1");
            let answer = scene.web.request(method, &path).send().await.unwrap();
            let status = answer.status().as_u16();
            assert_ne!(status, 405, "{path}");
            let described = &operation["responses"][status.to_string()];
            assert!(described.is_object(), "{path}: {status} is not described");
        }
    }
}

#[tokio::test]
async fn every_command_of_the_page_works() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    let mut all = scene.web.events("/api/events").await;
    all.until("reach", |reach| {
        reach["workers"].is_null() && reach["temporal"].is_null()
    })
    .await;
    let page = include_str!("../../docs/api.md");
    let commands: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        let is_stream = command.contains("/events");
        if command.contains("/approve") {
            scene
                .web
                .until_status("order-2001", "AwaitingApproval")
                .await;
        }
        let mut shell = tokio::process::Command::new("bash");
        let seconds = if is_stream { 3 } else { 20 };
        let command_here = command.replace("http://localhost:8088", &scene.web.url);
        let script = format!("{command_here} --max-time {seconds} -w '%{{http_code}}'");
        let output = shell.args(["-c", &script]).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let status = &said[said.len() - 3..];
        // The order may be faster than the last messages.
        let may_refuse = command.contains("/address") || command.contains("/cancel");
        let fits = status.starts_with('2') || (may_refuse && status == "409");
        assert!(fits, "{command}: {said}");
    }
}

/// Sends whatever the description allows, and much that it does not, and checks each answer against it.
#[tokio::test]
async fn a_fuzzer_finds_no_answer_that_is_not_described() {
    let Some(schemathesis) = schemathesis() else {
        eprintln!("skipped: schemathesis could not be installed from PyPI");
        return;
    };
    let scene = Scene::new().await;
    let _worker = scene.worker(&[]);
    until("the inventory", async || {
        let stock = scene.web.get("/api/stock").await;
        let orders = scene.web.get("/api/orders").await;
        (stock.status == 200 && orders.status == 200).then_some(())
    })
    .await;
    let run: [&[&str]; 2] = [
        &["--phases", "examples,coverage"],
        // To JSON Schema, 2.0 is an integer, too.
        &[
            "--phases",
            "fuzzing",
            "--exclude-checks",
            "positive_data_acceptance",
        ],
    ];
    for phases in run {
        let tested = tokio::process::Command::new(&schemathesis)
            .args(["run", &format!("{}/api/openapi.json", scene.web.url)])
            .args(["--exclude-path-regex", "/events$", "--seed", "1"])
            .args([
                "--max-examples",
                "15",
                "--request-timeout",
                "20",
                "--no-color",
            ])
            .args(phases)
            .current_dir(scene.path(""))
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&tested.stdout);
        assert!(tested.status.success(), "{said}");
    }
}

/// The fuzzer, installed once in the target folder.
fn schemathesis() -> Option<std::path::PathBuf> {
    const VERSION: &str = "schemathesis==4.32.5";
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(VERSION);
    let program = folder.join("bin/schemathesis");
    // Two suites may run in the same folder.
    let lock = std::fs::File::create(folder.with_extension("lock")).ok()?;
    lock.lock().ok()?;
    if !program.exists() {
        let run = |program: &std::path::Path, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output();
            output.is_ok_and(|output| output.status.success())
        };
        let made = run("python3".as_ref(), &["-m", "venv", folder.to_str()?]);
        if !made || !run(&folder.join("bin/pip"), &["install", "--quiet", VERSION]) {
            return None;
        }
    }
    program.exists().then_some(program)
}
