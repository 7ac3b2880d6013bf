//! The wasm32 target of the Rust toolchain.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::context::Context;
use crate::process;
use crate::progress::Step;

/// The target of the frontend.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// Adds the target when the toolchain lacks it.
///
/// # Errors
/// When it is missing and rustup cannot add it.
pub(crate) fn ensure_wasm(context: &Context, step: &Step) -> anyhow::Result<()> {
    let mut query = Command::new("rustc");
    query.current_dir(context.workspace.root()).args([
        "--print",
        "target-libdir",
        "--target",
        WASM,
    ]);
    let folder = process::run(context, step, &mut query)?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    step.say(format_args!("adding the {WASM} target"));
    let mut add = Command::new("rustup");
    add.current_dir(context.workspace.root())
        .args(["target", "add", WASM]);
    process::run(context, step, &mut add).with_context(|| {
        format!(
            "the Rust toolchain has no {WASM} target: install it with your toolchain's packages"
        )
    })?;
    Ok(())
}
