//! Checks of the native crates.

use std::process::Command;

use super::counts::{Counts, closing_lines_of_cargo};
use super::outcomes::{Binaries, Outcomes};
use super::report::{Found, Verdict};
use super::security;
use super::selection::Selection;
use crate::commands::build::{self, ServerProfile};
use crate::context::Context;
use crate::process::{self, Finished};
use crate::progress::Step;

/// Lines of a failed run that are printed; `target/xtask-logs` has all.
const SHOWN: usize = 80;

/// The one optional feature there is.
const TRACE_EXPORT: [&str; 4] = ["--package", "server", "--features", "otel"];

/// What the ledger says of numbers is said of the whole numbers: with this the companion's
/// tests (`server/tests/it/harness/size.rs`) are not content with a part of them.
const FULL_SIZE: (&str, &str) = ("FULL_SIZE", "1");

/// The formatting of all crates.
pub(crate) fn format(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    let mut command = process::cargo(context.workspace.root());
    command.args(["fmt", "--all", "--check"]);
    process::run(context, step, &mut command)?;
    Ok(Verdict::passed())
}

/// The binaries that the end-to-end tests start.
pub(crate) fn servers(context: &Context, _: &Step) -> anyhow::Result<Verdict> {
    build::servers(context, ServerProfile::Dev)?;
    Ok(Verdict::passed())
}

/// Unit and integration tests of the default members: all but the frontend.
///
/// A selection runs within the same build: with `--package` Cargo would unify features
/// otherwise, and compile most of it once more.
pub(crate) fn tests(
    context: &Context,
    step: &Step,
    selection: &Selection,
) -> anyhow::Result<Verdict> {
    let mut build = cargo_test(context);
    build.args(["--no-run", "--message-format", "json-render-diagnostics"]);
    let binaries = Binaries::of_build(&process::run(context, step, &mut build)?);
    let mut list = cargo_test(context);
    list.args(["--", "--list"]);
    let listed = process::run(context, step, &mut list)?;
    // A test that a dying binary never came to must not be lost from what is judged.
    let mut outcomes = selection.of_existing(Outcomes::of_list(&listed, &binaries));
    let mut command = cargo_test(context);
    if !selection.is_all() {
        let names = outcomes.names();
        anyhow::ensure!(!names.is_empty(), "none of the named tests exists");
        command.args(["--", "--show-output", "--exact"]).args(names);
        command.env(FULL_SIZE.0, FULL_SIZE.1);
    }
    let finished = process::run_to_end(context, step, &mut command)?;
    outcomes.extend(Outcomes::of_cargo(&finished.output, &binaries));
    let (cases, unreadable_cases) = security::read_cases(&finished.output);
    let found = Found {
        outcomes,
        cases,
        unreadable_cases,
    };
    Ok(cargo_verdict(context, step, &finished)?.with(found))
}

fn cargo_test(context: &Context) -> Command {
    let mut command = process::cargo(context.workspace.root());
    command.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    command
}

/// The examples in doc comments; a workspace without any is fine.
pub(crate) fn documentation_tests(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    let mut command = process::cargo(context.workspace.root());
    command.args(["test", "--no-fail-fast", "--doc"]);
    let finished = process::run_to_end(context, step, &mut command)?;
    if finished.status.success() && Counts::of_cargo(&finished.output).passed == 0 {
        return Ok(Verdict::passed());
    }
    cargo_verdict(context, step, &finished)
}

/// What the companion's feature `otel` adds, which no other check compiles.
pub(crate) fn trace_export(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    let mut command = process::cargo(context.workspace.root());
    command
        .args(["test", "--no-fail-fast", "--test", "it"])
        .args(TRACE_EXPORT)
        .arg("telemetry");
    let finished = process::run_to_end(context, step, &mut command)?;
    // The tests have put a companion with the feature where the end-to-end tests take theirs.
    build::servers(context, ServerProfile::Dev)?;
    cargo_verdict(context, step, &finished)
}

/// Clippy with the workspace's lints, warnings denied.
pub(crate) fn lints(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    for features in [&[][..], &TRACE_EXPORT] {
        let mut command = process::cargo(context.workspace.root());
        command
            .args(["clippy", "--all-targets"])
            .args(features)
            .args(["--", "-D", "warnings"]);
        process::run(context, step, &mut command)?;
    }
    Ok(Verdict::passed())
}

/// The verdict on a `cargo test`.
pub(crate) fn cargo_verdict(
    context: &Context,
    step: &Step,
    finished: &Finished,
) -> anyhow::Result<Verdict> {
    let log = keep_log(context, step, &finished.output)?;
    let counts = Counts::of_cargo(&finished.output);
    if finished.status.success() {
        let closing: Vec<&str> = closing_lines_of_cargo(&finished.output)
            .filter(|line| !line.contains(" 0 passed; 0 failed"))
            .collect();
        return Ok(Verdict::counted(counts, closing.join("\n")));
    }
    Ok(Verdict::failed_with(
        counts,
        failure(&finished.output, &log),
    ))
}

/// The failed tests' own words come first in Cargo's output, and its list of them last.
fn failure(output: &str, log: &str) -> String {
    format!("{}\nall of it: {log}", process::last_lines(output, SHOWN))
}

/// Keeps the whole output of a check; returns where.
pub(crate) fn keep_log(context: &Context, step: &Step, output: &str) -> anyhow::Result<String> {
    let folder = context.workspace.logs();
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.log", step.name().replace([' ', ','], "-")));
    std::fs::write(&path, output)?;
    Ok(path.display().to_string())
}
