//! The live page in a real browser, with real processes behind it. What the page says at the end is compared
//! with the ledger.
//!
//! It takes Chromium and its driver, which Debian calls `chromium` and `chromium-driver`. Without them these
//! tests say that they see nothing.

mod common;

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    path::PathBuf,
    process::Stdio,
    sync::Mutex,
    time::{Duration, Instant},
};

use common::{DEMO, environment};
use fantoccini::{Client, ClientBuilder, Locator};
use futures::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use servers::ReservedPort;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
};

/// What is waited for has happened long before.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A room's projector, and a phone.
const PROJECTOR: (u32, u32) = (1280, 720);
const PHONE: (u32, u32) = (390, 844);

/// The live page, and what drives browsers.
struct Room {
    demo: Child,
    address: String,
    driver: Child,
    driver_address: String,
    browsers: Mutex<Vec<Client>>,
    _folder: TempDir,
    _ports: [ReservedPort; 2],
}

impl Room {
    /// Opens the page; `None` where there is no browser.
    async fn open() -> Option<Self> {
        let Some(driver) = driver() else {
            eprintln!("skipped: there is no `chromedriver` on the PATH, so nothing sees the page");
            return None;
        };
        let driver_port = ReservedPort::new().unwrap();
        let mut driver = Command::new(driver)
            .arg(format!("--port={}", driver_port.number()))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        until_said(driver.stdout.take().unwrap(), "started successfully").await;

        let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
        let listen = format!("127.0.0.1:{}", port.number());
        let mut demo = Command::new(DEMO)
            .args(["live", "--listen", &listen, "--fault-rate", "0"])
            .envs(environment(port.number(), folder.path()))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let address = until_said(demo.stdout.take().unwrap(), "Open ").await;
        Some(Self {
            demo,
            address,
            driver,
            driver_address: format!("http://127.0.0.1:{}", driver_port.number()),
            browsers: Mutex::default(),
            _folder: folder,
            _ports: [port, driver_port],
        })
    }

    /// Opens a browser of this size at a path of the page.
    async fn browser(&self, (width, height): (u32, u32), path: &str) -> Browser {
        let options = json!({"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            format!("--window-size={width},{height}"),
        ]});
        let capabilities = json!({"browserName": "chrome", "goog:chromeOptions": options});
        let Value::Object(capabilities) = capabilities else {
            unreachable!("it is an object")
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&self.driver_address)
            .await
            .unwrap();
        self.browsers.lock().unwrap().push(client.clone());
        // A window is larger than what it shows of a page.
        let browser = Browser(client);
        let frame = browser.value("outerHeight - innerHeight").await;
        let frame = u32::try_from(frame.as_u64().unwrap()).unwrap();
        let resized = browser.0.set_window_size(width, height + frame);
        resized.await.unwrap();
        browser.go(&format!("{}{path}", self.address)).await;
        browser
    }

    /// Ends everything, as Ctrl-C does.
    async fn close(mut self) {
        for client in self.browsers.into_inner().unwrap() {
            client.close().await.unwrap();
        }
        let pid = Pid::from_raw(self.demo.id().unwrap().cast_signed());
        kill(pid, Signal::SIGINT).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.demo.wait()).await;
        assert!(ended.unwrap().unwrap().success());
        self.driver.kill().await.unwrap();
    }
}

/// Plays a scenario in a room, and closes it in whatever way the scenario ends: a browser outlives the
/// program that drives it.
async fn in_a_room(scenario: impl AsyncFnOnce(&Room)) {
    let Some(room) = Room::open().await else {
        return;
    };
    let played = AssertUnwindSafe(scenario(&room)).catch_unwind().await;
    room.close().await;
    if let Err(panic) = played {
        resume_unwind(panic);
    }
}

/// The program that drives Chromium.
fn driver() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("chromedriver"))
        .find(|program| program.is_file())
}

/// What a program says after these words, up to the end of the line. What it says later is read, too, so
/// that it never waits for a reader.
async fn until_said(output: impl AsyncRead + Send + Unpin + 'static, words: &str) -> String {
    let mut lines = BufReader::new(output).lines();
    let said = tokio::time::timeout(PATIENCE, async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it should say so");
            if let Some((_, said)) = line.split_once(words) {
                return said.trim().to_owned();
            }
        }
    });
    let said = said.await.unwrap();
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    said
}

/// A person's browser.
struct Browser(Client);

impl Browser {
    async fn go(&self, address: &str) {
        self.0.goto(address).await.unwrap();
    }

    /// What an expression of JavaScript comes to.
    async fn value(&self, expression: &str) -> Value {
        let script = format!("return {expression}");
        self.0.execute(&script, Vec::new()).await.unwrap()
    }

    /// Waits until an expression is true.
    async fn until(&self, what: &str, expression: &str) {
        let begun = Instant::now();
        while self.value(expression).await != true {
            if begun.elapsed() > PATIENCE {
                let page = self.value("document.body.innerText").await;
                panic!(
                    "{what}: {expression}\nThe page says:\n{}",
                    page.as_str().unwrap()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The text of the first element that a selector finds.
    async fn text(&self, selector: &str) -> String {
        let expression = format!("document.querySelector({}).textContent", json!(selector));
        self.value(&expression).await.as_str().unwrap().to_owned()
    }

    async fn until_text(&self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        let expression =
            format!("(document.querySelector({selector})?.textContent ?? '').includes({text})");
        self.until("the text", &expression).await;
    }

    async fn until_there(&self, selector: &str) {
        let expression = format!("document.querySelector({}) !== null", json!(selector));
        self.until("the element", &expression).await;
    }

    /// Clicks what a person sees.
    async fn click(&self, selector: &str) {
        // A button that needs the processes is hidden until the page has heard of them.
        let seen = format!(
            "document.querySelector({})?.checkVisibility() === true",
            json!(selector)
        );
        self.until("something to click", &seen).await;
        let element = self.0.find(Locator::Css(selector)).await.unwrap();
        element.click().await.unwrap();
    }

    /// Types into the field of this name in the open dialog.
    async fn fill(&self, name: &str, text: &str) {
        let selector = format!("dialog[open] [name='{name}']");
        let field = self.0.find(Locator::Css(&selector)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// What the API answers.
    async fn get(&self, path: &str) -> Value {
        let script =
            "const [path, done] = arguments; fetch(path).then((it) => it.json()).then(done)";
        let answer = self.0.execute_async(script, vec![json!(path)]).await;
        answer.unwrap()
    }

    /// The order in view.
    async fn order(&self) -> String {
        self.until("an order", "location.pathname.startsWith('/orders/')")
            .await;
        let path = self.value("decodeURIComponent(location.pathname)").await;
        path.as_str()
            .unwrap()
            .trim_start_matches("/orders/")
            .to_owned()
    }

    /// Checks that the counters say what the ledger has of this order. Returns the lines' changes.
    async fn compare(&self, order: &str) -> Vec<String> {
        let ledger = self.get("/api/ledger?limit=1000").await;
        let lines = ledger.as_array().unwrap().iter();
        let own = lines.filter(|line| line["orderID"] == order);
        let changes: Vec<String> = own
            .map(|line| line["change"].as_str().unwrap().to_owned())
            .collect();
        for counter in ["reserved", "charged", "shipped"] {
            let times = changes.iter().filter(|change| *change == counter).count();
            let shown = format!(".counters [data-name={counter}] dd");
            assert_eq!(
                self.text(&shown).await,
                times.to_string(),
                "{counter}: {changes:?}"
            );
        }
        changes
    }

    async fn until_status(&self, status: &str) {
        self.until_text("#order .status", status).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_after_the_charge_costs_nobody_anything() {
    in_a_room(async |room| {
        let browser = room.browser(PROJECTOR, "/").await;
        browser.click("#bar [aria-keyshortcuts=s]").await;
        browser.click("[data-scene=kill-after-charge]").await;
        let order = browser.order().await;
        browser.until_there(".card[data-state=dead]").await;
        browser
            .until_text("#headline", "the customer paid once")
            .await;
        browser.until_status("Completed").await;
        browser
            .until_there(".tile[data-step=Charge][data-found]")
            .await;
        let changes = browser.compare(&order).await;
        let charges = changes.iter().filter(|change| *change == "charged");
        assert_eq!(charges.count(), 1, "{changes:?}");

        browser
            .click(".card[data-state=dead] [data-action=start]")
            .await;
        browser
            .until(
                "three live processes",
                "document.querySelectorAll('.card[data-state=alive]').length === 3",
            )
            .await;

        // A reload and a second screen show the same.
        browser.0.refresh().await.unwrap();
        let other = room.browser(PROJECTOR, &format!("/orders/{order}")).await;
        for browser in [&browser, &other] {
            browser.until_status("Completed").await;
            browser
                .until_text("#headline", "the customer paid once")
                .await;
            browser.compare(&order).await;
            let fits = "document.documentElement.scrollHeight <= innerHeight";
            assert_eq!(
                browser.value(fits).await,
                true,
                "the page should fit into one picture"
            );
        }
        let phone = room.browser(PHONE, &format!("/orders/{order}")).await;
        phone.until_status("Completed").await;
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(
            phone.value(fits).await,
            true,
            "a phone should not scroll sideways"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_approves_an_order_is_refused_an_address_and_cancels() {
    in_a_room(async |room| {
        let browser = room.browser(PROJECTOR, "/").await;
        browser.click("#bar [aria-keyshortcuts=o]").await;
        let hostile = "12 <b>Main</b> Street <img src=x>";
        browser.fill("address", hostile).await;
        browser.click("dialog[open] [name=approval]").await;
        browser.click("dialog[open] [type=submit]").await;
        let order = browser.order().await;
        browser.until_status("Awaiting approval").await;
        browser.until_text("#order .about", hostile).await;
        let markup = "document.querySelector('#order b, #order img') !== null";
        assert_eq!(
            browser.value(markup).await,
            false,
            "an address became markup"
        );
        browser.click("[data-ask=approve]").await;
        browser.until_status("Completed").await;
        browser
            .until_text(".counters [data-name=shipped] dd", "1")
            .await;
        browser.compare(&order).await;

        browser.click("#bar [aria-keyshortcuts=o]").await;
        browser.fill("address", "12 Main Street").await;
        browser.fill("await", "600").await;
        browser.click("dialog[open] [type=submit]").await;
        browser.until_status("Awaiting address").await;
        let order = browser.order().await;
        browser.click("[data-ask=address]").await;
        browser.fill("text", "nowhere").await;
        browser.click("dialog[open] [type=submit]").await;
        browser
            .until_text("dialog[open] .error", "house number")
            .await;
        browser.click("dialog[open] .quiet").await;
        assert!(
            browser
                .text("#order .about")
                .await
                .contains("12 Main Street")
        );

        browser.click("[data-ask=cancel]").await;
        browser.fill("text", "found it cheaper").await;
        browser.click("dialog[open] [type=submit]").await;
        browser.until_status("Cancelled").await;
        browser
            .until_text(".counters [data-name=undone] dd", "1")
            .await;
        browser
            .until_text("#order .waiting", "found it cheaper")
            .await;
        let changes = browser.compare(&order).await;
        assert_eq!(changes, ["reserved", "charged", "refunded", "released"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_orders_outlive_the_server() {
    in_a_room(async |room| {
        let browser = room.browser(PROJECTOR, "/").await;
        browser.click("#bar [aria-keyshortcuts='5']").await;
        browser.until_there(".field a[data-kind=done]").await;
        browser
            .click(".card[aria-label=server] [data-action=kill]")
            .await;
        browser
            .until_text("#headline", "The Temporal server is down")
            .await;
        browser
            .click(".card[aria-label=server] [data-action=start]")
            .await;
        browser
            .until(
                "all orders to be done",
                "document.querySelectorAll('.field a[data-kind=done]').length === 50",
            )
            .await;
        browser
            .until_text("#totals [data-name=orders] dd", "50")
            .await;
        browser
            .until_text("#totals [data-name=kills] dd", "1")
            .await;
        for none in ["lost", "doubled"] {
            assert_eq!(
                browser
                    .text(&format!("#totals [data-name={none}] dd"))
                    .await,
                "0"
            );
        }
        let audit = browser.get("/api/audit").await;
        assert_eq!(audit["completed"], 50, "{audit}");
        assert_eq!(audit["clean"], true, "{audit}");

        // A small order becomes the large one.
        browser.click(".field li:nth-child(7) a").await;
        let order = browser.order().await;
        browser.until_status("Completed").await;
        browser.until_text("#order-title", &order).await;
        browser.compare(&order).await;
    })
    .await;
}
