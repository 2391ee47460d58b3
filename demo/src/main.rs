//! The demos, one command each: real server, worker and starter processes, a story told while it
//! happens, and a check of its own ending.
//!
//! | module | what lives there |
//! |---|---|
//! | [`args`] | the command line |
//! | [`voice`] | what the audience sees |
//! | [`sample`] | the orders that demos place |
//! | [`plain`] | an order's steps as plain function calls, for comparison |
//! | [`bug`] | releases with a bug, for the demo that fixes it |
//! | [`parts`] | what else this program can be: a demo's worker, its starter, its plain orders |
//! | [`process`] | worker and starter processes, and how they end |
//! | [`stage`] | what a demo plays on: a server, a folder, a task queue |
//! | [`report`] | what happened to many orders, as a page of HTML |
//! | [`demos`] | one file for each demo |
//! | [`live`] | everything at once, on a live page |
//! | [`play`] | plays one demo, or all |
//! | [`server`] | the dev server in the foreground |
//!
//! Each file uses only those above it.

mod args;
mod bug;
mod demos;
mod live;
mod parts;
mod plain;
mod play;
mod process;
mod report;
mod sample;
mod server;
mod stage;
mod voice;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    args::{Args, Command},
    parts::Part,
};

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Part::of(std::env::args_os()) {
        Some((part, arguments)) => part.run(arguments).await,
        None => run(Args::parse()).await,
    };
    done.unwrap_or_else(|error| {
        anstream::eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(Args { command, show }: Args) -> anyhow::Result<ExitCode> {
    match command {
        Some(Command::Server(args)) => server::run(args).await.map(|()| ExitCode::SUCCESS),
        Some(Command::List) => {
            play::list();
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Demo(demo)) => play::run(demo, show).await.map(|()| ExitCode::SUCCESS),
        None => play::run(args::Demo::FirstOrder, show)
            .await
            .map(|()| ExitCode::SUCCESS),
    }
}
