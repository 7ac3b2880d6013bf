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
        .args(tries(selection));
    pytest(context, step, &mut command, &BROWSERS, selection)
}

/// Real browsers on a busy machine stumble: in the run of everything a test that fails is
/// tried once more, and the summary and the ledger's verdict name it. Tests of the security
/// catalogue by themselves have one try: an attack that succeeds once in two succeeds.
fn tries(selection: &Selection) -> &'static [&'static str] {
    if selection.is_all() {
        &["--reruns", "1", "-r", "fEsR"]
    } else {
        &["--reruns", "0", "-r", "fEs"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_of_the_security_catalogue_are_not_tried_again() {
        let reruns = |selection| tries(&selection)[..2].join(" ");
        assert_eq!(reruns(Selection::Named(Vec::new())), "--reruns 0");
        assert_eq!(reruns(Selection::All), "--reruns 1");
    }
}
