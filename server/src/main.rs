//! The binary `component-auth0`.

use std::process::ExitCode;

use clap::Parser as _;
use server::cli::{BAD_CONFIGURATION, Cli, Outcome, run};

#[tokio::main]
#[expect(
    clippy::print_stderr,
    reason = "problems of the start are for the person who starts it"
)]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Misconfigured(problems)) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            ExitCode::from(BAD_CONFIGURATION)
        }
        Err(error) => {
            eprintln!("component-auth0: {error:#}");
            ExitCode::FAILURE
        }
    }
}
