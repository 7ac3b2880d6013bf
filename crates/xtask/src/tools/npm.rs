//! esbuild and wasm-opt from npm, installed under `target/tools/npm`.
//!
//! Only exact versions of `crates/xtask/npm/package-lock.json`, and no install scripts.
//! Never a `wasm-opt` from `PATH`: Debian's 108 rewrites the table of external references
//! and leaves a blank page, without a word.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::context::Context;
use crate::fingerprint::{Fingerprint, Stamp};
use crate::process;
use crate::progress::Step;

/// The first version that keeps the externref table (fixed upstream).
const OLDEST_WASM_OPT: u32 = 110;

/// The optional helpers of the frontend build.
#[derive(Debug, Default)]
pub(crate) struct FrontendTools {
    pub(crate) esbuild: Option<Tool>,
    pub(crate) wasm_opt: Option<Tool>,
}

/// A program with its version.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) program: PathBuf,
    version: String,
}

impl FrontendTools {
    /// Which tools of which version: another set gives other bytes.
    pub(crate) fn describe(&self) -> String {
        let version = |tool: &Option<Tool>| {
            tool.as_ref()
                .map_or("none".to_owned(), |tool| tool.version.clone())
        };
        format!(
            "esbuild {}, wasm-opt {}",
            version(&self.esbuild),
            version(&self.wasm_opt)
        )
    }
}

/// Installs what is missing; without npm the frontend still builds, only larger.
pub(crate) fn frontend_tools(context: &Context) -> FrontendTools {
    let step = context.progress.step("npm tools");
    let installed = install_frontend_tools(context, &step);
    installed.unwrap_or_else(|error| {
        step.say(format_args!(
            "building without minification, the size budget will not hold: {error:#}"
        ));
        FrontendTools::default()
    })
}

fn install_frontend_tools(context: &Context, step: &Step) -> anyhow::Result<FrontendTools> {
    let folder = context.workspace.tools().join("npm");
    install(
        context,
        step,
        &context.workspace.join("crates/xtask/npm"),
        &folder,
    )?;
    let program = |name: &str| folder.join("node_modules/.bin").join(name);
    let wasm_opt = tool(context, step, program("wasm-opt"))?;
    let release = wasm_opt_release(&wasm_opt.version)?;
    ensure!(
        release >= OLDEST_WASM_OPT,
        "wasm-opt {release} breaks the page, {OLDEST_WASM_OPT} is the oldest that works"
    );
    Ok(FrontendTools {
        esbuild: Some(tool(context, step, program("esbuild"))?),
        wasm_opt: Some(wasm_opt),
    })
}

/// Installs the locked packages of `source` into `folder`, unless they are there.
///
/// # Errors
/// When npm is missing or fails.
pub(crate) fn install(
    context: &Context,
    step: &Step,
    source: &Path,
    folder: &Path,
) -> anyhow::Result<()> {
    let manifests = ["package.json", "package-lock.json"];
    let mut fingerprint = Fingerprint::default();
    for manifest in manifests {
        fingerprint.add_file(&source.join(manifest));
    }
    let stamp = Stamp::new(folder.join("node_modules/.installed"), fingerprint);
    if stamp.is_current() {
        return Ok(());
    }
    ensure!(
        process::find_program("npm").is_some(),
        "npm is not on PATH: install Node.js 18 or newer (Debian: apt-get install nodejs npm)"
    );
    step.say("installing the locked packages");
    fs::create_dir_all(folder)?;
    if source != folder {
        for manifest in manifests {
            fs::copy(source.join(manifest), folder.join(manifest))
                .with_context(|| format!("cannot copy {manifest} of {}", source.display()))?;
        }
    }
    let mut command = Command::new("npm");
    command.current_dir(folder).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    process::run(context, step, &mut command)?;
    stamp.write()
}

fn tool(context: &Context, step: &Step, program: PathBuf) -> anyhow::Result<Tool> {
    let version = process::run(context, step, Command::new(&program).arg("--version"))?;
    Ok(Tool {
        program,
        version: version.trim().to_owned(),
    })
}

/// `wasm-opt version 132 (version_132)` → 132.
fn wasm_opt_release(version: &str) -> anyhow::Result<u32> {
    version
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .with_context(|| format!("cannot read the version of wasm-opt in `{version}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_release_of_wasm_opt() {
        assert_eq!(wasm_opt_release("wasm-opt version 108").unwrap(), 108);
        assert_eq!(
            wasm_opt_release("wasm-opt version 132 (version_132)").unwrap(),
            132
        );
        assert!(wasm_opt_release("something else").is_err());
    }
}
