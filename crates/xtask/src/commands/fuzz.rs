//! `cargo xtask fuzz`: the targets of `crates/fuzz` under libFuzzer, one after the other.
//!
//! With the stable compiler: instrumentation is a pass of LLVM and libFuzzer a library, so
//! neither `cargo fuzz` nor a nightly toolchain is needed, only a C++ compiler. The short
//! run with the same properties is part of the tests.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::context::Context;
use crate::process::{self, Finished};
use crate::progress::Step;

/// libFuzzer looks for new edges, and for values that come nearer to what is compared.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Clink-arg=-Wl,-z,nostart-stop-gc";
/// Build scripts and macros run here: a target of its own keeps the flags off them.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
/// No target looks at more.
const LONGEST_INPUT: u32 = 3000;

/// Options of `cargo xtask fuzz`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Names of targets (the folders of crates/fuzz/seeds); all without any
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// What libFuzzer says at the end of a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    executions: u64,
    per_second: u64,
    edges: u64,
    features: u64,
    corpus: u64,
}

/// Runs the targets; fails when one of them finds something.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let targets = select(context, &arguments.targets)?;
    let program = build(context)?;
    let mut table = String::new();
    let mut findings = Vec::new();
    for target in &targets {
        let step = context.progress.step(target);
        let finished = fuzz(context, &step, &program, target, arguments.seconds)?;
        let figures = Figures::read(&finished.output);
        let _infallible = writeln!(table, "{target:<16}{figures}");
        if finished.status.success() {
            step.done(figures.row());
        } else {
            step.say(process::last_lines(&finished.output, 40));
            findings.push(target.as_str());
        }
    }
    println!("\n{:<16}{HEADING}\n{table}", "target");
    if findings.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{} found something: the input is in {}; as a new seed in crates/fuzz/seeds the tests \
         try it, too",
        findings.join(", "),
        artefacts(context, findings[0]).display()
    );
    Ok(ExitCode::FAILURE)
}

/// Each target has a folder of seeds.
fn select(context: &Context, wanted: &[String]) -> anyhow::Result<Vec<String>> {
    let folder = seeds(context);
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        targets.push(entry?.file_name().to_string_lossy().into_owned());
    }
    targets.sort();
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        bail!("`{unknown}` is no target; there are {}", targets.join(", "));
    }
    targets.retain(|name| wanted.is_empty() || wanted.contains(name));
    Ok(targets)
}

fn seeds(context: &Context) -> PathBuf {
    context.workspace.join("crates/fuzz/seeds")
}

/// Apart from the other builds: its flags would make Cargo build all of them anew.
fn build_folder(context: &Context) -> PathBuf {
    context.workspace.target().join("fuzz")
}

fn artefacts(context: &Context, target: &str) -> PathBuf {
    build_folder(context).join("artefacts").join(target)
}

fn build(context: &Context) -> anyhow::Result<PathBuf> {
    let step = context.progress.step("fuzz build");
    let mut command = process::cargo(context.workspace.root());
    command
        .args(["build", "--package", "fuzz", "--features", "libfuzzer"])
        .args(["--profile", "fuzz", "--target", PLATFORM, "--target-dir"])
        .arg(build_folder(context))
        .env("RUSTFLAGS", INSTRUMENTATION);
    process::run(context, &step, &mut command)?;
    step.done("built");
    Ok(build_folder(context).join(PLATFORM).join("fuzz/fuzz"))
}

fn fuzz(
    context: &Context,
    step: &Step,
    program: &Path,
    target: &str,
    seconds: u32,
) -> anyhow::Result<Finished> {
    let corpus = build_folder(context).join("corpus").join(target);
    let artefacts = artefacts(context, target);
    for folder in [&corpus, &artefacts] {
        fs::create_dir_all(folder)?;
    }
    let mut command = Command::new(program);
    command
        .env("FUZZ_TARGET", target)
        .env("RUST_BACKTRACE", "0")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LONGEST_INPUT}"))
        .arg(format!("-artifact_prefix={}/", artefacts.display()))
        // One input that hangs for long is a finding as well, and so is one that hoards.
        .args(["-timeout=20", "-rss_limit_mb=1500", "-use_value_profile=1"])
        // What is found goes into the first folder.
        .arg(&corpus)
        .arg(seeds(context).join(target));
    process::run_to_end(context, step, &mut command)
}

const HEADING: &str = "  executions   a second   edges   features   corpus";

impl Figures {
    /// Reads the last line like `#2451 DONE   cov: 9 ft: 12 corp: 3/8b lim: 4 exec/s: 81 rss: 27Mb`.
    fn read(output: &str) -> Self {
        let lines = output.lines().rev();
        let mut lines = lines.filter(|line| line.starts_with('#') && line.contains(" cov: "));
        let Some(line) = lines.next() else {
            return Self::default();
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |name: &str| {
            let pair = words.windows(2).find(|pair| pair[0] == name);
            let number = pair.and_then(|pair| pair[1].split('/').next()?.parse().ok());
            number.unwrap_or(0)
        };
        let executions = words.first().and_then(|word| word[1..].parse().ok());
        Self {
            executions: executions.unwrap_or(0),
            per_second: after("exec/s:"),
            edges: after("cov:"),
            features: after("ft:"),
            corpus: after("corp:"),
        }
    }

    fn row(&self) -> String {
        format!(
            "{} executions, {} a second, {} edges, {} features",
            self.executions, self.per_second, self.edges, self.features
        )
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{:>12} {:>10} {:>7} {:>10} {:>8}",
            self.executions, self.per_second, self.edges, self.features, self.corpus
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_last_line() {
        let output = "INFO: Seed: 1\n\
            #2\tINITED cov: 7 ft: 7 corp: 1/1b exec/s: 0 rss: 27Mb\n\
            #2451\tDONE   cov: 91 ft: 120 corp: 30/8Kb lim: 4 exec/s: 81 rss: 27Mb\n\
            Done 2451 runs in 30 second(s)\n";
        let expected = Figures {
            executions: 2451,
            per_second: 81,
            edges: 91,
            features: 120,
            corpus: 30,
        };
        assert_eq!(Figures::read(output), expected);
        assert_eq!(Figures::read("Segmentation fault"), Figures::default());
    }

    #[test]
    fn a_target_that_does_not_exist_is_an_error_that_names_those_that_do() {
        let context = Context::for_test();
        assert!(select(&context, &[]).unwrap().len() > 5);
        let error = select(&context, &["no-such".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("callback"), "{error}");
    }
}
