//! Submits orders and follows them.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let args = match starter::Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            let given: Vec<_> = std::env::args().skip(1).collect();
            let given = given.iter().map(String::as_str);
            eprintln!("{}", starter::args::with_usage(&error, given));
            return ExitCode::from(2);
        }
        // The help, or the version.
        Err(error) => error.exit(),
    };
    match starter::run(args).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
