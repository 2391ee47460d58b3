//! Runs the workflow `ProcessOrder` and its activities.

use std::process::ExitCode;

use worker::{Args, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = temporal::args::parse();
    worker::log::init(args.log_format);
    let ended = match &args.command {
        Some(Command::CodecServer(args)) => worker::codec_server::run(args).await,
        Some(Command::ShippingService(args)) => worker::shipping_service::run(args).await,
        None => worker::run(args).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // It may quote what a server said.
            let error = format!("{error:#}");
            eprintln!("error: {}", temporal::printable_lines(&error));
            ExitCode::FAILURE
        }
    }
}
