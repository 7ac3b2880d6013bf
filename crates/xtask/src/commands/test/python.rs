//! Checks of the Python package.

use std::process::Command;

use super::counts::{Counts, closing_line_of_pytest};
use super::report::Verdict;
use super::rust::keep_log;
use crate::context::Context;
use crate::process;
use crate::progress::Step;
use crate::tools::python::{self, Purpose};

/// Lines of a failed run that are printed; `target/xtask-logs` has all.
const SHOWN: usize = 120;

/// Where Python is.
const FOLDERS: [&str; 2] = ["python", "e2e"];

/// The environment with the test tools.
pub(crate) fn environment(context: &Context, _: &Step) -> anyhow::Result<Verdict> {
    python::environment(context, Purpose::Test)?;
    Ok(Verdict::passed())
}

/// Ruff's lints and formatting, of the package and the end-to-end tests.
pub(crate) fn lints(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    for folder in FOLDERS {
        for arguments in [&["check", "."][..], &["format", "--check", "."]] {
            process::run(context, step, tool(context, folder, "ruff").args(arguments))?;
        }
    }
    Ok(Verdict::passed())
}

/// `mypy --strict`, as each folder's `pyproject.toml` configures it.
pub(crate) fn types(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    for folder in FOLDERS {
        process::run(context, step, tool(context, folder, "mypy").arg("--strict"))?;
    }
    Ok(Verdict::passed())
}

/// The package's own tests.
pub(crate) fn tests(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    let mut command = tool(context, "python", "pytest");
    command.args(["-n", "auto"]);
    pytest(context, step, &mut command)
}

/// The wheel that would be published.
pub(crate) fn wheel(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    let folder = context.workspace.target().join("wheel");
    let mut command = tool(context, "python", "python");
    command
        .args(["-m", "build", "--wheel", "--outdir"])
        .arg(&folder);
    process::run(context, step, &mut command)?;
    Ok(Verdict::passed())
}

/// Runs pytest and reads its closing line; of a verbose run the tests' names as well.
pub(crate) fn pytest(
    context: &Context,
    step: &Step,
    command: &mut Command,
) -> anyhow::Result<Verdict> {
    let finished = process::run_to_end(context, step, command)?;
    let log = keep_log(context, step, &finished.output)?;
    let counts = Counts::of_pytest(&finished.output);
    if finished.status.success() {
        let named = finished.output.lines().filter(|line| line.contains("::"));
        let lines: Vec<&str> = named
            .chain(closing_line_of_pytest(&finished.output))
            .collect();
        return Ok(Verdict::counted(counts, lines.join("\n")));
    }
    let tail = process::last_lines(&finished.output, SHOWN);
    Ok(Verdict::failed_with(
        counts,
        format!("{tail}\nall of it: {log}"),
    ))
}

fn tool(context: &Context, folder: &str, name: &str) -> Command {
    let mut command = Command::new(context.workspace.venv_program(name));
    command.current_dir(context.workspace.join(folder));
    command
}
