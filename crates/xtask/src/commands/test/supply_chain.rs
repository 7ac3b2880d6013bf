//! cargo-deny: licences, bans, sources and known vulnerabilities of the dependencies.
//!
//! Compiling it takes longer than all that it checks; Astral publishes the built program
//! on `PyPI`, and the lock file beside this crate pins its bytes. So comes pip-audit, too.

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
    let folder = pinned_tool(context, step, "cargo-deny")
        .context("`cargo install cargo-deny` is another way to get it")?;
    let mut command = Command::new(folder.join("bin/cargo-deny"));
    command
        .current_dir(context.workspace.root())
        // Its own subcommand name, as Cargo would pass it, is not needed when called directly.
        .args(["--color", "never", "--all-features"]);
    Ok(command)
}

/// Installs what the lock file `crates/xtask/<name>.txt` pins, apart from the packages of the
/// tests; returns where.
pub(super) fn pinned_tool(context: &Context, step: &Step, name: &str) -> anyhow::Result<PathBuf> {
    let lock = context.workspace.join(format!("crates/xtask/{name}.txt"));
    let folder = context.workspace.tools().join(name);
    let mut fingerprint = Fingerprint::default();
    fingerprint
        .add_file(&lock)
        // Some packages are compiled for one version of Python.
        .add_file(&context.workspace.venv().join("pyvenv.cfg"));
    let stamp = Stamp::new(folder.join(".installed"), fingerprint);
    if stamp.is_current() {
        return Ok(folder);
    }
    let mut install = Command::new(context.workspace.venv_program("python"));
    install
        .args(["-m", "pip", "install"])
        .args(["--disable-pip-version-check", "--no-input"])
        .args(["--require-hashes", "--no-deps", "--only-binary=:all:"])
        .args(["--upgrade", "--target"])
        .arg(&folder)
        .arg("--requirement")
        .arg(&lock);
    process::run(context, step, &mut install).with_context(|| format!("cannot install {name}"))?;
    stamp.write()?;
    Ok(folder)
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

    /// An exception or a ban (`{ … }`), or an ignored advisory, has its reason above it or
    /// above its neighbours of the same kind.
    #[test]
    fn each_exception_of_the_policy_has_its_reason_beside_it() {
        let context = Context::for_test();
        let policy = std::fs::read_to_string(context.workspace.join("deny.toml")).unwrap();
        assert_eq!(without_reason(&policy), [""; 0]);
        let ban = "{ crate = \"rsa\" },";
        assert_eq!(without_reason(&format!("deny = [\n{ban}\n]")), [ban]);
        let ignored = "\"RUSTSEC-2023-0071\",";
        assert_eq!(
            without_reason(&format!("ignore = [\n{ignored}\n]")),
            [ignored]
        );
        let reasoned = format!("deny = [\n# Marvin.\n{ban}\n{ban}\n]");
        assert_eq!(without_reason(&reasoned), [""; 0]);
        let inline = "ignore = [\"RUSTSEC-2023-0071\"]";
        assert_eq!(without_reason(inline), [inline]);
    }

    fn without_reason(policy: &str) -> Vec<&str> {
        let mut has_reason = false;
        let mut found = Vec::new();
        for line in policy.lines().map(str::trim) {
            let is_exception = line.starts_with('{') || line.contains("\"RUSTSEC-");
            if is_exception && !has_reason {
                found.push(line);
            }
            has_reason = line.starts_with('#') || (is_exception && has_reason);
        }
        found
    }
}
