//! The end-to-end tests: everything real, in the machine's browsers.

use std::process::Command;

use super::python::{BROWSERS, pytest};
use super::report::Verdict;
use super::selection::Selection;
use crate::context::Context;
use crate::progress::Step;
use crate::tools::{browser, npm, servers};

/// Two cores: each test runs four servers and a browser.
const WORKERS: &str = "2";

/// The machine's browsers.
pub(crate) fn install(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    browser::ensure(context, step)?;
    Ok(Verdict::passed())
}

/// The machine's Redis and nginx.
pub(crate) fn install_servers(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    servers::ensure(context, step)?;
    Ok(Verdict::passed())
}

/// Every test by name, against the binaries of `target/debug`, `dist/` and `target/trunk`.
pub(crate) fn end_to_end(
    context: &Context,
    step: &Step,
    selection: &Selection,
) -> anyhow::Result<Verdict> {
    let provider = context.workspace.join("e2e/provider");
    npm::install(context, step, &provider, &provider)?;
    let mut command = Command::new(context.workspace.venv_program("pytest"));
    command
        .current_dir(context.workspace.root())
        .args(["--verbose", "-n", WORKERS])
        // Real browsers on a busy machine stumble: a test that fails is tried once more, and
        // the summary names it (R). What is broken fails twice.
        .args(["--reruns", "1", "-r", "fEsR"]);
    pytest(context, step, &mut command, &BROWSERS, selection)
}
