//! A `wasm-bindgen` executable for Trunk, on the library that is compiled in already.
//!
//! Trunk runs the program of exactly the frontend's version from `PATH`, else it downloads
//! one. Compiling the real one takes minutes; this knows the options that Trunk passes and
//! refuses all others.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use wasm_bindgen_cli_support::Bindgen;

/// The version that `Cargo.toml` pins for the library and the frontend alike.
const VERSION: &str = "0.2.130";

#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags of another program's command line"
)]
#[derive(Parser)]
#[command(name = "wasm-bindgen", version = VERSION)]
struct Arguments {
    /// The wasm that Cargo built
    input: PathBuf,
    #[arg(long, value_enum)]
    target: Target,
    #[arg(long)]
    out_dir: PathBuf,
    #[arg(long)]
    out_name: Option<String>,
    #[arg(long)]
    no_typescript: bool,
    #[arg(long)]
    debug: bool,
    #[arg(long)]
    keep_debug: bool,
    #[arg(long)]
    no_demangle: bool,
    /// Found in the wasm by itself
    #[arg(long)]
    reference_types: bool,
    /// Found at run time by itself
    #[arg(long)]
    weak_refs: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    Web,
    NoModules,
}

/// Answers `--version`, or generates the bindings.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse_from(arguments);
    let mut bindgen = Bindgen::new();
    match arguments.target {
        Target::Web => bindgen.web(true)?,
        Target::NoModules => bindgen.no_modules(true)?,
    };
    if let Some(name) = &arguments.out_name {
        bindgen.out_name(name);
    }
    bindgen
        .input_path(&arguments.input)
        .typescript(!arguments.no_typescript)
        .debug(arguments.debug)
        .keep_debug(arguments.keep_debug)
        .demangle(!arguments.no_demangle)
        .generate(&arguments.out_dir)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_version_is_the_one_that_cargo_pins() {
        let manifest = include_str!("../Cargo.toml");
        assert!(manifest.contains(&format!("wasm-bindgen-cli-support = \"={VERSION}\"")));
        let version = Arguments::command().render_version();
        assert_eq!(version.trim(), format!("wasm-bindgen {VERSION}"));
    }

    #[test]
    fn takes_the_options_that_trunk_passes() {
        let arguments = Arguments::try_parse_from([
            "wasm-bindgen",
            "--target=web",
            "--out-dir=/tmp/stage",
            "--out-name=frontend-0123",
            "target/frontend.wasm",
            "--no-typescript",
        ]);
        assert!(arguments.is_ok_and(|arguments| arguments.no_typescript));
    }
}
