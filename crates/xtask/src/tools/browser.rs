//! The machine's browsers, for tests.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::process;
use crate::progress::Step;

/// Debian's packages with the programs that they bring.
const PACKAGES: [(&str, &str); 2] = [("chromium", "chromium"), ("firefox-esr", "firefox-esr")];
const CHROMIUM_NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Installs the browsers that are missing, where that is possible.
///
/// # Errors
/// When one is missing and this is no Debian with a root user.
pub(crate) fn ensure(context: &Context, step: &Step) -> anyhow::Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, program)| process::find_program(program).is_none())
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if process::find_program("apt-get").is_none() || !rustix::process::geteuid().is_root() {
        bail!(
            "{names} missing: install it with the system's packages (Debian: sudo apt-get install {names})"
        );
    }
    step.say(format_args!("apt-get install {names}"));
    process::run(context, step, apt().arg("update"))?;
    let mut install = apt();
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&missing);
    process::run(context, step, &mut install)?;
    Ok(())
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg("--quiet")
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Headless Chromium with a fresh profile; the caller adds the URL.
///
/// # Errors
/// When there is none.
pub(crate) fn chromium(profile: &Path) -> anyhow::Result<Command> {
    let program = CHROMIUM_NAMES
        .iter()
        .find_map(|name| process::find_program(name))
        .context("Chromium is not on PATH (Debian: apt-get install chromium)")?;
    let mut command = Command::new(program);
    command
        .args([
            "--headless",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args(["--disable-sync", "--disable-dev-shm-usage"])
        .arg(format!("--user-data-dir={}", profile.display()));
    if rustix::process::geteuid().is_root() {
        // Chromium refuses its sandbox as root. It loads pages of this checkout only.
        command.arg("--no-sandbox");
    }
    Ok(command)
}
