//! Trunk, for the edit loop and for `trunk build`.
//!
//! It must find `wasm-bindgen` of the pinned version and a sound `wasm-opt` on `PATH`, else
//! it downloads them: both are put there from what this checkout has already.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use super::npm::FrontendTools;
use crate::context::Context;
use crate::process;

/// 0.22 needs a newer Rust than this workspace does.
const VERSION: &str = "0.21.14";

/// Trunk with the folders that it needs on `PATH`.
pub(crate) struct Trunk {
    program: PathBuf,
    path: OsString,
}

impl Trunk {
    /// A call of Trunk in the workspace.
    pub(crate) fn command(&self, context: &Context) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(context.workspace.root())
            .env("PATH", &self.path)
            .env("CARGO_TARGET_DIR", context.workspace.frontend_target())
            .env("NO_COLOR", "true");
        command
    }
}

/// Compiles Trunk when this checkout has none.
///
/// # Errors
/// When Cargo cannot install it.
pub(crate) fn ensure(context: &Context, tools: &FrontendTools) -> anyhow::Result<Trunk> {
    let root = context.workspace.tools();
    let program = root.join("bin/trunk");
    let step = context.progress.step("trunk");
    let installed = program.is_file()
        && process::run(context, &step, Command::new(&program).arg("--version"))?.contains(VERSION);
    if !installed {
        step.say("compiling Trunk, once: several minutes (`cargo xtask demo` does without)");
        process::run(context, &step, &mut install(context))?;
        step.done("installed in target/tools");
    }
    let own = root.join("trunk-path");
    fs::create_dir_all(&own)?;
    link(&context.executable, &own.join("wasm-bindgen"))?;
    if let Some(wasm_opt) = &tools.wasm_opt {
        link(&wasm_opt.program, &own.join("wasm-opt"))?;
    }
    let before = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([own].into_iter().chain(env::split_paths(&before)))?;
    Ok(Trunk { program, path })
}

/// Unoptimized and without its update check: half the time, and Trunk mostly waits for Cargo.
fn install(context: &Context) -> Command {
    let mut command = process::cargo(context.workspace.root());
    command
        .args([
            "install",
            "trunk",
            "--version",
            VERSION,
            "--locked",
            "--debug",
        ])
        .args(["--no-default-features", "--features", "rustls", "--root"])
        .arg(context.workspace.tools())
        .arg("--target-dir")
        .arg(context.workspace.target().join("trunk-build"))
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    command
}

fn link(target: &std::path::Path, link: &std::path::Path) -> anyhow::Result<()> {
    if fs::symlink_metadata(link).is_ok() {
        fs::remove_file(link)?;
    }
    symlink(target, link).with_context(|| format!("cannot link {}", link.display()))
}
