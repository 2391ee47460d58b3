//! Machines as network namespaces: what they reach, and that nothing is left of them. Where they cannot be
//! made, the tests say so and end.

#![cfg(unix)]

#[path = "common/owner.rs"]
mod owner;

use std::{env, process::Stdio};

use owner::{LONG, line_after, until};
use servers::{Machine, Network};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};

async fn network() -> Option<Network> {
    let made = Network::with_machines(2).await;
    if let Err(reason) = &made {
        println!("skipped: network namespaces cannot be made here ({reason})");
    }
    made.ok()
}

/// A program on the machine that ends only when it is killed.
fn sleeper(machine: &Machine) -> Child {
    machine
        .command("sleep")
        .arg("infinity")
        .spawn()
        .expect("`sleep`")
}

/// Whether this machine has an address.
async fn has(address: &str) -> bool {
    let listed = Command::new("ip").args(["-o", "address"]).output().await;
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    listed.contains(&format!(" {address}/"))
}

#[tokio::test]
async fn machines_reach_a_server_on_loopback_that_is_forwarded() {
    let Some(mut network) = network().await else {
        return;
    };
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    let address = network.forward(port).await.unwrap();
    for machine in network.machines() {
        let talk = format!(
            "exec 3<>/dev/tcp/{}/{port}; echo hello >&3; cat <&3",
            address.ip()
        );
        let mut client = machine.command("bash");
        let client = client.args(["-c", &talk]).stdout(Stdio::piped());
        let client = client.kill_on_drop(true).spawn().unwrap();
        let serve = async {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut said = [0; 6];
            stream.read_exact(&mut said).await.unwrap();
            stream.write_all(&said).await.unwrap();
        };
        timeout(LONG, serve).await.unwrap();
        let client = timeout(LONG, client.wait_with_output()).await.unwrap();
        assert_eq!(client.unwrap().stdout, b"hello\n");
    }
}

#[tokio::test]
async fn a_network_that_is_dropped_leaves_nothing() {
    let Some(network) = network().await else {
        return;
    };
    let address = network.address().to_string();
    let mut sleeper = sleeper(&network.machines()[0]);
    assert!(has(&address).await);
    drop(network);
    assert!(!has(&address).await);
    let ended = timeout(LONG, sleeper.wait()).await.unwrap();
    assert!(!ended.unwrap().success());
}

const OWNER: &str = "NETWORK_TEST_OWNER";

#[tokio::test]
#[ignore = "the process that another test kills"]
async fn owner() {
    if env::var_os(OWNER).is_some()
        && let Some(network) = network().await
    {
        let sleeper = sleeper(&network.machines()[1]);
        println!("\naddress {} {}", network.address(), sleeper.id().unwrap());
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn it_is_removed_when_its_owner_is_killed() {
    if network().await.is_none() {
        return;
    }
    let (mut owner, mut said) = owner::owner(OWNER, "until it is killed");
    let said = line_after(&mut said, "address ").await;
    let (address, sleeper) = said.split_once(' ').unwrap();
    assert!(has(address).await);
    owner.kill().await.unwrap();
    until("nothing to be left", async || {
        !has(address).await && !runs(sleeper).await
    })
    .await;
}

async fn runs(pid: &str) -> bool {
    let mut ps = Command::new("ps");
    let output = ps.args(["-o", "stat=", "-p", pid]).output().await.unwrap();
    let state = String::from_utf8(output.stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}
