//! The machine's browsers, for tests.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::packages::{self, Package};
use crate::context::Context;
use crate::process;
use crate::progress::Step;

const PACKAGES: [Package; 4] = [
    browser("chromium", "chromium"),
    browser("firefox-esr", "firefox-esr"),
    // Safari's engine with its driver, and the screen that it wants: 60 MB together.
    browser("webkit2gtk-driver", "WebKitWebDriver"),
    browser("xvfb", "xvfb-run"),
];
const CHROMIUM_NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Installs the browsers that are missing, where that is possible.
///
/// # Errors
/// When one is missing and this is no Debian with a root user.
pub(crate) fn ensure(context: &Context, step: &Step) -> anyhow::Result<()> {
    packages::ensure(context, step, &PACKAGES)
}

const fn browser(name: &'static str, program: &'static str) -> Package {
    Package {
        name,
        program,
        service: None,
    }
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
