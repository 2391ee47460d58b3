//! The demos, as a presenter runs them: each checks its own ending.

mod common;

use std::{
    fs::Permissions,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use servers::ReservedPort;

use common::{
    DEMO, environment,
    terminal::{Terminal, joined, lines},
    until,
};

/// What a presenter's terminal shows at a time.
const ROWS: u16 = 30;
const COLUMNS: u16 = 80;

/// Something moves at least ten times a second. A machine that is very busy takes much longer to show it.
const MOVES_WITHIN: Duration = Duration::from_secs(30);

/// A demo with a server of its own.
fn demo(arguments: &[&str], folder: &Path) -> Output {
    let port = ReservedPort::new().unwrap();
    demo_on(port.number(), arguments, folder).output().unwrap()
}

/// A demo on the server at this port, or with one of its own there.
fn demo_on(port: u16, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(DEMO);
    command
        .args(arguments)
        .envs(environment(port, folder))
        .env_remove("NO_COLOR");
    command
}

/// A process that is asked to stop when it is dropped.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads on until a line has these words.
    fn until(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "no {words:?}");
        }
    }

    /// Asks it to stop, and waits until it has.
    fn stop(&mut self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        // One that has ended already cannot be asked.
        let _ = kill(pid, Signal::SIGTERM);
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_first_order_is_shown_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&[], folder.path());
    let text = stdout(&output);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    as_on_the_page("The first order", &lines(&played(&[])));
    for words in [
        "product 123456 1000 in stock",
        "product 123456 1000 -> 1 in stock",
        "product 123456 1 -> 10000 in stock",
        "completed: order-11235",
        "Shown:",
    ] {
        assert!(text.contains(words), "{words:?} is missing from:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colors in a pipe");
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["temporal.toml"]);
}

/// Plays a demo on a terminal to its end, which it checks itself. Returns all that it showed.
fn shown(arguments: &[&str]) -> String {
    joined(&played(arguments))
}

fn played(arguments: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let port = ReservedPort::new().unwrap();
    let environment = environment(port.number(), folder.path());
    shown_by(Terminal::run(DEMO, arguments, environment, (ROWS, COLUMNS)))
}

/// What a demo showed by its end, which it checks itself.
fn shown_by(terminal: Terminal) -> Vec<String> {
    let silence = terminal.longest_silence();
    let (status, rows) = terminal.wait();
    assert!(status.success(), "{}", lines(&rows));
    assert!(joined(&rows).contains("Shown:"), "{}", lines(&rows));
    let silence = *silence.lock().unwrap();
    assert!(
        silence < MOVES_WITHIN,
        "{silence:?} without a move:\n{}",
        lines(&rows)
    );
    check_scenes(&rows);
    rows
}

/// Every scene fits the terminal, and no word is broken. Only links are longer than a row.
fn check_scenes(rows: &[String]) {
    for row in rows.iter().filter(|row| !row.contains("http")) {
        let columns = row.chars().count();
        // What fills the last column may go on in the next row.
        assert!(columns < COLUMNS.into(), "too wide:\n{}", lines(rows));
    }
    let begins = |row: &String| {
        let number = row.split_once(". ").map(|(number, _)| number);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let scenes = rows.split(begins);
    for scene in scenes {
        assert!(scene.len() < ROWS.into(), "too long:\n{}", lines(scene));
    }
}

/// Checks a demo's output against the text under this heading of demos.md, in which `...` stands for
/// any lines and `[..]` for the rest of a line.
fn as_on_the_page(heading: &str, output: &str) {
    let page = include_str!("../../demos.md");
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, text) = section.split_once("```text\n").unwrap();
    let (text, _) = text.split_once("```\n").unwrap();
    snapbox::assert_data_eq!(output, format!("...\n{text}...\n"));
}

#[test]
fn the_worker_is_killed_and_the_order_completes() {
    // With a presenter who presses Enter too often, and the first time before being asked.
    let folder = tempfile::tempdir().unwrap();
    let port = ReservedPort::new().unwrap();
    let environment = environment(port.number(), folder.path());
    let arguments = ["kill-worker", "--step"];
    let terminal = Terminal::run(DEMO, &arguments, environment, (ROWS, COLUMNS));
    terminal.press("\n\n");
    for scene in ["1. ", "2. ", "3. "] {
        terminal.until(scene);
        terminal.until("(Enter)");
        terminal.press("\n");
        terminal.until_gone("(Enter)");
        terminal.press("\n\n");
    }
    let rows = shown_by(terminal);
    as_on_the_page("Killing the worker", &lines(&rows));
    let text = joined(&rows);
    assert!(text.contains("killed with SIGKILL"), "{text}");
    assert!(text.contains("found: an earlier attempt did it"), "{text}");
    assert!(text.contains("completed: order-37005"), "{text}");
    assert!(text.contains("found charge-000002"), "{text}");
}

#[test]
fn an_order_that_is_placed_twice_is_shown_to_happen_once() {
    assert!(shown(&["duplicate-order"]).contains("duplicate: order-11235813"));
}

#[test]
fn another_order_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&demo(&["order", "4711", "123456", "12"], folder.path()));
    assert!(text.contains("completed: order-4711"), "{text}");
    assert!(text.contains("Shown:"), "{text}");
}

#[test]
fn a_demo_that_does_not_show_what_it_should_fails() {
    let folder = tempfile::tempdir().unwrap();
    // More than the warehouse can hold.
    let output = demo(&["order", "4712", "123456", "10001"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(!stdout(&output).contains("Shown:"));
}

#[test]
fn errors_are_shown_with_the_attempts() {
    let text = shown(&["errors"]);
    assert!(text.contains("fault rate 0.2 0.5 0.8"), "{text}");
}

#[test]
fn fix_a_bug_completes_all_orders() {
    let text = shown(&["fix-a-bug"]);
    assert!(text.contains("6 completed, 0 failed"), "{text}");
}

#[test]
fn without_temporal_orders_are_lost_and_with_it_none() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.svg");
    let picture_flag = format!("--picture={}", picture.display());
    let text = shown(&[
        "without-temporal",
        "--orders",
        "24",
        "--kills",
        "3",
        &picture_flag,
    ]);
    assert!(text.contains("charged, never shipped"), "{text}");
    assert!(std::fs::read_to_string(picture).unwrap().contains("</svg>"));
}

#[test]
fn chaos_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.html");
    let text = shown(&[
        "chaos",
        "--orders",
        "20",
        "--workers",
        "2",
        "--kills",
        "6",
        "--seed",
        "7",
        "--report",
        report.to_str().unwrap(),
    ]);
    for line in [
        " orders 20 ",
        " cancelled ",
        " readdressed ",
        " lost 0 ",
        " doubled 0 ",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let report = std::fs::read_to_string(report).unwrap();
    for words in [
        "--orders 20 --workers 2 --kills 6 --fault-rate 0.2 --seed 7<",
        "6 kills",
        "<b>order-20</b>",
        "Everything adds up.",
    ] {
        assert!(report.contains(words), "no {words:?} in the report");
    }
}

#[test]
fn an_order_is_asked_how_it_stands() {
    let text = shown(&["progress"]);
    assert!(text.contains("order-3001: Charging, 40 %"), "{text}");
    assert!(text.contains("order-3001: Completed, 100 %"), "{text}");
}

#[test]
fn an_order_is_sent_to_another_address() {
    let text = shown(&["change-address"]);
    assert!(text.contains("\"Main Street\" is not an address"), "{text}");
    for order in [
        "order-3101 was charged and shipped to 12 Main Street",
        "order-3102 was charged and shipped to 12 Main Street",
        "order-3103 was charged and shipped to 7 Low Road",
    ] {
        assert!(text.contains(order), "{text}");
    }
}

#[test]
fn a_large_order_waits_for_a_person() {
    let text = shown(&["approval"]);
    assert!(text.contains("completed: order-3201"), "{text}");
    assert!(text.contains("was approved already"), "{text}");
    assert!(text.contains("rejected: order-3202"), "{text}");
    assert!(text.contains("rejected: order-3203"), "{text}");
    assert!(text.contains("order-3204 needed no approval"), "{text}");
}

#[test]
fn a_cancelled_order_is_undone_by_two_workers() {
    let text = shown(&["cancel"]);
    assert!(
        text.contains("cancelled: found it cheaper; everything that it had done was undone"),
        "{text}"
    );
    assert!(text.contains("the whole order has shipped"), "{text}");
}

#[test]
fn an_order_waits_for_the_payment_service() {
    let text = shown(&["payment-down"]);
    assert!(text.contains("completed: order-3401"), "{text}");
}

#[test]
fn a_declined_card_is_not_tried_again() {
    let text = shown(&["declined-card"]);
    assert!(text.contains("order-3501 was declined"), "{text}");
}

#[test]
fn several_items_are_ordered_as_one() {
    let text = shown(&["several-items"]);
    assert!(text.contains("completed: order-3601"), "{text}");
    assert!(text.contains("Three child workflows"), "{text}");
}

#[test]
fn a_build_with_a_bug_is_taken_back() {
    let rows = played(&["deploy"]);
    as_on_the_page("A deploy", &lines(&rows));
    let text = joined(&rows);
    assert!(text.contains("is moved to build 2"), "{text}");
    assert!(text.contains("on build 2"), "{text}");
}

/// With network namespaces where they can be made, and with folders in their place.
#[test]
fn a_machine_is_cut_off_and_comes_back() {
    as_on_the_page("Several machines", &lines(&played(&["several-machines"])));

    let folder = tempfile::tempdir().unwrap();
    let refusing = folder.path().join("ip");
    std::fs::write(&refusing, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&refusing, Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let port = ReservedPort::new().unwrap();
    let output = demo_on(port.number(), &["several-machines"], folder.path())
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .output()
        .unwrap();
    let text = stdout(&output);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("Two folders stand in for machines"), "{text}");
    assert!(text.contains("found the charge of machine 2"), "{text}");
}

#[test]
fn an_order_comes_again_and_again_until_it_is_told_to_stop() {
    let text = shown(&["recurring-order"]);
    assert!(text.contains("none of them in the pause"), "{text}");
    assert!(text.contains("there are no recurring orders"), "{text}");
}

#[test]
fn a_recurring_order_ends_with_a_demo_that_is_stopped_halfway() {
    let folder = tempfile::tempdir().unwrap();
    let reserved = ReservedPort::new().unwrap();
    let port = reserved.number();
    let number = port.to_string();
    let server = ["server", "--port", &number, "--in-memory"];
    let mut server = Running::start(demo_on(port, &server, folder.path()));
    server.until("Ctrl-C stops it");

    let mut demo = Running::start(demo_on(port, &["recurring-order"], folder.path()));
    demo.until("orders were charged");
    let list = ["starter", "schedule", "list"];
    let listed = || stdout(&demo_on(port, &list, folder.path()).output().unwrap());
    until("the schedule", || listed().contains("standing-"));
    demo.stop();
    until("the schedule to be gone", || {
        listed() == "there are no recurring orders\n"
    });
    // Nobody would continue what it placed last.
    let orders = ["starter", "list", "--json"];
    until("all orders to have ended", || {
        let listed = stdout(&demo_on(port, &orders, folder.path()).output().unwrap());
        listed.contains("Completed") && !listed.contains("Running")
    });
}

#[test]
fn changed_code_is_replayed() {
    let text = shown(&["change-code"]);
    assert!(
        text.contains("7 orders in the folder before-undo go on"),
        "{text}"
    );
    assert!(
        text.contains("scheduled event 'PrepareShipment' does not match"),
        "{text}"
    );
}

#[test]
fn what_a_demo_is_made_of_is_not_suggested() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&["workers"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("'worker'"), "{errors}");
}

#[test]
fn the_demos_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&demo(&["list"], folder.path()));
    for name in [
        "first-order",
        "kill-worker",
        "errors",
        "progress",
        "change-address",
        "approval",
        "cancel",
        "payment-down",
        "declined-card",
        "several-items",
        "recurring-order",
        "fix-a-bug",
        "change-code",
        "deploy",
        "several-machines",
        "without-temporal",
        "chaos",
        "all",
        "live",
    ] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn the_server_does_not_start_beside_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = demo(&["server", "--port", &port, "--in-memory"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains(&port) && errors.contains("--port"),
        "{errors}"
    );
}
