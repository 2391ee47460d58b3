//! Submits orders and follows them.

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

#[tokio::main]
async fn main() -> ExitCode {
    let args = match starter::Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            let given: Vec<_> = std::env::args_os().skip(1).collect();
            let given = given.iter().filter_map(|it| it.to_str());
            let text = starter::args::with_usage(&error, given);
            eprintln!("{}", temporal::printable_lines(&text));
            if error.kind() == ErrorKind::InvalidUtf8
                && let Some(hint) = temporal::args::variables_not_text()
            {
                eprintln!("hint: {hint}");
            }
            return ExitCode::from(2);
        }
        // The help, or the version.
        Err(error) => error.exit(),
    };
    match starter::run(args).await {
        Ok(code) => code,
        Err(error) => {
            // It may quote what a server said.
            let error = format!("{error:#}");
            eprintln!("error: {}", temporal::printable_lines(&error));
            ExitCode::FAILURE
        }
    }
}
