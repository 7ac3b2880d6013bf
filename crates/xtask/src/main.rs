//! Developer commands: `cargo xtask build | demo | dev | test`.
//!
//! Only the command line lives here; one file per command is in [`commands`].
//! Nothing of the product may depend on this crate.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool: standard output is its user interface"
)]

mod commands;
mod context;
mod fingerprint;
mod frontend_build;
mod interrupt;
mod ports;
mod process;
mod progress;
mod readiness;
mod services;
mod tools;
mod wasm_bindgen_cli;
mod wasm_tests;
mod workspace;

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::context::Context;

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Developer commands of Component Auth0.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure what the design has bars for, and print one table
    Bench(commands::bench::Arguments),
    /// Build the frontend into `dist/` and the two servers
    Build(commands::build::Arguments),
    /// Build and start everything for a person to sign in; Ctrl-C stops it
    Demo(commands::demo::Arguments),
    /// The edit loop: the demo with the frontend rebuilt by Trunk on each save
    Dev(commands::dev::Arguments),
    /// Look for inputs that break a property, with libFuzzer
    Fuzz(commands::fuzz::Arguments),
    /// Tell what each crate costs in the frontend's WASM
    WasmSize,
    /// Run every check: formatting, lints, tests, browsers, packages, licences
    Test(commands::test::Arguments),
    /// Runner that Cargo calls for a wasm32 test binary
    #[command(hide = true)]
    WasmTests(wasm_tests::Arguments),
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    // Trunk looks for an executable of this name on PATH: `dev` links one to this binary.
    let outcome = if called_as(&arguments, "wasm-bindgen") {
        wasm_bindgen_cli::run(&arguments)
    } else {
        run(Cli::parse_from(arguments))
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn called_as(arguments: &[OsString], name: &str) -> bool {
    arguments
        .first()
        .and_then(|program| Path::new(program).file_stem())
        .is_some_and(|stem| stem == name)
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let context = Context::new()?;
    let outcome = match cli.command {
        Command::Bench(arguments) => commands::bench::run(&context, &arguments),
        Command::Build(arguments) => commands::build::run(&context, &arguments),
        Command::Demo(arguments) => commands::demo::run(&context, &arguments),
        Command::WasmSize => commands::wasm_size::run(&context),
        Command::Dev(arguments) => commands::dev::run(&context, &arguments),
        Command::Fuzz(arguments) => commands::fuzz::run(&context, &arguments),
        Command::Test(arguments) => commands::test::run(&context, &arguments),
        Command::WasmTests(arguments) => wasm_tests::run(&context, &arguments),
    };
    if context.interrupt.requested() && outcome.is_err() {
        eprintln!("stopped");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    outcome
}
