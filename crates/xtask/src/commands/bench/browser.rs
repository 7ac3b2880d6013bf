//! Runs the scripts of `bench/` that drive the machine's Chromium.

use std::path::Path;
use std::process::Command;

use super::Bench;
use super::samples::Samples;
use crate::process;
use crate::progress::Step;
use crate::tools::browser;
use crate::tools::python::{self, Purpose};

/// Runs `bench/<script>` with the binaries under test; further packages come from `extra`.
///
/// # Errors
/// When the browser or a package cannot be installed, or the script fails.
pub(super) fn script(
    bench: &Bench<'_>,
    step: &Step,
    script: &str,
    arguments: &[String],
    extra: Option<&Path>,
) -> anyhow::Result<Samples> {
    browser::ensure(bench.context, step)?;
    python::environment(bench.context, Purpose::Test)?;
    let workspace = &bench.context.workspace;
    let mut command = Command::new(workspace.venv_program("python"));
    command
        .current_dir(workspace.root())
        .arg(workspace.join("bench").join(script))
        .args(arguments)
        .env("COMPONENT_AUTH0_BIN", bench.binary("component-auth0"))
        .env("REMOTE_API_BIN", bench.binary("remote-api"))
        .env("STATIC_DIR", workspace.dist())
        .env("BENCH_FOLDER", bench.folder("browser"));
    if let Some(extra) = extra {
        command.env("PYTHONPATH", extra);
    }
    Samples::parse(&process::run(bench.context, step, &mut command)?)
}
