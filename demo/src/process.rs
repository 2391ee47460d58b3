//! Worker and starter processes, and how they end.

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anstream::adapter::strip_str;
use anyhow::{Context, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use servers::Machine;
use starter::{
    follow::{Followed, Watch},
    progress::OrderEvent,
    show::{JsonLine, text},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, ChildStdin, Command},
    sync::watch,
    task::JoinHandle,
};

use crate::{parts::Part, voice::Voice};

/// How long a process that was asked to stop may take. A worker ends what is under way.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// What a presenter's shell may say for a worker, and those of a demo cannot use: addresses, which several
/// cannot share; a version that the demo's server has never heard of; and how to log, for the log is read.
const NOT_FOR_A_DEMO: [&str; 7] = [
    "METRICS_ADDRESS",
    "HEALTH_ADDRESS",
    "TEMPORAL_DEPLOYMENT_NAME",
    "TEMPORAL_WORKER_BUILD_ID",
    "RUST_LOG",
    "LOG_LEVEL",
    "LOG_FORMAT",
];

/// How long a starter may take: longer than any order of a demo.
const END_WITHIN: Duration = Duration::from_secs(120);

/// Variables that a process is started with.
pub type Environment = Vec<(&'static str, OsString)>;

/// A worker process. Its log is a file, for the audience has enough to read.
pub struct WorkerProcess {
    child: Child,
    /// Held open as long as the demo runs. `Child::wait` would close it.
    _input: Option<ChildStdin>,
    log: PathBuf,
}

impl WorkerProcess {
    /// Starts a worker with these arguments, in this environment, on another machine if one is given.
    ///
    /// # Errors
    /// Returns an error if the process cannot be started.
    pub fn start(
        arguments: &[&str],
        environment: Environment,
        log: PathBuf,
        machine: Option<&Machine>,
    ) -> anyhow::Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut program = this_program(Part::Worker, machine)?;
        for variable in NOT_FOR_A_DEMO {
            program.env_remove(variable);
        }
        let mut child = program
            .args(arguments)
            .envs(environment)
            // Its other end closes when the demo ends, in whatever way: see `Part::run`.
            .stdin(Stdio::piped())
            .stdout(file.try_clone().context("cannot share the log file")?)
            .stderr(file)
            .spawn()
            .context("cannot start a worker")?;
        let _input = child.stdin.take();
        Ok(Self { child, _input, log })
    }

    /// The process's ID.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Whether it has said that it is ready.
    ///
    /// # Errors
    /// Returns an error if its log cannot be read.
    pub fn is_ready(&self) -> anyhow::Result<bool> {
        self.said(worker::READY)
    }

    /// Whether a line of its log has this.
    ///
    /// # Errors
    /// Returns an error if its log cannot be read.
    pub fn said(&self, words: &str) -> anyhow::Result<bool> {
        Ok(std::fs::read_to_string(&self.log)?.contains(words))
    }

    /// Freezes the worker, or lets it go on.
    ///
    /// # Errors
    /// Returns an error if it has ended.
    pub fn freeze(&self, frozen: bool) -> anyhow::Result<()> {
        let sent = if frozen {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        signal(&self.child, sent)
    }

    /// Fails, with the end of its log, if the process has ended.
    ///
    /// # Errors
    /// Returns an error if it has ended.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the worker ended early ({status}):\n{}", end_of(&self.log));
        }
        Ok(())
    }

    /// Ends the worker at once with SIGKILL, as a crash would.
    ///
    /// # Errors
    /// Returns an error if it has ended already.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.check_running()?;
        self.child.kill().await.context("cannot kill the worker")
    }

    /// Asks the worker to stop, and waits until it has.
    ///
    /// # Errors
    /// Returns an error if it does not stop in time, or ends with an error.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        signal(&self.child, Signal::SIGTERM)?;
        let status = tokio::time::timeout(STOP_WITHIN, self.child.wait())
            .await
            .with_context(|| format!("the worker did not stop within {STOP_WITHIN:?}"))??;
        if !status.success() {
            bail!("the worker ended with {status}:\n{}", end_of(&self.log));
        }
        Ok(())
    }
}

/// A starter process. What it says is shown as it comes.
pub struct StarterProcess {
    child: Child,
    showing: [JoinHandle<String>; 2],
    /// The step that the order came to last, as far as it is shown.
    step: watch::Receiver<String>,
}

/// How a starter ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit status.
    pub status: ExitStatus,
    /// All its lines.
    pub text: String,
}

impl StarterProcess {
    /// Starts a starter with these arguments, in this environment.
    ///
    /// # Errors
    /// Returns an error if the process cannot be started.
    pub fn start(
        arguments: &[&str],
        environment: Environment,
        voice: Voice,
    ) -> anyhow::Result<Self> {
        let mut program = this_program(Part::Starter, None)?;
        program.args(arguments);
        let follows = follows(arguments);
        if follows {
            program.arg("--json");
        }
        let mut child = program
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start a starter")?;
        let lines = child.stdout.take().context("a starter without output")?;
        let errors = child.stderr.take().context("a starter without errors")?;
        let (reached, step) = watch::channel(String::new());
        let showing = match follows {
            true => [
                show_order(lines, voice.clone(), reached),
                show(errors, voice),
            ],
            false => [show(lines, voice.clone()), show(errors, voice)],
        };
        Ok(Self {
            child,
            showing,
            step,
        })
    }

    /// Waits until all that came before this step of the order is shown: the step itself may be held, or its
    /// worker may be dead.
    ///
    /// # Errors
    /// Returns an error if the process ends before, or it takes too long.
    pub async fn shows(&self, step: &str) -> anyhow::Result<()> {
        let mut reached = self.step.clone();
        let shown = reached.wait_for(|reached| reached == step);
        tokio::time::timeout(END_WITHIN, shown)
            .await
            .with_context(|| format!("{step} was not shown within {END_WITHIN:?}"))?
            .with_context(|| format!("the starter ended before it showed {step}"))?;
        Ok(())
    }

    /// Waits until the order is done and all lines are shown.
    ///
    /// # Errors
    /// Returns an error if the process does not end in time.
    pub async fn wait(self) -> anyhow::Result<ExitStatus> {
        Ok(self.said().await?.status)
    }

    /// Waits for its end, as [`wait`](Self::wait) does, and tells what it said.
    ///
    /// # Errors
    /// Returns an error if the process does not end in time.
    pub async fn said(mut self) -> anyhow::Result<Said> {
        let status = tokio::time::timeout(END_WITHIN, self.child.wait())
            .await
            .with_context(|| format!("the starter did not end within {END_WITHIN:?}"))??;
        let mut text = String::new();
        for showing in self.showing {
            text += &showing.await?;
        }
        Ok(Said { status, text })
    }
}

/// Whether a starter with these arguments follows an order to its end.
fn follows(arguments: &[&str]) -> bool {
    arguments
        .first()
        .is_some_and(|first| matches!(*first, "follow" | "cancel") || first.parse::<u64>().is_ok())
}

/// Shows what happens to an order as it comes, and keeps it.
fn show_order(
    output: impl AsyncRead + Unpin + Send + 'static,
    voice: Voice,
    reached: watch::Sender<String>,
) -> JoinHandle<String> {
    tokio::spawn(async move {
        let mut watch = Kept {
            shown: voice.watch(),
            voice,
            text: String::new(),
            reached,
        };
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str::<JsonLine>(&line) {
                Ok(line) => line.show(&mut watch),
                Err(_) => watch.say(&line),
            }
        }
        watch.text
    })
}

/// Keeps what is shown of an order, as text.
struct Kept {
    shown: Box<dyn Watch + Send>,
    voice: Voice,
    text: String,
    reached: watch::Sender<String>,
}

impl Kept {
    fn keep(&mut self, line: &str) {
        self.text += &strip_str(line).to_string();
        self.text += "\n";
    }
}

impl Watch for Kept {
    fn event(&mut self, event: &OrderEvent) {
        self.shown.event(event);
        if let Some(line) = text::event(event, usize::MAX) {
            self.keep(&line);
        }
        if let OrderEvent::Step(step) = event {
            self.reached.send_replace(step.step.clone());
        }
    }

    fn say(&mut self, sentence: &str) {
        self.shown.say(sentence);
        self.keep(sentence);
    }

    fn link(&mut self, url: &str) {
        self.voice.link(url);
    }

    fn ended(&mut self, followed: &Followed) {
        self.shown.ended(followed);
        self.keep(&text::ended(followed, usize::MAX));
    }
}

/// Shows the lines as they come, and keeps them.
fn show(output: impl AsyncRead + Unpin + Send + 'static, voice: Voice) -> JoinHandle<String> {
    tokio::spawn(async move {
        let mut text = String::new();
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            voice.quote(&line);
            text += &line;
            text += "\n";
        }
        text
    })
}

/// This program's file, as one of its parts, on another machine if one is given. A process that is
/// dropped is killed.
///
/// # Errors
/// Returns an error if the file cannot be found.
pub fn this_program(part: Part, machine: Option<&Machine>) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = match machine {
        Some(machine) => machine.command(program),
        None => Command::new(program),
    };
    // Ctrl-C in a terminal goes to all processes of a group. It is the demo that ends the others.
    command.arg(part.name()).process_group(0).kill_on_drop(true);
    Ok(command)
}

fn signal(child: &Child, signal: Signal) -> anyhow::Result<()> {
    let pid = child.id().context("the process has ended")?;
    kill(Pid::from_raw(pid.try_into()?), signal).context("cannot signal the process")
}

fn end_of(log: &Path) -> String {
    const LINES: usize = 15;
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
