//! A disk that is full, a folder that is read-only: an error, nothing half
//! done, and the retry goes through once it is mended.
//!
//! A full disk is simulated by the system's limit on a file's size, set by the
//! shell for a child process: like a full disk it stops a write half way. A
//! read-only folder is met as a user without rights, since root may write
//! anywhere.

mod common;

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::Command,
};

use common::{PRODUCT, Shop, assert_clean, is_reserved, now, order, units};
use inventory::{Inventory, InventoryError};
use orders::Item;

/// The inventory file of a child process.
const FILE: &str = "INVENTORY_TEST_FILE";
/// What it is to do there.
const TASK: &str = "INVENTORY_TEST_TASK";

#[tokio::test]
async fn a_path_in_the_way_is_an_error_until_it_is_gone() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    inventory.reserve(&order(1), &units(1)).await.unwrap();
    let ledger = fs::read(shop.ledger()).unwrap();
    let text = shop.text();
    fs::create_dir(shop.next()).unwrap();
    let error = inventory.reserve(&order(2), &units(1)).await.unwrap_err();
    assert!(matches!(error, InventoryError::Io { .. }));
    assert!(!error.is_permanent());
    assert!(error.to_string().contains("inventory.json.tmp"), "{error}");
    assert_eq!(fs::read(shop.ledger()).unwrap(), ledger);
    assert_eq!(shop.text(), text);
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 999);
    fs::remove_dir(shop.next()).unwrap();
    assert!(is_reserved(
        &inventory.reserve(&order(2), &units(1)).await.unwrap()
    ));
    shop.assert_clean().await;

    let away = shop.path.with_file_name("away");
    fs::rename(shop.ledger(), &away).unwrap();
    fs::create_dir(shop.ledger()).unwrap();
    let error = inventory.reserve(&order(3), &units(1)).await.unwrap_err();
    assert!(error.to_string().contains("ledger.jsonl"), "{error}");
    fs::remove_dir(shop.ledger()).unwrap();
    fs::rename(&away, shop.ledger()).unwrap();
    assert!(is_reserved(
        &inventory.reserve(&order(3), &units(1)).await.unwrap()
    ));
    assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 997);
    shop.assert_clean().await;
}

#[tokio::test]
async fn a_disk_that_fills_up_half_way_leaves_nothing_half_done() {
    let shop = Shop::with(&[("a", 1000), ("b", 1000)]);
    shop.open().await;
    // The limit counts in blocks of 1024 bytes; the ledger reaches it first.
    let script = r#"trap '' XFSZ; ulimit -f 4; exec "$0" "$@""#;
    // Its output goes through pipes: a file would be under the limit too.
    let output = Command::new("bash")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--quiet"])
        .env(FILE, &shop.path)
        .env(TASK, "fill")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    // Without the limit the same goes through.
    let inventory = shop.open().await;
    let number = shop.audit().await.orders.len() as u32;
    assert!(number > 3);
    assert!(is_reserved(
        &inventory.reserve(&order(number), &both()).await.unwrap()
    ));
    shop.assert_clean().await;
}

#[tokio::test]
async fn a_read_only_folder_is_an_error_until_it_is_writable() {
    let shop = Shop::empty();
    shop.open()
        .await
        .reserve(&order(0), &units(1))
        .await
        .unwrap();
    let folder = shop.path.parent().unwrap();
    let allow = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    // The child may be another user, who has to get here, and to its program.
    allow(folder.parent().unwrap(), 0o755);
    let program = folder.parent().unwrap().join("child");
    // By another process: a program that this one has open for writing cannot be run, and a test beside this
    // one may hand such a file on to its children.
    let mut copy = Command::new("cp");
    copy.args([&std::env::current_exe().unwrap(), &program]);
    assert!(copy.status().unwrap().success());
    allow(&program, 0o755);
    for path in [shop.path.clone(), shop.ledger(), shop.lock()] {
        allow(&path, 0o666);
    }
    let run = |task: &str| {
        let mut command = Command::new(&program);
        command.args(["--exact", "child", "--ignored", "--nocapture", "--quiet"]);
        command.env(FILE, &shop.path).env(TASK, task);
        allow(folder, 0o555);
        if fs::write(folder.join("probe"), "").is_ok() {
            fs::remove_file(folder.join("probe")).unwrap();
            command.uid(65_534);
        }
        if task == "writable" {
            allow(folder, 0o777);
        }
        assert!(command.status().unwrap().success(), "{task}");
        allow(folder, 0o777);
    };
    let before = (shop.text(), fs::read(shop.ledger()).unwrap());
    run("read-only");
    assert_eq!((shop.text(), fs::read(shop.ledger()).unwrap()), before);
    run("writable");
    assert_eq!(shop.lines().len(), 2);
    shop.assert_clean().await;
}

fn both() -> [Item; 2] {
    [Item::new("a", 1), Item::new("b", 1)]
}

#[tokio::test]
#[ignore = "not a test: what the tests above run in a process of its own"]
async fn child() {
    let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else {
        return;
    };
    let location = path.clone().into();
    let inventory = Inventory::open(&location, now).await.unwrap();
    match std::env::var(TASK).unwrap().as_str() {
        "fill" => {
            for number in 0.. {
                let Err(error) = inventory.reserve(&order(number), &both()).await else {
                    continue;
                };
                assert!(error.to_string().contains("ledger.jsonl"), "{error}");
                assert!(!error.is_permanent());
                assert!(!path.with_file_name("inventory.json.tmp").exists());
                assert_eq!(inventory.stock("a").await.unwrap(), 1000 - number);
                // A retry while it is still full fails in the same way.
                inventory
                    .reserve(&order(number), &both())
                    .await
                    .unwrap_err();
                assert_clean(&location).await;
                return;
            }
        }
        "read-only" => {
            let error = inventory.reserve(&order(1), &units(1)).await.unwrap_err();
            assert!(error.to_string().contains("denied"), "{error}");
            assert!(!error.is_permanent());
            assert_eq!(inventory.stock(PRODUCT).await.unwrap(), 999);
        }
        "once" | "writable" => {
            assert!(is_reserved(
                &inventory.reserve(&order(1), &units(1)).await.unwrap()
            ));
        }
        other => panic!("unknown task {other}"),
    }
}

/// A path that leads to something other than a file, and a link in the way of the temporary file.
#[tokio::test]
async fn special_files_are_refused_at_once_and_links_are_not_followed() {
    let shop = Shop::empty();
    let inventory = shop.open().await;
    inventory.reserve(&order(1), &units(1)).await.unwrap();
    let victim = shop.path.with_file_name("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, shop.next()).unwrap();
    inventory.reserve(&order(2), &units(1)).await.unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(!shop.next().exists());
    for file in [shop.path.clone(), shop.ledger(), shop.lock()] {
        let away = file.with_extension("away");
        fs::rename(&file, &away).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(&file)
                .status()
                .unwrap()
                .success()
        );
        let error = inventory.stock(PRODUCT).await.unwrap_err();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(error.to_string().contains(name), "{error}");
        assert!(error.to_string().contains("not a regular file"), "{error}");
        assert!(inventory.audit().await.is_err());
        fs::remove_file(&file).unwrap();
        fs::rename(&away, &file).unwrap();
    }
    let full = Inventory::at(&"/dev/full".into(), now).unwrap();
    assert!(
        full.identity()
            .await
            .unwrap_err()
            .to_string()
            .contains("not a regular file")
    );
    assert!(!std::path::Path::new("/dev/ledger.jsonl").exists());
    for location in [
        "",
        "mysql://localhost/shop",
        "postgres:/shop:secret@localhost/shop",
        "host=localhost password=secret",
    ] {
        let error = Inventory::at(&location.into(), now).unwrap_err();
        assert!(error.to_string().contains("postgres://"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    shop.assert_clean().await;
}

/// Whoever may use the folder may use the files, whatever the umask of the one who wrote them.
#[tokio::test]
async fn files_are_for_all_who_may_use_their_folder() {
    let shop = Shop::empty();
    let folder = shop.path.parent().unwrap();
    fs::create_dir(folder).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o770)).unwrap();
    let status = Command::new("bash")
        .args(["-c", r#"umask 077; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--quiet"])
        .env(FILE, &shop.path)
        .env(TASK, "once")
        .status();
    assert!(status.unwrap().success());
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for path in [shop.path.clone(), shop.ledger(), shop.lock()] {
        assert_eq!(mode(path.clone()), 0o660, "{}", path.display());
    }
    // A person's own choice is kept.
    fs::set_permissions(&shop.path, fs::Permissions::from_mode(0o640)).unwrap();
    shop.open()
        .await
        .reserve(&order(9), &units(1))
        .await
        .unwrap();
    assert_eq!(mode(shop.path.clone()), 0o640);
}
