//! The starter's command line, as a real process.

use std::{
    ffi::OsString,
    net::TcpListener,
    os::unix::ffi::OsStringExt,
    process::{Command, Output},
    time::{Duration, Instant, SystemTime},
};

use inventory::{Inventory, Placement};
use orders::Item;

fn starter(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_starter"))
        .args(arguments)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_makes_no_sense_is_refused_with_the_usage_before_anything_is_sent() {
    // Whatever is sent arrives here.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for words in [
        &["1", "123456", "0", "VISA-1"][..],
        &["1", "123456", "many", "VISA-1"],
        &["one", "123456", "1", "VISA-1"],
        &["1", "123456"],
    ] {
        let output = starter(&[&["--address", &address], words].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let text = stderr(&output);
        assert!(
            text.contains("Usage: starter [OPTIONS] [ORDER_NUMBER]"),
            "{text}"
        );
        assert!(output.stdout.is_empty());
    }
    assert!(listener.accept().is_err(), "something was sent");
}

#[test]
fn an_order_above_a_limit_is_refused_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let long = "1".repeat(100_000);
    let road = format!("1 {long}");
    let fields: Vec<_> = (1..=100).map(|number| format!("{number}:1")).collect();
    let many: Vec<_> = fields.iter().flat_map(|item| ["--item", item]).collect();
    let recurring = &["schedule", "create", "--every", "1h"];
    for (words, field) in [
        (&["1", &long, "1", "VISA-1"][..], "item"),
        (&["1", "123456", "1", &long], "paymentInfo"),
        (&["1", "123456", "1", "VISA\u{200b}-000000"], "paymentInfo"),
        (&["--deliver-to", &road], "address"),
        (&many, "moreItems"),
        (&["--pause", "29days"], "pauseSeconds"),
        (&["--await-address", "500000000000y"], "awaitAddressSeconds"),
        (
            &["--approval-above", "1", "--approval-within", "29days"],
            "approval.withinSeconds",
        ),
        (&[&recurring[..], &[&long[..100]]].concat(), "orderID"),
        (&["change-address", "order-1", &road], "address"),
    ] {
        let server = ["--address", &address];
        // Options of an order come before a subcommand, those of a subcommand after it.
        let output = starter(&[words, &server].concat());
        assert_eq!(output.status.code(), Some(1), "{field}");
        let text = stderr(&output);
        assert!(text.contains(&format!("{field}: ")), "{field}: {text}");
        assert!(text.chars().count() < 1_000, "{text}");
    }
    let output = starter(&["1", "123456", &long, "VISA-1"]);
    assert!(stderr(&output).chars().count() < 2_000);
    assert!(listener.accept().is_err(), "something was sent");
}

#[test]
fn what_is_not_text_is_refused_without_a_panic_or_does_not_matter() {
    let not_text = OsString::from_vec(b"hush-\xff".to_vec());
    let nowhere = ["--address", "127.0.0.1:1"];
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        let text = stderr(&output);
        assert!(!text.contains("panicked"), "{text}");
        (output.status.code(), text)
    };
    let starter = || Command::new(env!("CARGO_BIN_EXE_starter"));

    // A variable of another program.
    let (code, text) = run(starter().args(nowhere).env("LESS_TERMCAP", &not_text));
    assert_eq!(code, Some(1));
    assert!(text.contains("no Temporal server"), "{text}");

    for name in ["TEMPORAL_API_KEY", "TEMPORAL_TLS_CLIENT_KEY_DATA"] {
        let (code, text) = run(starter().args(nowhere).env(name, &not_text));
        assert_ne!(code, Some(0));
        assert!(!text.contains("hush"), "{text}");
        assert!(text.contains("UTF-8") && text.contains(name), "{text}");
    }

    let (code, text) = run(starter().arg(&not_text));
    assert_eq!(code, Some(2));
    assert!(text.contains("Usage"), "{text}");
}

#[test]
fn a_misspelt_configuration_file_sends_no_order_to_another_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("temporal.toml");
    std::fs::write(&file, "[profile.default]\nadress = \"hush-hush:7233\"\n").unwrap();
    let output = starter(&["--config-file", file.to_str().unwrap()]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("line 2, column 1"), "{text}");
    assert!(text.contains("\"address\""), "{text}");
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn without_a_server_it_says_so_soon_and_how_to_start_one() {
    // No program is ever given so low a port.
    let address = "127.0.0.1:1";
    let begun = Instant::now();
    let output = starter(&["--address", address]);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    for word in [address, "cargo run -p demo -- server"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn help_tells_a_newcomer_what_to_do() {
    let output = starter(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for word in [
        "Examples:",
        "11235813 123456 1 VISA-123456",
        "TEMPORAL_ADDRESS",
        "cargo run -p worker",
    ] {
        assert!(text.contains(word), "{text}");
    }
}

#[tokio::test]
async fn an_audit_tells_what_happened_and_fails_where_it_does_not_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("inventory.json");
    let database_flag = ["--database", database.to_str().unwrap()];
    let audit = |flags: &[&str]| starter(&[&["audit"], &database_flag[..], flags].concat());

    let none = audit(&[]);
    assert_eq!(none.status.code(), Some(1));
    assert!(
        stderr(&none).contains("there is no inventory"),
        "{}",
        stderr(&none)
    );

    let location = database.clone().into();
    let inventory = Inventory::open(&location, SystemTime::now).await.unwrap();
    let placement = Placement::new("order-1", "first");
    let items = [Item::new("123456", 999)];
    inventory.reserve(&placement, &items).await.unwrap();
    inventory.record_charge(&placement, "**56").await.unwrap();
    inventory
        .record_shipment(&placement, &items[0], None)
        .await
        .unwrap();
    let clean = audit(&[]);
    let text = String::from_utf8(clean.stdout).unwrap();
    assert!(clean.status.success(), "{text}");
    assert!(text.contains("1 order: 1 completed"), "{text}");
    assert!(text.contains("Everything adds up."), "{text}");
    assert!(!text.contains("order-1"), "{text}");
    let each = String::from_utf8(audit(&["--orders"]).stdout).unwrap();
    let line = "order-1              completed  reserved 999, charged, shipped\n";
    assert_eq!(each, format!("{line}{text}"));
    for (flags, orders) in [(&["--json"][..], 0), (&["--json", "--orders"], 1)] {
        let json: serde_json::Value = serde_json::from_slice(&audit(flags).stdout).unwrap();
        assert_eq!(json["counts"]["completed"], 1);
        let listed = json["orders"].as_array().map_or(0, Vec::len);
        assert_eq!(listed, orders, "{json}");
    }

    // Only one that is under way is a reason to ask a server, and it is done without one, too.
    let second = Placement::new("order-2", "first");
    inventory
        .reserve(&second, &[Item::new("123456", 1)])
        .await
        .unwrap();
    let alone = audit(&["--address", "127.0.0.1:1"]);
    let text = String::from_utf8(alone.stdout).unwrap();
    assert!(alone.status.success(), "{text}");
    for words in ["1 under way", "Only the ledger was checked", "127.0.0.1:1"] {
        assert!(text.contains(words), "{text}");
    }
    inventory.release(&second).await.unwrap();

    // A second charge of the same order, as a forger would enter it.
    let ledger = folder.path().join("ledger.jsonl");
    let lines = std::fs::read_to_string(&ledger).unwrap();
    let charge = lines
        .lines()
        .nth(2)
        .unwrap()
        .replace("\"seq\":2", "\"seq\":6");
    std::fs::write(&ledger, format!("{lines}{charge}\n")).unwrap();
    let doubled = audit(&[]);
    let text = String::from_utf8(doubled.stdout).unwrap();
    assert_eq!(doubled.status.code(), Some(1), "{text}");
    assert!(text.contains("WRONG: "), "{text}");
    assert!(text.contains("ledger.jsonl, line 7"), "{text}");
}

#[test]
fn a_wrong_folder_is_noticed_by_the_whole_path() {
    let folder = tempfile::tempdir().unwrap();
    let mut audit = Command::new(env!("CARGO_BIN_EXE_starter"));
    audit.arg("audit").env_remove("DATABASE");
    let text = stderr(&audit.current_dir(folder.path()).output().unwrap());
    let whole = folder.path().canonicalize().unwrap();
    let whole = whole.join("database/inventory.json");
    assert!(text.contains(whole.to_str().unwrap()), "{text}");
}

#[test]
fn the_stock_is_shown_and_set_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("inventory.json");
    let stock = |words: &[&str]| {
        let all = [
            &["stock"],
            words,
            &["--database", database.to_str().unwrap()],
        ]
        .concat();
        let output = starter(&all);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text + &stderr(&output))
    };
    let (code, text) = stock(&[]);
    assert_eq!(code, Some(1));
    assert!(text.contains("there is no inventory"), "{text}");

    let (code, text) = stock(&["set", "8", "20"]);
    assert_eq!(code, Some(0), "{text}");
    let both = "product 123456   1000 in stock\nproduct 8          20 in stock\n";
    assert_eq!(text, both);
    assert_eq!(stock(&["set", "123456", "0"]).0, Some(0));
    let (_, json) = stock(&["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["inStock"], 0, "{json}");

    let long = "8".repeat(101);
    for words in [
        &["set", "8", "10001"][..],
        &["set", "8", "-1"],
        &["set", "", "1"],
        &["set", &long, "1"],
        &["set", "8"],
    ] {
        let (code, text) = stock(words);
        assert_eq!(code, Some(2), "{words:?}: {text}");
    }
    assert_eq!(stock(&[]).1, both.replace("1000", "   0"));
    let audited = starter(&["audit", "--database", database.to_str().unwrap()]);
    assert!(audited.status.success(), "{}", stderr(&audited));
}
