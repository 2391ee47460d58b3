//! What else this program can be: the processes that a demo starts.

use std::{
    ffi::OsString,
    io,
    process::{self, ExitCode},
    thread,
};

use clap::Parser;

use crate::{args::PlainArgs, bug::Bug, plain};

/// A process of a demo: the same worker and starter that people run, under this program's
/// name. They are not subcommands, so that the help does not list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// As `cargo run -p worker` runs it.
    Worker,
    /// As `cargo run -p starter` runs it.
    Starter,
    /// Orders as plain function calls, without Temporal.
    Plain,
}

/// What a demo's worker takes: what any worker does, and a bug.
#[derive(Debug, Parser)]
struct WorkerArgs {
    #[command(flatten)]
    worker: worker::Args,
    #[arg(long, hide = true)]
    bug: Option<Bug>,
}

impl Part {
    /// As it is named on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Starter => "starter",
            Self::Plain => "plain",
        }
    }

    /// The part that a command line names, with the part's own command line.
    pub fn of(arguments: impl IntoIterator<Item = OsString>) -> Option<(Self, Vec<OsString>)> {
        let arguments: Vec<OsString> = arguments.into_iter().skip(1).collect();
        let named = arguments.first()?;
        let part = [Self::Worker, Self::Starter, Self::Plain]
            .into_iter()
            .find(|part| named == part.name())?;
        Some((part, arguments))
    }

    /// Runs it.
    ///
    /// # Errors
    /// Returns the error of the part.
    pub async fn run(self, arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
        match self {
            Self::Worker => {
                let WorkerArgs { worker, bug } = WorkerArgs::parse_from(arguments);
                worker::log::init(worker.log_format);
                thread::spawn(end_with_the_demo);
                match bug {
                    Some(bug) => worker::run_code(worker, bug.code()).await?,
                    None => worker::run(worker).await?,
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Starter => starter::run(starter::Args::parse_from(arguments)).await,
            Self::Plain => {
                plain::run(&PlainArgs::parse_from(arguments)).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Ends this process at the end of its input, which the demo holds open as long as it runs. A demo that was
/// killed can stop nobody.
fn end_with_the_demo() {
    // An input that cannot be read has ended, too.
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    process::exit(1);
}
