//! The Python environment of demo and tests: `target/venv`, with the package installed
//! editable, and the versions that `python/requirements-dev.txt` pins.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::fingerprint::{Fingerprint, Stamp};
use crate::process;
use crate::progress::Step;

/// The oldest Python that the package supports.
const OLDEST: (u32, u32) = (3, 10);

/// What the environment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The package, Streamlit and httpx.
    Run,
    /// And the test tools.
    Test,
}

/// Makes the environment, unless it is there and current.
///
/// # Errors
/// When Python is missing or too old, or pip fails.
pub(crate) fn environment(context: &Context, purpose: Purpose) -> anyhow::Result<()> {
    let step = context.progress.step("python");
    let python = interpreter(context, &step)?;
    let full = stamp(context, &python, Purpose::Test);
    let stamp = stamp(context, &python, purpose);
    if stamp.is_current() || full.is_current() {
        step.done("unchanged");
        return Ok(());
    }
    step.say("installing packages into target/venv");
    let venv = context.workspace.venv();
    let mut create = Command::new(&python.program);
    create.args(["-m", "venv"]).arg(&venv);
    process::run(context, &step, &mut create)
        .context("cannot make target/venv (Debian: apt-get install python3-venv)")?;
    process::run(context, &step, &mut install(context, purpose))?;
    stamp.write()?;
    step.done("packages installed");
    Ok(())
}

fn install(context: &Context, purpose: Purpose) -> Command {
    let pins = context.workspace.join("python/requirements-dev.txt");
    let mut command = Command::new(context.workspace.venv_program("python"));
    command
        .current_dir(context.workspace.root())
        .args(["-m", "pip", "install", "--disable-pip-version-check"])
        .args(["--no-input", "--progress-bar=off", "--editable"])
        .arg(context.workspace.join("python"));
    match purpose {
        Purpose::Run => command.arg("--constraint"),
        Purpose::Test => command.arg("--requirement"),
    };
    command.arg(pins);
    command
}

fn stamp(context: &Context, python: &Interpreter, purpose: Purpose) -> Stamp {
    let mut fingerprint = Fingerprint::default();
    fingerprint
        .add("purpose", format!("{purpose:?}").as_bytes())
        .add("python", python.version.as_bytes())
        .add_file(&context.workspace.join("python/pyproject.toml"))
        .add_file(&context.workspace.join("python/requirements-dev.txt"));
    Stamp::new(
        context
            .workspace
            .venv()
            .join(format!(".installed-{purpose:?}")),
        fingerprint,
    )
}

struct Interpreter {
    program: PathBuf,
    version: String,
}

fn interpreter(context: &Context, step: &Step) -> anyhow::Result<Interpreter> {
    for name in ["python3", "python"] {
        let Some(program) = process::find_program(name) else {
            continue;
        };
        let mut query = Command::new(&program);
        query.arg("--version");
        let version = process::run(context, step, &mut query)?;
        if is_supported(&version) {
            return Ok(Interpreter { program, version });
        }
    }
    bail!(
        "Python {}.{} or newer is not on PATH (Debian: apt-get install python3 python3-venv)",
        OLDEST.0,
        OLDEST.1
    )
}

/// `Python 3.11.7` → whether that is new enough.
fn is_supported(version: &str) -> bool {
    let mut numbers = version
        .trim()
        .trim_start_matches("Python ")
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    let (major, minor) = (numbers.next(), numbers.next());
    (major.unwrap_or(0), minor.unwrap_or(0)) >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_supported("Python 3.10.0\n"));
        assert!(is_supported("Python 3.14.0rc2"));
        assert!(!is_supported("Python 3.9.19"));
        assert!(!is_supported("Python 2.7.18"));
        assert!(!is_supported("no such thing"));
    }
}
