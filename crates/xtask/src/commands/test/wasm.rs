//! Checks of the frontend.

use anyhow::Context as _;

use super::outcomes::Outcomes;
use super::report::{Found, Verdict};
use super::rust::cargo_verdict;
use super::security::reference::{FRONTEND, FRONTEND_IN_CHROMIUM};
use super::selection::Selection;
use crate::context::Context;
use crate::frontend_build::{self, Profile};
use crate::process;
use crate::progress::Step;
use crate::tools::{npm, rust_target, trunk};

/// The release build.
pub(crate) fn build(context: &Context, _: &Step) -> anyhow::Result<Verdict> {
    frontend_build::run(context, Profile::Release)?;
    Ok(Verdict::passed())
}

/// The bytes and requests that loading the release build costs.
pub(crate) fn budget(context: &Context, _: &Step) -> anyhow::Result<Verdict> {
    let cost = frontend_build::run(context, Profile::Release)?;
    cost.check().context(cost.report())?;
    Ok(Verdict::passed_with(cost.report()))
}

/// Clippy for the target that the frontend is made for.
pub(crate) fn lints(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    rust_target::ensure_wasm(context, step)?;
    let mut command = process::cargo(context.workspace.root());
    command
        .args(["clippy", "--package", "frontend", "--all-targets"])
        .args(["--target", rust_target::WASM, "--target-dir"])
        .arg(context.workspace.frontend_target())
        .args(["--", "-D", "warnings"]);
    process::run(context, step, &mut command)?;
    Ok(Verdict::passed())
}

/// The frontend's logic, which knows no browser. Runs whole: it takes a second.
pub(crate) fn native_tests(
    context: &Context,
    step: &Step,
    _: &Selection,
) -> anyhow::Result<Verdict> {
    let mut command = process::cargo(context.workspace.root());
    command
        .args([
            "test",
            "--package",
            "frontend",
            "--no-fail-fast",
            "--lib",
            "--tests",
        ])
        .arg("--target-dir")
        .arg(context.workspace.frontend_target());
    let finished = process::run_to_end(context, step, &mut command)?;
    Ok(cargo_verdict(context, step, &finished)?.with(found(&finished.output, FRONTEND)))
}

/// The frontend's tests that need a browser, in Chromium. They run whole, too.
pub(crate) fn browser_tests(
    context: &Context,
    step: &Step,
    _: &Selection,
) -> anyhow::Result<Verdict> {
    rust_target::ensure_wasm(context, step)?;
    let runner = format!("{} wasm-tests", context.executable.display());
    let mut command = process::cargo(context.workspace.root());
    command
        .args([
            "test",
            "--package",
            "frontend",
            "--no-fail-fast",
            "--lib",
            "--tests",
        ])
        .args(["--target", rust_target::WASM, "--target-dir"])
        .arg(context.workspace.frontend_target())
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner);
    let finished = process::run_to_end(context, step, &mut command)?;
    let found = found(&finished.output, FRONTEND_IN_CHROMIUM);
    Ok(cargo_verdict(context, step, &finished)?.with(found))
}

fn found(output: &str, suite: &str) -> Found {
    Found {
        outcomes: Outcomes::of_suite(output, suite),
        ..Found::default()
    }
}

/// What the README promises to those who prefer Trunk: `trunk build` works.
pub(crate) fn trunk_build(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    let trunk = trunk::ensure(context, &npm::frontend_tools(context))?;
    let mut command = trunk.command(context);
    command.args(["build", "--release"]);
    process::run(context, step, &mut command)?;
    Ok(Verdict::passed())
}
