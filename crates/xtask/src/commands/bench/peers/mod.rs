//! What others offer for the same job, from the registries, in the same run.

pub(super) mod apache;
pub(super) mod flask;
pub(super) mod native;

use std::path::PathBuf;
use std::process::Command;

use super::Bench;
use crate::fingerprint::{Fingerprint, Stamp};
use crate::process;
use crate::progress::Step;
use crate::tools::python::{self, Purpose};

/// Flask, gunicorn, `PyJWT` and Authlib beside the packages of `target/venv`, which they must
/// not change: a folder for `PYTHONPATH`.
///
/// # Errors
/// When pip fails.
pub(super) fn python_packages(bench: &Bench<'_>, step: &Step) -> anyhow::Result<PathBuf> {
    python::environment(bench.context, Purpose::Test)?;
    let workspace = &bench.context.workspace;
    let pins = workspace.join("bench/peers/requirements.txt");
    let folder = workspace.target().join("bench/peers");
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_file(&pins);
    let stamp = Stamp::new(folder.join(".installed"), fingerprint);
    if !stamp.is_current() {
        step.say("installing the Python peers");
        let mut command = Command::new(workspace.venv_program("python"));
        command
            .args(["-m", "pip", "install", "--disable-pip-version-check"])
            .args(["--no-input", "--progress-bar=off", "--upgrade", "--target"])
            .arg(&folder)
            .arg("--requirement")
            .arg(&pins);
        process::run(bench.context, step, &mut command)?;
        stamp.write()?;
    }
    Ok(folder)
}
