//! The live page with real processes behind it: what its buttons do, and what is left when it ends.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::Instant,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use servers::ReservedPort;
use tempfile::TempDir;

use common::{
    DEMO, PATIENCE, environment,
    terminal::{Terminal, joined, lines},
    until_some,
};

/// A presenter's terminal.
const SIZE: (u16, u16) = (30, 80);

/// The live page on a terminal, and a browser.
struct Page {
    terminal: Terminal,
    address: String,
    folder: TempDir,
    _port: ReservedPort,
}

impl Page {
    fn open(fault_rate: &str) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
        let surroundings = environment(port.number(), folder.path());
        let listen = format!("127.0.0.1:{}", port.number());
        let arguments = ["live", "--listen", &listen, "--fault-rate", fault_rate];
        let terminal = Terminal::run(DEMO, &arguments, surroundings, SIZE);
        terminal.until("Ctrl-C stops everything.");
        Self {
            terminal,
            address: listen,
            folder,
            _port: port,
        }
    }

    /// Sends a request, and returns the status and the body.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
        let mut stream = self.send(method, path, body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = body.map(Value::to_string).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        stream
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Presses a button of the stage.
    fn press(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", &format!("/api/stage/{path}"), Some(body));
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap_or_default()
    }

    /// Waits until the page shows the stage like this.
    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        let mut events = BufReader::new(self.send("GET", "/api/events", None)).lines();
        let mut newest = Value::Null;
        while begun.elapsed() < PATIENCE {
            let line = events.next().unwrap().unwrap();
            if line.trim() != "event: stage" {
                continue;
            }
            let data = events.next().unwrap().unwrap();
            newest = serde_json::from_str(data.strip_prefix("data:").unwrap()).unwrap();
            if is_so(&newest) {
                return newest;
            }
        }
        panic!("{what} did not happen: {newest:#}");
    }

    fn pids(&self) -> Vec<i32> {
        let stage = self.until("everything to run", |stage| {
            ["worker-1", "worker-2", "server"]
                .iter()
                .all(|name| process(stage, name)["state"] == "alive")
        });
        let processes = stage["processes"].as_array().unwrap();
        // The workers of later builds were not started.
        let pids = processes.iter().filter_map(|it| it["pid"].as_i64());
        pids.map(|pid| pid.try_into().unwrap()).collect()
    }

    /// Waits until it has ended, and checks that nothing is left.
    fn ended(self, pids: &[i32]) {
        let (status, rows) = self.terminal.wait();
        assert!(status.success(), "{}", lines(&rows));
        for pid in pids {
            assert!(!runs(*pid), "process {pid} was left running");
        }
        let left = fs::read_dir(self.folder.path()).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["temporal.toml"]);
    }
}

fn runs(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None).is_ok()
}

fn process<'a>(stage: &'a Value, name: &str) -> &'a Value {
    let mut processes = stage["processes"].as_array().unwrap().iter();
    processes.find(|process| process["name"] == name).unwrap()
}

#[test]
fn a_charge_whose_worker_is_killed_is_found_by_the_other_worker_and_made_once() {
    let page = Page::open("0");
    let shown = joined(&page.terminal.rows());
    assert_eq!(shown.matches("http").count(), 1, "{shown}");
    assert!(
        shown.contains(&format!("Open http://{} ", page.address)),
        "{shown}"
    );
    let pids = page.pids();
    assert!(pids.iter().all(|pid| runs(*pid)));

    // The charge can only land on the worker that is armed.
    page.press("processes/worker-2/kill", &json!({}));
    assert!(!runs(pids[1]));
    page.press("processes/worker-1/kill-after-charge", &json!({}));
    let order = json!({"item": "123456", "quantity": 5, "paymentInfo": "VISA-123456"});
    // The page tries again and again to reach the server, and may need a moment for it.
    let placed = until_some("the order to be placed", || {
        let (status, placed) = page.ask("POST", "/api/orders", Some(&order));
        Some(placed).filter(|placed| match status {
            201 => true,
            503 => false,
            _ => panic!("{status} {placed}"),
        })
    });
    let placed: Value = serde_json::from_str(&placed).unwrap();
    let order_id = placed["orderID"].as_str().unwrap();
    let stage = page.until("worker-1 to be killed", |stage| {
        process(stage, "worker-1")["state"] == "dead"
    });
    assert!(!runs(pids[0]));
    assert_eq!(stage["deaths"], 2, "{stage:#}");
    assert_eq!(process(&stage, "worker-1")["doing"]["orderID"], order_id);
    assert_eq!(process(&stage, "worker-1")["doing"]["step"], "Charge");

    page.press("processes/worker-2/start", &json!({}));
    let path = format!("/api/orders/{order_id}");
    let order = until_some("the order to complete", || {
        Some(page.get(&path)).filter(|order| order["execution"] == "Completed")
    });
    let steps = order["steps"].as_array().unwrap();
    let charge = steps.iter().find(|step| step["step"] == "Charge").unwrap();
    assert_eq!(
        (&charge["found"], &charge["attempts"]),
        (&json!(true), &json!(2))
    );
    let stage = page.until("worker-2 to run", |stage| {
        process(stage, "worker-2")["state"] == "alive"
    });
    assert_eq!(charge["worker"], process(&stage, "worker-2")["identity"]);
    assert_eq!(charge["died"], "worker-1", "{charge}");
    let names = &stage["names"];
    assert_eq!(names[charge["worker"].as_str().unwrap()], "worker-2");
    let others = steps.iter().filter(|step| step["step"] != "Charge");
    assert!(others.map(|step| &step["died"]).all(Value::is_null));
    let ledger = order["ledger"].as_array().unwrap();
    let charges = ledger.iter().filter(|line| line["change"] == "charged");
    assert_eq!(charges.count(), 1, "{ledger:#?}");
    let (status, report) = page.ask("GET", "/api/stage/report", None);
    assert_eq!(status, 200);
    for words in [
        order_id,
        "killed: worker-1",
        "an earlier attempt did it",
        "Everything adds up",
    ] {
        assert!(report.contains(words), "no {words:?}: {report}");
    }

    page.terminal.press("\u{3}");
    page.ended(&pids);
}

#[test]
fn every_scene_shows_what_it_says() {
    let page = Page::open("0.2");
    let stage = page.until("the scenes", |_| true);
    let scenes = stage["scenes"].as_array().unwrap();
    assert!(scenes.len() >= 8, "{scenes:#?}");
    for scene in scenes {
        let id = scene["id"].as_str().unwrap();
        page.press(&format!("scenes/{id}"), &json!({}));
        let outcome = |stage: &Value| {
            let mut scenes = stage["scenes"].as_array().unwrap().iter();
            scenes.find(|scene| scene["id"] == id).unwrap()["outcome"].clone()
        };
        let stage = page.until(&format!("the outcome of {id}"), |stage| {
            let act = &stage["act"];
            !outcome(stage).is_null() && (act.is_null() || act["shown"].is_boolean())
        });
        assert_eq!(outcome(&stage)["shown"], true, "{id}: {stage:#}");
    }
    let audit = page.get("/api/audit");
    assert_eq!(
        (&audit["clean"], &audit["doubled"]),
        (&json!(true), &json!(0)),
        "{audit}"
    );

    // All that was pressed is described.
    let described = page.get("/api/openapi.json");
    let described = described["paths"].as_object().unwrap();
    for path in [
        "processes/{name}/kill",
        "processes/{name}/start",
        "processes/{name}/kill-after-charge",
        "faults",
        "payments",
        "orders",
        "comparison",
        "scenes/{id}",
        "report",
    ] {
        assert!(
            described.contains_key(&format!("/api/stage/{path}")),
            "{path}"
        );
    }

    // What makes no sense is refused, with a reason.
    for (path, status) in [
        ("scenes/none", 404),
        ("processes/worker-3/kill", 404),
        ("processes/server/kill-after-charge", 404),
        ("processes/worker-1/start", 409),
    ] {
        let (answered, problem) = page.ask("POST", &format!("/api/stage/{path}"), Some(&json!({})));
        assert_eq!(answered, status, "{path}: {problem}");
        assert!(problem.contains("detail"), "{problem}");
    }

    // A process that ends by itself is noticed, and SIGTERM leaves nothing.
    let pids = page.pids();
    let stage = page.until("the stage", |_| true);
    let deaths = stage["deaths"].as_u64().unwrap();
    kill(Pid::from_raw(pids[1]), Signal::SIGKILL).unwrap();
    page.until("worker-2 to be dead", |stage| {
        let worker = process(stage, "worker-2");
        worker["state"] == "dead" && worker["byItself"] == true && stage["deaths"] == deaths + 1
    });
    page.terminal.terminate();
    page.ended(&pids);
}

#[test]
fn what_has_begun_goes_on_though_the_browser_that_asked_for_it_goes_away() {
    let page = Page::open("0");
    page.press("processes/server/kill", &json!({}));
    let browser = page.send("POST", "/api/stage/processes/server/start", None);
    let state = |stage: &Value| process(stage, "server")["state"].clone();
    page.until("the server to be started", |stage| state(stage) != "dead");
    drop(browser);
    page.until("the server to run", |stage| state(stage) == "alive");
    let pids = page.pids();
    page.terminal.press("\u{3}");
    page.ended(&pids);
}

#[test]
fn a_page_that_is_killed_takes_its_processes_along() {
    let page = Page::open("0");
    let pids = page.pids();
    page.terminal.kill();
    until_some("everything to end", || {
        pids.iter().all(|pid| !runs(*pid)).then_some(())
    });
}

#[test]
fn an_address_that_cannot_be_served_is_named_with_what_to_do() {
    let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (listen, words) in [
        (taken.as_str(), "another program listens at"),
        ("0.0.0.0:0", "from other machines"),
    ] {
        let errors = refused(&["live", "--listen", listen], &port, folder.path());
        assert!(
            errors.contains(words) && errors.contains("--listen"),
            "{errors}"
        );
    }
    let nowhere = folder.path().join("none").join("report.html");
    let nowhere = nowhere.to_str().unwrap();
    let errors = refused(&["chaos", "--report", nowhere], &port, folder.path());
    assert!(
        errors.contains(nowhere) && errors.contains("--report"),
        "{errors}"
    );
}

/// What a demo says that ends before it has started anything.
fn refused(arguments: &[&str], port: &ReservedPort, folder: &Path) -> String {
    let surroundings = environment(port.number(), folder);
    let output = Command::new(DEMO)
        .args(arguments)
        .envs(surroundings)
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
