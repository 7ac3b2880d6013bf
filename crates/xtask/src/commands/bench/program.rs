//! A command of this workspace that runs until it is stopped, and says on the way when a
//! person can go on: the demo, and the edit loop.

use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;

use super::Bench;
use crate::interrupt::signal_group;
use crate::process;
use crate::progress::Step;

/// How long one may take until it says so: a fresh clone has everything to build.
const PATIENCE: Duration = Duration::from_mins(30);

/// Starts `command`, waits until it says `ready`, does `work` with the time that took, and
/// stops it.
///
/// # Errors
/// When it does not get ready, and what `work` says.
pub(super) fn once_ready<T>(
    bench: &Bench<'_>,
    step: &Step,
    command: &mut Command,
    ready: &str,
    work: impl FnOnce(Duration) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    let mut child = process::spawn(bench.context, command)?;
    let (said, heard) = mpsc::channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let outcome = thread::scope(|scope| {
        let hear = move |line: &str| {
            step.heard(line);
            let _nobody = said.send((line.to_owned(), started.elapsed()));
        };
        scope.spawn(move || process::each_line(stderr, |line| step.heard(line)));
        scope.spawn(move || process::each_line(stdout, hear));
        let outcome = wait_until(ready, &heard).and_then(work);
        signal_group(child.id(), Signal::TERM);
        outcome
    });
    child.wait()?;
    bench.context.interrupt.release(child.id());
    outcome
}

fn wait_until(ready: &str, heard: &mpsc::Receiver<(String, Duration)>) -> anyhow::Result<Duration> {
    let mut last = String::new();
    loop {
        let (line, at) = heard
            .recv_timeout(PATIENCE)
            .with_context(|| format!("it did not get ready; its last word: {last}"))?;
        if line.contains(ready) {
            return Ok(at);
        }
        if line.starts_with("error:") {
            bail!("it failed: {line}");
        }
        last = line;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> mpsc::Receiver<(String, Duration)> {
        let (said, heard) = mpsc::channel();
        for (second, line) in (1..).zip(lines) {
            said.send(((*line).to_owned(), Duration::from_secs(second)))
                .unwrap();
        }
        heard
    }

    #[test]
    fn ready_counts_at_the_moment_it_is_said() {
        let lines = heard(&[
            "[  0.1 s] python: unchanged",
            "[  4.0 s] ready after 4.0 s",
            "x",
        ]);
        let at = wait_until("ready after", &lines).unwrap();
        assert_eq!(at, Duration::from_secs(2));
    }

    #[test]
    fn one_that_ends_before_is_an_error_with_its_last_word() {
        let error = wait_until("ready", &heard(&["port 1 is busy"])).unwrap_err();
        assert!(error.to_string().contains("port 1 is busy"), "{error}");
    }

    #[test]
    fn one_that_says_that_it_failed_is_believed() {
        let lines = heard(&["error: no npm", "ready"]);
        assert!(wait_until("ready", &lines).is_err());
    }
}
