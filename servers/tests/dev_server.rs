//! The real dev server: started, killed, stopped, started again.

#![cfg(unix)]

mod common;
#[path = "common/owner.rs"]
mod owner;

use std::{
    collections::HashSet,
    env,
    net::TcpListener,
    process::Stdio,
    time::{Duration, SystemTime},
};

use common::{cli, client_of, server};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use owner::{LONG, Said, line_after, until};
use servers::{DevServer, DevServerError};
use temporalio_client::{UntypedWorkflow, WorkflowStartOptions, tonic::IntoRequest};
use temporalio_common::{
    data_converters::RawValue,
    protos::temporal::api::{
        taskqueue::v1::TaskQueue, workflowservice::v1::PollWorkflowTaskQueueRequest,
    },
};
use tokio::{net::TcpStream, process::Child, time::timeout};

/// Waits until nothing listens at `address`, which is when the server is gone. Its process ID stays
/// longer, until the process that inherited it has waited for it.
async fn until_gone(address: &str) {
    until("the server to be gone", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
}

async fn start_workflow(server: &DevServer, id: &str) {
    let options = WorkflowStartOptions::new("a-task-queue", id).build();
    client_of(server)
        .await
        .start_workflow(
            UntypedWorkflow::new("Nobody"),
            RawValue::new(vec![]),
            options,
        )
        .await
        .unwrap();
}

async fn has_workflow(server: &DevServer, id: &str) -> bool {
    let handle = client_of(server)
        .await
        .get_workflow_handle::<UntypedWorkflow>(id);
    handle.describe(Default::default()).await.is_ok()
}

/// By default, the fifth worker's death would cost 11 seconds, and each further one twice as much.
#[tokio::test]
async fn workers_that_die_one_after_the_other_hold_up_a_workflow_for_a_moment_each() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let server = server().await;
    let client = client_of(&server).await;
    let options = WorkflowStartOptions::new("a-task-queue", "a-workflow").task_timeout(TIMEOUT);
    let nothing = RawValue::new(vec![]);
    client
        .start_workflow(UntypedWorkflow::new("Nobody"), nothing, options.build())
        .await
        .unwrap();
    // A worker that takes the task and dies.
    let died_in_attempt = async |attempt: i32| loop {
        let request = PollWorkflowTaskQueueRequest {
            namespace: "default".to_owned(),
            task_queue: Some(TaskQueue {
                name: "a-task-queue".to_owned(),
                ..TaskQueue::default()
            }),
            ..PollWorkflowTaskQueueRequest::default()
        };
        let mut service = client.connection().workflow_service();
        let task = service.poll_workflow_task_queue(request.into_request());
        let task = task.await.unwrap().into_inner();
        if task.attempt == attempt {
            return SystemTime::try_from(task.started_time.unwrap()).unwrap();
        }
    };
    let fifth = died_in_attempt(5).await;
    let sixth = died_in_attempt(6).await;
    let held_up = sixth.duration_since(fifth).unwrap();
    assert!(held_up < 6 * TIMEOUT, "{held_up:?}");
}

#[tokio::test]
async fn what_was_on_disk_survives_kill_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("made/state.db");
    let builder = DevServer::builder(cli().await).db_file(db);
    let mut server = builder.start().await.unwrap();
    let (address, first_pid) = (server.address(), server.pid());
    start_workflow(&server, "before-kill").await;

    server.kill().await.unwrap();
    until_gone(&address).await;
    assert!(server.exited().unwrap().is_some());
    server.restart().await.unwrap();
    assert_eq!(server.address(), address);
    assert_ne!(server.pid(), first_pid);
    assert!(has_workflow(&server, "before-kill").await);
    start_workflow(&server, "before-stop").await;

    server.stop().await.unwrap();
    until_gone(&address).await;
    server.restart().await.unwrap();
    assert!(has_workflow(&server, "before-kill").await);
    assert!(has_workflow(&server, "before-stop").await);
}

#[tokio::test]
async fn stopping_and_killing_what_has_ended_is_no_error() {
    let mut server = server().await;
    server.stop().await.unwrap();
    let status = server.exited().unwrap().unwrap();
    assert!(status.success(), "ended in order: {status}");
    server.stop().await.unwrap();
    server.kill().await.unwrap();
}

#[tokio::test]
async fn in_memory_all_is_lost() {
    let mut server = server().await;
    start_workflow(&server, "lost").await;
    server.restart().await.unwrap();
    assert!(!has_workflow(&server, "lost").await);
}

#[tokio::test]
async fn namespace_and_search_attributes_are_there_at_once() {
    let builder = DevServer::builder(cli().await)
        .namespace("orders")
        .search_attribute("OrderStatus", "Keyword");
    let server = builder.start().await.unwrap();
    assert_eq!(server.namespace(), "orders");
    assert!(server.ui_address().is_none());

    let settings = temporal::Settings::plain(&server.address(), "orders").unwrap();
    let client = temporal::connect(&settings, "test").await.unwrap();
    let count = client.count_workflows("OrderStatus = 'charged'", Default::default());
    assert_eq!(count.await.unwrap().count(), 0);
}

#[tokio::test]
async fn a_port_in_use_is_named_and_nothing_is_started() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let builder = DevServer::builder(cli().await);

    for builder in [builder.clone().port(port), builder.ui_port(port)] {
        let error = builder.start().await.unwrap_err();
        assert!(
            matches!(error, DevServerError::PortInUse { port: p } if p == port),
            "{error:?}"
        );
        assert!(error.to_string().contains(&port.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_ends_early_says_why() {
    let builder = DevServer::builder(cli().await).search_attribute("OrderStatus", "NoSuchType");
    let error = timeout(LONG, builder.start()).await.unwrap().unwrap_err();
    assert!(
        matches!(error, DevServerError::EndedEarly { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("NoSuchType"), "{error}");
}

/// Takes the place of a Temporal CLI that loses a port: it logs that, panics, and prints the stack
/// trace of each goroutine.
const PANICS: &str = r#"#!/bin/sh
echo 'time=2026-01-01T10:00:00 level=INFO msg=starting'
echo 'time=2026-01-01T10:00:01 level=ERROR msg="Failed to start gRPC listener" error="listen tcp 127.0.0.1:42447: bind: address already in use" service=history'
echo 'panic: runtime error: invalid memory address or nil pointer dereference'
for i in $(seq 1 2000); do
  printf '
goroutine %d [running]:
google.golang.org/grpc.(*Server).Serve(0x3552d43be908)
' "$i"
  printf '	/go/pkg/mod/google.golang.org/grpc/server.go:913 +0x14c
'
done
exit 2
"#;

#[tokio::test]
async fn a_server_that_panics_says_why_and_not_where() {
    let folder = tempfile::tempdir().unwrap();
    let cli = folder.path().join("temporal");
    // Written by another process, because a program that this process has just written cannot
    // always be run at once.
    let mut writer = std::process::Command::new("sh")
        .args(["-c", r#"cat > "$0" && chmod +x "$0""#])
        .arg(&cli)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut writer.stdin.take().unwrap(), PANICS.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());

    let start = DevServer::builder(&cli).start();
    let error = timeout(LONG, start).await.unwrap().unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("127.0.0.1:42447: bind: address already in use"),
        "{error}"
    );
    assert!(!error.contains("goroutine"), "{error}");
    assert!(error.len() < 500, "{error}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let error = DevServer::builder("/nowhere/temporal")
        .start()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("/nowhere/temporal"), "{error}");
}

#[tokio::test]
async fn many_at_once_do_not_get_in_each_others_way() {
    let cli = cli().await;
    let start = || DevServer::builder(&cli).ui().start();
    let (a, b, c) = tokio::try_join!(start(), start(), start()).unwrap();
    let addresses = [&a, &b, &c].map(|server| (server.address(), server.ui_address()));
    assert_eq!(HashSet::from(addresses).len(), 3);
}

#[tokio::test]
async fn it_ends_with_its_owner_dropped() {
    let server = server().await;
    let address = server.address();
    drop(server);
    until_gone(&address).await;
}

#[tokio::test]
async fn it_ends_when_its_owner_panics() {
    let server = server().await;
    let address = server.address();
    let panicked = tokio::spawn(async move {
        let _owned = server;
        // Unwinds as a panic does, but prints no message among the tests' output.
        std::panic::resume_unwind(Box::new("as a test that fails does"));
    });
    assert!(panicked.await.unwrap_err().is_panic());
    until_gone(&address).await;
}

const OWNER: &str = "TEMPORAL_TEST_OWNER";

#[tokio::test]
#[ignore = "the process that other tests end"]
async fn owner() {
    if env::var_os(OWNER).is_some() {
        let mut server = server().await;
        let (address, pid) = (server.address(), server.pid());
        // Polled second, when the signals are already listened for.
        let tell = async { println!("\naddress {address} pid {pid}") };
        let (ended, ()) = tokio::join!(server.run_until_stopped(), tell);
        println!("ended {:?}", ended.unwrap());
    }
}

/// A process that owns a dev server and runs it in the foreground.
struct Owner {
    process: Child,
    lines: Said,
    address: String,
    server_pid: u32,
}

impl Owner {
    async fn start() -> Self {
        let (process, mut lines) = owner::owner(OWNER, "1");
        let said = line_after(&mut lines, "address ").await;
        let (address, pid) = said.split_once(" pid ").unwrap();
        Self {
            address: address.to_owned(),
            server_pid: pid.parse().unwrap(),
            process,
            lines,
        }
    }

    fn signal(&self, pid: u32, signal: Signal) {
        kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
    }

    async fn how_it_ended(&mut self) -> String {
        timeout(LONG, line_after(&mut self.lines, "ended "))
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn it_ends_when_its_owner_is_killed() {
    let mut owner = Owner::start().await;
    assert!(TcpStream::connect(&owner.address).await.is_ok());
    owner.process.kill().await.unwrap();
    until_gone(&owner.address).await;
}

#[tokio::test]
async fn in_the_foreground_each_signal_ends_it_in_order() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut owner = Owner::start().await;
        owner.signal(owner.process.id().unwrap(), signal);
        assert_eq!(owner.how_it_ended().await, "Asked", "{signal}");
        assert!(owner.process.wait().await.unwrap().success());
        until_gone(&owner.address).await;
    }
}

#[tokio::test]
async fn in_the_foreground_its_own_end_is_told() {
    let mut owner = Owner::start().await;
    owner.signal(owner.server_pid, Signal::SIGKILL);
    let ended = owner.how_it_ended().await;
    assert!(ended.starts_with("ByItself"), "{ended}");
    assert!(owner.process.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_killed_server_leaves_its_watchdog_nothing_to_end() {
    let mut server = server().await;
    let first = server.pid();
    server.kill().await.unwrap();
    server.restart().await.unwrap();
    assert_ne!(server.pid(), first);
    assert!(TcpStream::connect(server.address()).await.is_ok());
}
