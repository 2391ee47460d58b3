//! A process of its own that owns what a test starts, to be killed.

use std::{env, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};

/// Much longer than anything here takes, so that a test that waits for ever fails instead.
pub const LONG: Duration = Duration::from_secs(60);

pub type Said = Lines<BufReader<ChildStdout>>;

/// Runs the ignored test `owner` of the same file in a process of its own, which a variable tells what to
/// do. Gives the process, and the lines that it says.
pub fn owner(variable: &str, how: &str) -> (Child, Said) {
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "owner", "--ignored", "--nocapture"])
        .env(variable, how)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let said = BufReader::new(owner.stdout.take().unwrap()).lines();
    (owner, said)
}

/// The rest of the next line that begins with these words.
pub async fn line_after(said: &mut Said, start: &str) -> String {
    loop {
        let line = said.next_line().await.unwrap().expect("another line");
        if let Some(rest) = line.strip_prefix(start) {
            return rest.to_owned();
        }
    }
}

pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, wait).await.expect(what);
}
