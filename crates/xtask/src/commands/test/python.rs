//! Checks of the Python package.

use std::process::Command;

use super::counts::{Counts, closing_line_of_pytest};
use super::outcomes::Outcomes;
use super::report::{Found, Verdict};
use super::rust::keep_log;
use super::security::reference::{END_TO_END, PYTHON};
use super::selection::Selection;
use crate::context::Context;
use crate::process;
use crate::progress::Step;
use crate::tools::python::{self, Purpose};

/// Lines of a failed run that are printed; `target/xtask-logs` has all.
const SHOWN: usize = 120;

/// Where Python is.
const FOLDERS: [&str; 3] = ["python", "e2e", "bench"];

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
pub(crate) fn tests(
    context: &Context,
    step: &Step,
    selection: &Selection,
) -> anyhow::Result<Verdict> {
    let mut command = tool(context, "python", "pytest");
    command.args(["--verbose", "-n", "auto"]);
    pytest(context, step, &mut command, &PACKAGE, selection)
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

/// Tests that pytest runs.
pub(crate) struct Suite {
    /// As the ledger of the security catalogue names it.
    pub(crate) name: &'static str,
    /// Where the tests are, seen from where pytest runs.
    folder: &'static str,
    /// Whether the report names every test that passed.
    is_told: bool,
}

const PACKAGE: Suite = Suite {
    name: PYTHON,
    folder: "tests",
    is_told: false,
};
pub(crate) const BROWSERS: Suite = Suite {
    name: END_TO_END,
    folder: "e2e",
    is_told: true,
};

/// Runs a verbose pytest on what is selected; reads its closing line, and each test's.
pub(crate) fn pytest(
    context: &Context,
    step: &Step,
    command: &mut Command,
    suite: &Suite,
    selection: &Selection,
) -> anyhow::Result<Verdict> {
    let mut outcomes = selection.of_existing(collect(context, step, command, suite)?);
    if selection.is_all() {
        command.arg(suite.folder);
    } else {
        // Those that exist: for one that does not, pytest would run none.
        let names = outcomes.names();
        anyhow::ensure!(!names.is_empty(), "none of the named tests exists");
        command.args(names.iter().map(|name| format!("{}/{name}", suite.folder)));
    }
    let finished = process::run_to_end(context, step, command)?;
    outcomes.extend(Outcomes::of_pytest(&finished.output, suite.name));
    let log = keep_log(context, step, &finished.output)?;
    let counts = Counts::of_pytest(&finished.output);
    let verdict = if finished.status.success() {
        let lines = finished.output.lines();
        let lines: Vec<&str> = lines
            .filter(|line| suite.is_told && line.contains("::"))
            .chain(closing_line_of_pytest(&finished.output))
            .collect();
        Verdict::counted(counts, lines.join("\n"))
    } else {
        let tail = process::last_lines(&finished.output, SHOWN);
        Verdict::failed_with(counts, format!("{tail}\nall of it: {log}"))
    };
    Ok(verdict.with(Found {
        outcomes,
        ..Found::default()
    }))
}

/// The tests that exist.
fn collect(
    context: &Context,
    step: &Step,
    command: &Command,
    suite: &Suite,
) -> anyhow::Result<Outcomes> {
    let mut collect = Command::new(command.get_program());
    if let Some(directory) = command.get_current_dir() {
        collect.current_dir(directory);
    }
    collect.args(["--collect-only", "--quiet", suite.folder]);
    let collected = process::run(context, step, &mut collect)?;
    Ok(Outcomes::of_collection(&collected, suite.name))
}

fn tool(context: &Context, folder: &str, name: &str) -> Command {
    let mut command = Command::new(context.workspace.venv_program(name));
    command.current_dir(context.workspace.join(folder));
    command
}
