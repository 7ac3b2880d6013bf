//! What `cargo xtask bench` needs beside wrk, which can only send requests that it knows
//! beforehand: whole logins, frames that wait, stores with a million sessions, and the floor.
//!
//! Every command but those that serve prints one line of JSON: samples by name, in milliseconds
//! unless the name says otherwise. It judges nothing.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool: its standard output is its result"
)]

mod bare_route;
mod bulk;
mod cached_guard;
mod connections;
mod fill;
mod growth;
mod report;
mod seed;
mod sign_in;
mod values;
mod visitor;
mod waiting;

use clap::{Parser, Subcommand};

/// Loads that the benchmark puts on the companion and its stores.
#[derive(Parser)]
#[command(name = "bench-load")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves one axum route and nothing else
    BareRoute(bare_route::Arguments),
    /// Serves a protected route with and without a cache of verified tokens
    CachedGuard(cached_guard::Arguments),
    /// Signs people in, over HTTP as a browser and a Streamlit host do
    SignIn(sign_in::Arguments),
    /// Copies one real session of a store many times
    Seed(seed::Arguments),
    /// Times the operations of a store while it grows
    Growth(growth::Arguments),
    /// Lets frames wait for logins that never come, until its standard input ends
    Waiting(waiting::Arguments),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    connections::raise_limit();
    match Cli::parse().command {
        Command::BareRoute(arguments) => bare_route::run(&arguments).await,
        Command::CachedGuard(arguments) => cached_guard::run(&arguments).await,
        Command::SignIn(arguments) => sign_in::run(arguments).await,
        Command::Seed(arguments) => seed::run(&arguments).await,
        Command::Growth(arguments) => growth::run(&arguments).await,
        Command::Waiting(arguments) => waiting::run(arguments).await,
    }
}
