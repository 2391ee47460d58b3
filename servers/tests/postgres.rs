//! A real PostgreSQL server: started, killed, stopped, started again.

#![cfg(unix)]

#[path = "common/owner.rs"]
mod owner;

use std::{env, net::Ipv4Addr, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use owner::{LONG, line_after, until};
use servers::{Postgres, PostgresError};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

async fn server() -> Postgres {
    Postgres::builder().start().await.unwrap()
}

async fn ask(server: &Postgres, url: &str, sql: &str) -> Result<String, String> {
    let output = Command::new(server.program("psql"))
        .args([
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--command",
            sql,
            url,
        ])
        .output()
        .await
        .unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

async fn answer(server: &Postgres, sql: &str) -> String {
    ask(server, &server.url(), sql).await.unwrap()
}

/// The server's folder is the one with its Unix socket.
async fn folder(server: &Postgres) -> String {
    answer(server, "show unix_socket_directories").await
}

/// Whether the process runs, and does not only wait for its parent to notice that it has ended.
fn runs(pid: u32) -> bool {
    let output = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .unwrap();
    let state = String::from_utf8(output.stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}

/// Has the server work on a query of many minutes, which does not notice by itself that the server
/// has ended. Returns the process of the client, and the ID of the server's process for it.
async fn busy(server: &Postgres) -> (Child, u32) {
    let query = "select count(*) from generate_series(1, 1e12::bigint) busy";
    let client = Command::new(server.program("psql"))
        .args(["--command", query, &server.url()])
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = "select pid from pg_stat_activity where state = 'active' and query like '% busy'";
    until("a busy connection", async || {
        !answer(server, pid).await.is_empty()
    })
    .await;
    let pid = answer(server, pid).await.parse().unwrap();
    (client, pid)
}

#[tokio::test]
async fn it_answers_over_tcp_and_over_its_socket() {
    let server = server().await;
    assert_eq!(answer(&server, "select 1").await, "1");
    let url = server.socket_url();
    assert_eq!(ask(&server, &url, "select 2").await.unwrap(), "2");
}

#[tokio::test]
async fn what_was_committed_survives_kill_and_stop() {
    let mut server = server().await;
    let (url, first_pid) = (server.url(), server.pid());
    assert_eq!(answer(&server, "show fsync").await, "on");
    assert_eq!(answer(&server, "show synchronous_commit").await, "on");
    answer(&server, "create table t (n int)").await;
    answer(&server, "insert into t values (1)").await;

    server.kill().await.unwrap();
    assert!(server.exited().unwrap().is_some());
    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    assert_ne!(server.pid(), first_pid);
    assert_eq!(answer(&server, "select n from t").await, "1");
    answer(&server, "insert into t values (2)").await;

    server.stop().await.unwrap();
    assert!(server.exited().unwrap().unwrap().success(), "in order");
    server.restart().await.unwrap();
    assert_eq!(answer(&server, "select sum(n) from t").await, "3");
}

#[tokio::test]
async fn a_kill_ends_every_connection_at_once() {
    let mut server = server().await;
    let (mut client, busy) = busy(&server).await;
    server.kill().await.unwrap();
    assert!(!runs(busy) && !runs(server.pid()));
    let ended = timeout(LONG, client.wait()).await.unwrap().unwrap();
    assert!(!ended.success());
    // Killing, and stopping, what has ended is no error.
    server.kill().await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn stopped_and_dropped_it_leaves_nothing() {
    let mut server = server().await;
    let folder = folder(&server).await;
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "only its owner can reach the socket");
    server.stop().await.unwrap();
    assert!(!runs(server.pid()));
    drop(server);
    assert!(!Path::new(&folder).exists());
}

#[tokio::test]
async fn dropped_while_it_runs_it_leaves_nothing() {
    let server = server().await;
    let (folder, pid) = (folder(&server).await, server.pid());
    let (_client, busy) = busy(&server).await;
    drop(server);
    assert!(!runs(busy) && !runs(pid));
    assert!(!Path::new(&folder).exists());
}

#[tokio::test]
async fn a_folder_that_was_given_keeps_the_database() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a database");
    let start = || Postgres::builder().folder(&folder).start();
    let first = start().await.unwrap();
    answer(&first, "create table kept ()").await;
    drop(first);

    let second = start().await.unwrap();
    assert_eq!(answer(&second, "select count(*) from kept").await, "0");
    let url = second.socket_url();
    assert!(ask(&second, &url, "select 1").await.is_ok(), "{url}");
    drop(second);
    assert!(folder.join("data/PG_VERSION").exists());
}

#[tokio::test]
async fn several_at_once_do_not_get_in_each_others_way() {
    let (a, b) = tokio::join!(server(), server());
    assert_ne!(a.address(), b.address());
    answer(&a, "create table only_here ()").await;
    assert!(ask(&b, &b.url(), "select 1 from only_here").await.is_err());
}

#[tokio::test]
async fn without_its_password_nobody_gets_in() {
    let server = server().await;
    let address = server.address();
    let url = format!("postgres://postgres:wrong@{address}/postgres");
    let error = ask(&server, &url, "select 1").await.unwrap_err();
    assert!(error.contains("password authentication failed"), "{error}");

    let url = server.url();
    let password = url.split([':', '@']).nth(2).unwrap();
    assert!(password.len() >= 32, "{password}");
    let shown = format!("{server:?}");
    assert!(!shown.contains(password), "{shown}");
}

#[tokio::test]
async fn connections_and_address_can_be_chosen() {
    let builder = Postgres::builder().max_connections(7);
    let server = builder.listen(Ipv4Addr::UNSPECIFIED).start().await.unwrap();
    assert_eq!(answer(&server, "show max_connections").await, "7");
    assert_eq!(answer(&server, "show listen_addresses").await, "0.0.0.0");
    // `initdb` itself lets in this machine only.
    let rules = "select count(*) from pg_hba_file_rules where address = 'all'";
    assert_eq!(answer(&server, rules).await, "1");
    assert_eq!(answer(&server, "select 1").await, "1");
}

#[tokio::test]
async fn a_server_that_ends_early_says_why() {
    let start = Postgres::builder().setting("no_such_setting", "1").start();
    let error = timeout(LONG, start).await.unwrap().unwrap_err();
    assert!(
        matches!(error, PostgresError::EndedEarly { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let error = Postgres::builder().programs("/nowhere").start().await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("/nowhere/initdb"), "{error}");
}

#[tokio::test]
async fn variables_for_another_server_are_ignored() {
    // Read by the programs of PostgreSQL, in a process that has them.
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "owner", "--ignored", "--nocapture"])
        .env(OWNER, "briefly")
        .env("PGPORT", "1")
        .env("PGHOSTADDR", "127.0.0.9")
        .env("PGOPTIONS", "--nonsense")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("\nfolder "),
        "{said}"
    );
}

const OWNER: &str = "POSTGRES_TEST_OWNER";

#[tokio::test]
#[ignore = "the process that other tests end"]
async fn owner() {
    if let Some(how) = env::var_os(OWNER) {
        let server = server().await;
        // The socket's folder, from its URL.
        let url = server.socket_url();
        let folder = url
            .split(['=', '&'])
            .nth(1)
            .unwrap()
            .replace("%2F", "/")
            .replace("%2D", "-");
        println!("\nfolder {folder} address {}", server.address());
        if how != "briefly" {
            std::future::pending::<()>().await;
        }
    }
}

#[tokio::test]
async fn it_ends_when_its_owner_is_killed_and_its_folder_is_removed() {
    let (mut owner, mut said) = owner::owner(OWNER, "until it is killed");
    let said = line_after(&mut said, "folder ").await;
    let (folder, address) = said.split_once(" address ").unwrap();
    assert!(Path::new(folder).exists());
    assert!(TcpStream::connect(address).await.is_ok());

    owner.kill().await.unwrap();
    until("the server to be gone", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    until("its folder to be gone", async || {
        !Path::new(folder).exists()
    })
    .await;
}
