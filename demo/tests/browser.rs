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
    time::{Duration, Instant, SystemTime},
};

use common::{DEMO, PATIENCE, environment};
use fantoccini::{Client, ClientBuilder, Locator};
use futures::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use inventory::Inventory;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use servers::{CliSearch, DevServer, ReservedPort, project_dir};
use tempfile::TempDir;
use temporal::Settings;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    net::TcpListener,
    process::{Child, Command},
};
use web::Site;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A room's projector, and a phone.
const PROJECTOR: (u32, u32) = (1280, 720);
const PHONE: (u32, u32) = (390, 844);

/// What a laptop's browser leaves of its screen, and a large screen.
const WIDE: [(u32, u32); 4] = [PROJECTOR, (1280, 664), (1366, 681), (1920, 1080)];

/// What lies over something else, is cut off, or has no room: an expression whose value is a list of sentences.
const CROWDED: &str = r"(() => {
    const seen = (selector) => [...document.querySelectorAll(selector)].filter((it) => it.checkVisibility());
    const name = (it) => it.id || it.className || it.textContent;
    const found = [];
    const boxes = seen('header, main > section, #order .status, #order button, #processes .card, #proof, #script, #bar');
    const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
    for (const one of boxes) {
        for (const other of boxes) {
            if (one === other || one.contains(other) || other.contains(one)) continue;
            if (!apart(one.getBoundingClientRect(), other.getBoundingClientRect())) found.push(`${name(one)} lies over ${name(other)}`);
        }
    }
    for (const inner of seen('.tile span, section button, #script p, .counters div, .stock, .ledger li:first-child')) {
        const box = inner.closest('.tile, .card, #order, #comparison, #script, #proof').getBoundingClientRect();
        const own = inner.getBoundingClientRect();
        const inside = own.top >= box.top - 1 && own.bottom <= box.bottom + 1 && own.left >= box.left - 1 && own.right <= box.right + 1;
        if (!inside) found.push(`${name(inner)} does not fit into its panel`);
    }
    for (const word of seen('#order .status, .card .state, .ledger .seq, .ledger .change')) {
        if (word.scrollWidth > word.clientWidth + 1) found.push(`${word.textContent} is cut off`);
    }
    for (const tile of seen('.tile')) {
        const title = document.createRange();
        title.selectNodeContents(tile.children[1]);
        const glyph = tile.children[0].getBoundingClientRect();
        if ([...title.getClientRects()].some((line) => !apart(line, glyph))) found.push(`${name(tile.children[1])} lies under its sign`);
        const lines = [...tile.children].slice(1).filter((it) => it.textContent);
        lines.slice(1).forEach((line, index) => {
            if (line.getBoundingClientRect().top < lines[index].getBoundingClientRect().bottom - 1) found.push(`${name(line)} lies over the line above it`);
        });
    }
    if (document.documentElement.scrollHeight > innerHeight) found.push(`the page is ${document.documentElement.scrollHeight} high`);
    if (document.documentElement.scrollWidth > innerWidth) found.push(`the page is ${document.documentElement.scrollWidth} wide`);
    return found;
})()";

/// Where the cards of the processes begin.
const TOP_OF_CARDS: &str =
    "Math.round(document.querySelector('#processes').getBoundingClientRect().y)";

/// What is too small to be hit, by WCAG 2.2: narrower or lower than 24 pixels, while a circle of 24 pixels on its
/// middle touches another target or that one's circle. An expression whose value is a list.
const TOO_SMALL: &str = r"(() => {
    const targets = [...document.querySelectorAll('a[href], button, input, select')].filter((it) => it.checkVisibility());
    const known = targets.map((it) => {
        const { left, right, top, bottom, width, height } = it.getBoundingClientRect();
        return { it, left, right, top, bottom, x: (left + right) / 2, y: (top + bottom) / 2, small: Math.min(width, height) < 23.99 };
    });
    const near = (a, b) => b.small
        ? Math.hypot(a.x - b.x, a.y - b.y) < 23.99
        : Math.hypot(Math.max(b.left - a.x, 0, a.x - b.right), Math.max(b.top - a.y, 0, a.y - b.bottom)) < 11.99;
    const bad = known.filter((a) => a.small && known.some((b) => a !== b && near(a, b)));
    return bad.map(({ it }) => it.outerHTML.slice(0, 120));
})()";

/// What drives browsers, and the browsers. They outlive this program if they are not closed.
struct Browsers {
    driver: Child,
    address: String,
    open: Mutex<Vec<Client>>,
    _folder: TempDir,
    _port: ReservedPort,
}

impl Browsers {
    /// Starts the driver; `None` where there is none.
    async fn start() -> Option<Self> {
        let Some(driver) = driver() else {
            eprintln!("skipped: there is no `chromedriver` on the PATH, so nothing sees the page");
            return None;
        };
        let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
        let mut driver = Command::new(driver)
            .arg(format!("--port={}", port.number()))
            // Chromium leaves folders behind.
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        until_said(driver.stdout.take().unwrap(), "started successfully").await;
        Some(Self {
            driver,
            address: format!("http://127.0.0.1:{}", port.number()),
            open: Mutex::default(),
            _folder: folder,
            _port: port,
        })
    }

    /// Opens a browser that shows so much of the page at an address.
    async fn open(&self, size: (u32, u32), address: &str) -> Browser {
        let options = json!({"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        ]});
        let capabilities = json!({"browserName": "chrome", "goog:chromeOptions": options});
        let Value::Object(capabilities) = capabilities else {
            unreachable!("it is an object")
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&self.address)
            .await
            .unwrap();
        self.open.lock().unwrap().push(client.clone());
        let browser = Browser(client);
        browser.resize(size).await;
        browser.go(address).await;
        browser
    }

    async fn close(mut self) {
        for client in self.open.into_inner().unwrap() {
            client.close().await.unwrap();
        }
        self.driver.kill().await.unwrap();
    }
}

/// The live page, and the browsers that look at it.
struct Room {
    demo: Child,
    address: String,
    browsers: Browsers,
    _folder: TempDir,
    _port: ReservedPort,
}

impl Room {
    /// Opens the page; `None` where there is no browser.
    async fn open() -> Option<Self> {
        let browsers = Browsers::start().await?;
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
            browsers,
            _folder: folder,
            _port: port,
        })
    }

    /// Opens a browser of this size at a path of the page.
    async fn browser(&self, size: (u32, u32), path: &str) -> Browser {
        let address = format!("{}{path}", self.address);
        self.browsers.open(size, &address).await
    }

    /// Ends everything, as Ctrl-C does.
    async fn close(mut self) {
        self.browsers.close().await;
        let pid = Pid::from_raw(self.demo.id().unwrap().cast_signed());
        kill(pid, Signal::SIGINT).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.demo.wait()).await;
        assert!(ended.unwrap().unwrap().success());
    }
}

/// Plays a scenario in a room, and closes it in whatever way the scenario ends.
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
    /// Opens a page. A network that comes or goes on this machine meanwhile breaks off what Chromium loads, and then
    /// the page says nothing.
    async fn go(&self, address: &str) {
        let begun = Instant::now();
        loop {
            self.0.goto(address).await.unwrap();
            if !self.text("#headline").await.is_empty() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{address} shows nothing");
        }
    }

    /// Makes the window as large as it has to be to show so much of a page.
    async fn resize(&self, (width, height): (u32, u32)) {
        let frame = self.value("outerHeight - innerHeight").await;
        let frame = u32::try_from(frame.as_u64().unwrap()).unwrap();
        let resized = self.0.set_window_size(width, height + frame);
        resized.await.unwrap();
        let is_so = format!("innerWidth === {width} && innerHeight === {height}");
        self.until("the window's size", &is_so).await;
    }

    /// Checks that everything is in sight in all windows that are wide.
    async fn fits(&self, what: &str) {
        for size in WIDE {
            self.resize(size).await;
            let crowded = self.value(CROWDED).await;
            assert_eq!(crowded, json!([]), "{what}, in a window of {size:?}");
        }
        self.resize(PROJECTOR).await;
    }

    /// Shows this scene of the script.
    async fn scene(&self, id: &str) {
        let shown = format!("document.querySelector('[data-scene={id}]') !== null");
        while self.value(&shown).await != true {
            self.click("#script [aria-label='The next scene']").await;
        }
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

    /// Presses a key on the page, with its letter.
    async fn press(&self, key: &str) {
        let page = self.0.find(Locator::Css("body")).await.unwrap();
        page.send_keys(key).await.unwrap();
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
        browser
            .until_there(".card[aria-label=worker-1][data-state=alive]")
            .await;
        let before = browser.value(TOP_OF_CARDS).await;
        browser
            .click(".card[aria-label=worker-1] [data-action=kill-after-charge]")
            .await;
        browser.until_there(".card[data-armed]").await;
        assert_eq!(browser.value(TOP_OF_CARDS).await, before, "a button moved");
        browser.fits("a worker that dies after a charge").await;

        browser.click("#bar [aria-keyshortcuts=s]").await;
        browser.scene("kill-after-charge").await;
        browser.click("[data-scene=kill-after-charge]").await;
        let order = browser.order().await;
        browser.until_there(".card[data-state=dead]").await;
        let dead = "document.querySelector('.card[data-state=dead] h2').textContent";
        let dead = browser.value(dead).await.as_str().unwrap().to_owned();
        let said = format!(
            "{} died. The order did not.",
            dead.replace('-', "\u{2011}")
        );
        browser.until_text("#headline", &said).await;
        browser
            .until_text("#headline", "the customer paid once")
            .await;
        browser.until_there("#script .outcome[data-shown=yes]").await;
        browser.fits("a charge that was found, with the script").await;
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
            browser.until_text("#headline", &said).await;
            let charge = ".tile[data-step=Charge] .worker";
            browser.until_text(charge, &format!("✕ {dead} → ")).await;
            browser.compare(&order).await;
            browser.fits("a charge that was found").await;
        }
        let phone = room.browser(PHONE, &format!("/orders/{order}")).await;
        phone.until_status("Completed").await;
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(
            phone.value(fits).await,
            true,
            "a phone should not scroll sideways"
        );
        // The order comes first, and the script stays in sight.
        phone.click("#bar [aria-keyshortcuts=s]").await;
        let first = "document.querySelector('#order').getBoundingClientRect().bottom \
                     <= document.querySelector('#proof').getBoundingClientRect().top";
        assert_eq!(phone.value(first).await, true);
        phone
            .until(
                "the script in sight",
                "document.querySelector('#script').getBoundingClientRect().bottom <= innerHeight + 1",
            )
            .await;
        assert_eq!(phone.value(TOO_SMALL).await, json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_approves_an_order_is_refused_an_address_and_cancels() {
    in_a_room(async |room| {
        let browser = room.browser(PROJECTOR, "/").await;
        browser
            .until_there("#processes .card[data-state=alive]")
            .await;
        browser.press("o").await;
        let product = "document.querySelector('dialog[open] [name=item]').value";
        assert_eq!(browser.value(product).await, "123456");
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
        browser.fits("all buttons of an order").await;
        assert_eq!(browser.value(TOO_SMALL).await, json!([]));
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

        // What did nothing has nothing undone.
        browser.press("o").await;
        browser.fill("item", "no such product").await;
        browser.click("dialog[open] [type=submit]").await;
        browser
            .until_text("#headline", "There was nothing to undo.")
            .await;
        let undone = ".counters [data-name=undone] dd";
        assert_eq!(browser.text(undone).await, "0");
        browser
            .until_there(".tile[data-step=PrepareShipment][data-kind=failed]")
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_orders_outlive_the_server() {
    in_a_room(async |room| {
        let browser = room.browser(PROJECTOR, "/").await;
        browser.click("#bar [aria-keyshortcuts='5']").await;
        browser
            .until_text("#headline", "of 50 orders completed so far")
            .await;
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
            .until_text("#totals [data-name=deaths] dd", "1")
            .await;
        browser
            .until_text(
                "#headline",
                "All 50 orders completed, although a process died.",
            )
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
        // The headline is the order's from here on.
        browser
            .until_text("#headline", "Reserved once, charged once, shipped once.")
            .await;
        browser.fits("fifty orders").await;
        assert_eq!(browser.value(TOO_SMALL).await, json!([]));
        // More orders look the same, and move no button.
        let before = browser.value(TOP_OF_CARDS).await;
        let more = "(() => {
            const field = document.querySelector('#field .field');
            const first = [...field.children];
            for (let times = 0; times < 3; times += 1) field.append(...first.map((it) => it.cloneNode(true)));
            document.querySelector('#field').dataset.crowd = true;
            const remark = document.querySelector('#order .waiting');
            remark.textContent = 'Why it was cancelled.';
            remark.hidden = false;
            return field.children.length;
        })()";
        assert_eq!(browser.value(more).await, 200);
        assert_eq!(browser.value(TOP_OF_CARDS).await, before, "a button moved");
        browser.fits("two hundred orders").await;
        assert_eq!(browser.value(TOO_SMALL).await, json!([]));
        browser.0.refresh().await.unwrap();
        browser.until_status("Completed").await;
        browser.click("#bar [aria-keyshortcuts=s]").await;
        browser.fits("fifty orders, with the script").await;
    })
    .await;
}

/// A button of a build, further told apart by `which`.
fn of_build(build: &str, action: &str, which: &str) -> String {
    format!("#builds [data-build='{build}'] [data-action={action}]{which}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_gets_a_quarter_then_all_and_one_with_a_bug_is_taken_back() {
    in_a_room(async |room| {
        let browser = room.browser(PROJECTOR, "/").await;
        let share = async |build: &str, text: &str| {
            let shown = format!("#builds [data-build='{build}'] .share");
            browser.until_text(&shown, text).await;
        };
        browser.click("#bar [aria-keyshortcuts=b]").await;
        share("1", "gets 100 % of the new orders").await;
        share("2", "no worker").await;
        browser.click(&of_build("2", "start", "")).await;
        let (quarter, all) = ("[aria-label^='A quarter']", "[aria-label^=All]");
        browser.click(&of_build("2", "deploy", quarter)).await;
        share("2", "gets 25 % of the new orders").await;
        share("1", "gets 75 % of the new orders").await;
        browser.click("#bar [aria-keyshortcuts='1']").await;
        browser
            .until_text("#headline", "All 10 orders completed")
            .await;
        let builds = async |build: &str| {
            let titled = format!(
                "document.querySelectorAll('.field a[title$=\"on build {build}\"]').length"
            );
            browser.value(&titled).await.as_u64().unwrap()
        };
        browser
            .until(
                "each order's build",
                "document.querySelectorAll('.field a[title*=\"on build\"]').length === 10",
            )
            .await;
        let (on_1, on_2) = (builds("1").await, builds("2").await);
        assert!(on_1 > 0 && on_2 > 0 && on_1 + on_2 == 10, "{on_1}, {on_2}");
        browser.click(&of_build("2", "deploy", all)).await;
        share("2", "gets 100 % of the new orders").await;

        browser.click(&of_build("3", "start", "")).await;
        browser.click(&of_build("3", "deploy", all)).await;
        share("3", "gets 100 % of the new orders").await;
        share("2", "gets 0 % of the new orders").await;
        browser.click("#bar [aria-keyshortcuts=o]").await;
        browser.click("dialog[open] [type=submit]").await;
        let order = browser.order().await;
        browser.until_text("#order .about", "build 3").await;
        browser
            .until_text("#order .waiting", "the workflow's code failed")
            .await;
        browser
            .until_text("#builds [data-build='3'] .orders", "1 under way")
            .await;
        assert_eq!(browser.value(TOO_SMALL).await, json!([]));
        browser.click(&of_build("3", "take-back", "")).await;
        browser.until_status("Completed").await;
        browser.until_text("#order .about", "build 2").await;
        // What was the matter is over.
        browser
            .until(
                "no remark",
                "!document.querySelector('#order .waiting').checkVisibility()",
            )
            .await;
        share("2", "gets 100 % of the new orders").await;
        share("3", "gets 0 % of the new orders").await;
        assert_eq!(browser.order().await, order);
        browser.compare(&order).await;
        let audit = browser.get("/api/audit").await;
        assert_eq!(audit["clean"], true, "{audit}");
        assert_eq!(audit["completed"], 11, "{audit}");
        browser.click("#builds .heading button").await;
        browser.fits("a deploy").await;
        // Its worker is a process like the others.
        let card = ".card[aria-label='build-3']";
        browser.click(&format!("{card} [data-action=kill]")).await;
        browser.until_text(&format!("{card} .state"), "dead").await;
        browser
            .until_text("#builds [data-build='3'] .share", "no worker")
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_placed_again_changes_nothing_and_the_page_says_why() {
    in_a_room(async |room| {
        let browser = room.browser(PROJECTOR, "/").await;
        // Nobody knows whether a server took an order that is away, so the order keeps its ID.
        browser
            .click(".card[aria-label=server] [data-action=kill]")
            .await;
        browser
            .until_text("#headline", "The Temporal server is down")
            .await;
        browser.click("#bar [aria-keyshortcuts=o]").await;
        let id = "document.querySelector('dialog[open] [name=orderID]').value";
        let order = browser.value(id).await;
        let order = order.as_str().unwrap();
        for _ in 0..2 {
            browser.click("dialog[open] [type=submit]").await;
            browser
                .until_text("dialog[open] [type=submit]:disabled", "Waiting")
                .await;
            browser
                .until_text("dialog[open] .error", "does not answer")
                .await;
            assert_eq!(browser.value(id).await, order);
        }
        let start = "fetch('/api/stage/processes/server/start', { method: 'POST' }) && true";
        browser.value(start).await;
        let runs = ".card[aria-label=server][data-state=alive]";
        browser.until_there(runs).await;
        let closed = "document.querySelector('dialog[open]') === null";
        while browser.value(closed).await != true {
            let press =
                "document.querySelector('dialog[open] [type=submit]:not(:disabled)')?.click()";
            browser.value(press).await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        assert_eq!(browser.order().await, order);
        browser.until_status("Completed").await;
        let listed = browser.get("/api/orders").await;
        assert_eq!(listed["total"], 1, "{listed}");

        browser.click("[data-ask=again]").await;
        browser.until_status("Duplicate").await;
        browser
            .until_text(
                "#headline",
                "It was placed before, so nothing happened again.",
            )
            .await;
        browser
            .until_text("#proof h2", "in the first submission?")
            .await;
        browser.compare(order).await;

        browser.click("#bar [aria-keyshortcuts=o]").await;
        browser.fill("orderID", order).await;
        browser.fill("quantity", "7").await;
        browser.click("dialog[open] [type=submit]").await;
        browser
            .until_text(
                "#headline",
                "This ID was used before, for 100 units of product 123456.",
            )
            .await;
        let changes = browser.compare(order).await;
        let charges = changes.iter().filter(|change| *change == "charged");
        assert_eq!(charges.count(), 1, "{changes:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_and_a_death_of_its_own_are_told_as_what_they_are() {
    in_a_room(async |room| {
        let browser = room.browser(PROJECTOR, "/").await;
        browser.click("#bar [aria-keyshortcuts=w]").await;
        browser
            .until_text("#headline", "orders completed on Temporal so far")
            .await;
        browser.fits("a comparison").await;
        browser
            .until_text("#headline", "As plain function calls,")
            .await;
        browser.click("#bar [aria-keyshortcuts=s]").await;
        browser.fits("a comparison, with the script").await;
        // Its orders and kills count like all others.
        browser
            .until_text("#totals [data-name=orders] dd", "40")
            .await;
        browser
            .until_text("#totals [data-name=deaths] dd", "4")
            .await;
        browser.scene("first-order").await;
        browser.click("[data-scene=first-order]").await;
        let order = browser.order().await;
        browser.until_status("Completed").await;
        browser.compare(&order).await;
        browser.fits("the order after a comparison").await;

        let pid = "document.querySelector('.card[aria-label=worker-2] .pid').textContent.slice(4)";
        let pid = browser.value(pid).await.as_str().unwrap().parse().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        browser
            .until_text(".card[aria-label=worker-2] .state", "ended by itself")
            .await;
        browser
            .until_text("#totals [data-name=deaths] dd", "5")
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_server_that_runs_elsewhere_kills_nothing_and_shows_the_same() {
    let Some(browsers) = Browsers::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cli = CliSearch::from_env(&project_dir());
    let cli = cli.find_or_fetch(|_| ()).await.unwrap();
    let server = DevServer::builder(cli).db_file(folder.path().join("server.db"));
    let server = server.start().await.unwrap();
    let database = folder.path().join("inventory.json");
    let location = database.clone().into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let site = Site {
        settings: Settings::plain(&server.address(), server.namespace()).unwrap(),
        renewed_by: None,
        inventory: Inventory::at(&location, SystemTime::now).unwrap(),
        task_queue: "orders".to_owned(),
        ui_address: String::new(),
        stage: None,
        hosts: Vec::new(),
        token: None,
    };
    let serving = tokio::spawn(web::serve(listener, site));
    let worker = || {
        Command::new(DEMO)
            .args(["worker", "--address", &server.address()])
            .args(["--task-queue", "orders", "--fault-rate", "0", "--database"])
            .arg(&database)
            // It ends when its input does.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let scenario = async {
        let mut running = worker();
        let browser = browsers.open(PROJECTOR, &address).await;
        browser.until_text("#headline", "Place an order").await;
        for needs_processes in ["#processes", "#bar [aria-keyshortcuts='5']"] {
            let seen = format!("document.querySelector({needs_processes:?}).checkVisibility()");
            assert_eq!(browser.value(&seen).await, false, "{needs_processes}");
        }
        browser.click("#bar [aria-keyshortcuts=o]").await;
        browser.click("dialog[open] [type=submit]").await;
        let order = browser.order().await;
        browser.until_status("Completed").await;
        browser.compare(&order).await;
        browser.fits("a page without processes").await;

        running.kill().await.unwrap();
        browser.click("#bar [aria-keyshortcuts=o]").await;
        browser.click("dialog[open] [type=submit]").await;
        browser
            .until_text("#headline", "No worker is running.")
            .await;
        let _running = worker();
        browser.until_status("Completed").await;
        assert_ne!(browser.order().await, order);
    };
    let played = AssertUnwindSafe(scenario).catch_unwind().await;
    browsers.close().await;
    serving.abort();
    if let Err(panic) = played {
        resume_unwind(panic);
    }
}
