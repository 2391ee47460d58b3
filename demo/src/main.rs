//! The demos, one command each: real server, worker and starter processes, a story told while it
//! happens, and a check of its own ending.
//!
//! | module | what lives there |
//! |---|---|
//! | [`args`] | what the command line takes |
//! | [`stage`] | what a demo plays on: a server, a folder, a task queue |
//! | [`parts`] | what else this program can be: a demo's worker, its starter, its plain orders |
//! | [`process`] | worker and starter processes, and how they end |
//! | [`voice`] | what the audience sees |
//! | [`demos`] | one file for each demo |
//! | [`plain`] | an order's steps as plain function calls, for comparison |
//! | [`server`] | the dev server in the foreground |

mod args;
mod demos;
mod parts;
mod plain;
mod process;
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
            demos::list();
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Demo(demo)) => demos::run(demo, show).await.map(|()| ExitCode::SUCCESS),
        None => demos::run(args::Demo::FirstOrder, show)
            .await
            .map(|()| ExitCode::SUCCESS),
    }
}
