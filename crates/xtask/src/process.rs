//! Runs one program to its end: quietly while it works, in full when it fails.

use std::collections::VecDeque;
use std::env;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::progress::Step;

/// How much of a failed program's output is shown; the log file has all of it.
const TAIL: usize = 60;

/// How a program ended, and all that it said.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
}

/// Runs `command` within `step`; anything but success is an error that shows the output's end.
///
/// # Errors
/// When the program cannot be started, fails, or a stop was asked.
pub(crate) fn run(context: &Context, step: &Step, command: &mut Command) -> anyhow::Result<String> {
    let finished = run_to_end(context, step, command)?;
    if !finished.status.success() {
        bail!(
            "`{}` ended with {}; its last lines:\n{}",
            display(command),
            finished.status,
            last_lines(&finished.output, TAIL)
        );
    }
    Ok(finished.output)
}

/// Runs `command` within `step` and leaves the judgement of its exit status to the caller.
///
/// # Errors
/// When the program cannot be started, or a stop was asked.
pub(crate) fn run_to_end(
    context: &Context,
    step: &Step,
    command: &mut Command,
) -> anyhow::Result<Finished> {
    // One pipe for both streams, so that lines stay in the order in which they were said:
    // Cargo names a test binary on one of them, and the binary its tests on the other.
    let (reader, writer) = io::pipe().context("cannot make a pipe")?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let started = start(context, command);
    // `command` holds the writing end: as long as it does, the pipe has no end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = started?;
    let mut output = String::new();
    each_line(Some(reader), |line| {
        step.heard(line);
        output.push_str(line);
        output.push('\n');
    });
    let status = child.wait().context("cannot wait for a child")?;
    context.interrupt.release(child.id());
    if context.interrupt.requested() {
        bail!("stopped");
    }
    Ok(Finished { status, output })
}

/// Starts `command` in a process group of its own, its output piped.
///
/// # Errors
/// When the program cannot be started.
pub(crate) fn spawn(context: &Context, command: &mut Command) -> anyhow::Result<Child> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    start(context, command)
}

fn start(context: &Context, command: &mut Command) -> anyhow::Result<Child> {
    // `cargo run` describes this package in the environment of this process; a build
    // script that watches these names would rebuild at each change of who calls it.
    for (name, _) in env::vars_os() {
        if is_package_variable(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    let child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start `{}`", display(command)))?;
    context.interrupt.adopt(child.id());
    Ok(child)
}

/// Hands each line of a stream on, until its end.
pub(crate) fn each_line(stream: Option<impl Read>, mut hear: impl FnMut(&str)) {
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(read) if read > 0) {
        hear(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
        bytes.clear();
    }
}

/// The last `count` lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let mut tail: VecDeque<&str> = VecDeque::with_capacity(count);
    for line in text.lines() {
        if tail.len() == count {
            tail.pop_front();
        }
        tail.push_back(line);
    }
    Vec::from(tail).join("\n")
}

/// The command as a person would type it.
pub(crate) fn display(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// The Cargo that runs us, so that a toolchain override holds for the builds too.
pub(crate) fn cargo(directory: &Path) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command
        .current_dir(directory)
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "never");
    command
}

/// Looks for a program in the folders of `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

fn is_package_variable(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || name == "CARGO_PRIMARY_PACKAGE"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_end_and_not_the_beginning() {
        assert_eq!(last_lines("a\nb\nc", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }

    #[test]
    fn only_variables_that_describe_a_package_are_dropped() {
        assert!(is_package_variable("CARGO_PKG_VERSION"));
        assert!(is_package_variable("CARGO_MANIFEST_DIR"));
        assert!(!is_package_variable("CARGO_HOME"));
        assert!(!is_package_variable("CARGO_TARGET_DIR"));
    }
}
