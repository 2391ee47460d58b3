//! What presenters do, and the terminals that they do it on.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use servers::ReservedPort;

use common::{
    DEMO, environment,
    terminal::{Terminal, joined, lines},
    until,
};

/// What most terminals show.
const SIZE: (u16, u16) = (30, 80);

/// A demo on a terminal, which looks for a server at this port.
fn on_terminal(port: &ReservedPort, arguments: &[&str], folder: &Path) -> Terminal {
    let environment = environment(port.number(), folder);
    Terminal::run(DEMO, arguments, environment, SIZE)
}

/// A demo in a pipe.
fn piped(port: &ReservedPort, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(DEMO);
    command.args(arguments);
    command.envs(environment(port.number(), folder));
    command
}

fn text(output: &Output) -> String {
    let (out, errors) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(&[&out[..], errors].concat()).into_owned()
}

/// A server that is nobody's demo's. It ends when this is dropped.
struct Server {
    child: Child,
    // Where it goes on writing.
    _lines: BufReader<ChildStdout>,
}

impl Server {
    fn start(port: &ReservedPort, folder: &Path) -> Self {
        let number = port.number().to_string();
        let arguments = ["server", "--in-memory", "--port", &number];
        let mut command = piped(port, &arguments, folder);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = lines.by_ref().lines().map(Result::unwrap);
        assert!(said.any(|line| line.contains("Ctrl-C stops it")));
        Self {
            child,
            _lines: lines,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_demo_that_is_stopped_leaves_no_open_order_on_another_server() {
    let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
    let _server = Server::start(&port, folder.path());
    let demo = on_terminal(&port, &["approval"], folder.path());
    demo.until("order-3201 waits for approval");
    demo.press("\u{3}");
    let (status, rows) = demo.wait();
    assert_eq!(status.code(), Some(1), "{}", lines(&rows));
    assert!(
        joined(&rows).contains("the demo was stopped"),
        "{}",
        lines(&rows)
    );

    let status = ["starter", "list", "--json"];
    until("order-3201 to be listed as terminated", || {
        let listed = piped(&port, &status, folder.path()).output().unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        let order = &listed["orders"][0];
        order["orderID"] == "order-3201" && order["execution"] == "Terminated"
    });
}

#[test]
fn two_demos_have_a_server_each() {
    let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
    let first = on_terminal(&port, &["declined-card", "--step"], folder.path());
    first.until("(Enter)");
    let other = tempfile::tempdir().unwrap();
    let (status, rows) = on_terminal(&port, &["declined-card"], other.path()).wait();
    assert!(status.success(), "{}", lines(&rows));
    assert!(
        joined(&rows).contains("Started a Temporal dev server"),
        "{}",
        lines(&rows)
    );
    first.press("\n");
    let (status, rows) = first.wait();
    assert!(status.success(), "{}", lines(&rows));
}

#[test]
fn a_server_is_kept_on_demand_and_its_links_work() {
    let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
    let demo = on_terminal(&port, &["declined-card", "--keep"], folder.path());
    demo.until("The server runs until Ctrl-C.");
    let shown = joined(&demo.rows());
    // A link that is longer than a row is broken by the terminal.
    assert!(shown.contains("/timeline"), "{shown}");
    let (_, list) = shown.split_once("The orders in the Web UI: ").unwrap();
    let list = list.split_whitespace().next().unwrap();
    let (host, path) = list
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut page = TcpStream::connect(host).unwrap();
    write!(page, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    demo.press("\u{3}");
    let (status, rows) = demo.wait();
    assert!(status.success(), "{}", lines(&rows));
}

#[test]
fn a_narrow_terminal_and_one_on_which_nothing_moves_show_a_demo_too() {
    let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
    let surroundings = environment(port.number(), folder.path());
    let narrow = Terminal::run(DEMO, &["declined-card"], surroundings, (30, 40));
    let (status, rows) = narrow.wait();
    assert!(status.success(), "{}", lines(&rows));
    // Of a step, the columns stay together.
    let sentences = rows.iter().filter(|row| row.starts_with('\u{2713}'));
    assert!(sentences.clone().count() > 0, "{}", lines(&rows));
    assert!(
        sentences.clone().all(|row| row.chars().count() < 40),
        "{}",
        lines(&rows)
    );

    let mut surroundings = environment(port.number(), folder.path());
    surroundings.push(("TERM", "dumb".into()));
    let dumb = Terminal::run(DEMO, &["declined-card"], surroundings, SIZE);
    let (status, rows) = dumb.wait();
    assert!(status.success(), "{}", lines(&rows));
    assert!(joined(&rows).contains("Shown:"), "{}", lines(&rows));
}

#[test]
fn a_pipe_that_is_closed_early_does_no_harm() {
    let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
    for arguments in [&["list"][..], &["change-code"], &["declined-card"]] {
        let mut command = piped(&port, arguments, folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn what_is_in_the_way_is_named_with_what_to_do() {
    let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
    let no_folder = folder.path().join("file");
    fs::write(&no_folder, "").unwrap();
    let mut demo = piped(&port, &["declined-card"], folder.path());
    let output = demo.env("TMPDIR", &no_folder).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("set TMPDIR"), "{}", text(&output));

    let ui_port = port.number() + 1_000;
    let _taken = TcpListener::bind(("127.0.0.1", ui_port)).unwrap();
    let number = port.number().to_string();
    let arguments = ["server", "--in-memory", "--port", &number];
    let output = piped(&port, &arguments, folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(
        said.contains(&ui_port.to_string()) && said.contains("--port"),
        "{said}"
    );
}

#[test]
fn an_order_that_nobody_serves_says_what_is_the_matter_and_can_be_ended() {
    let (folder, port) = (tempfile::tempdir().unwrap(), ReservedPort::new().unwrap());
    let _server = Server::start(&port, folder.path());
    let starter = |arguments: &[&str]| {
        let arguments = [&["starter"], arguments].concat();
        piped(&port, &arguments, folder.path()).output().unwrap()
    };
    let place = ["starter", "11235", "123456", "1", "VISA-123456"];
    let placing = on_terminal(&port, &place, folder.path());
    placing.until("no worker on task queue \"OrderManagement\" has taken its task for");
    placing.until("cargo run -p starter -- terminate order-11235");
    placing.press("\u{3}");
    placing.until("order-11235 goes on");

    let status = text(&starter(&["status", "11235"]));
    for words in [
        "order-11235 does not answer",
        "cargo run -p worker",
        "terminate",
    ] {
        assert!(status.contains(words), "{status}");
    }
    let ended = starter(&["terminate", "11235"]);
    assert!(ended.status.success(), "{}", text(&ended));
    let again = text(&starter(&["terminate", "11235"]));
    assert!(again.contains("has ended"), "{again}");
    until("the order to be listed as terminated", || {
        text(&starter(&["list"])).contains("(Terminated)")
    });
}
