//! The load generator: wrk.
//!
//! It is chosen over oha since it is in C and costs a fifth of the processor's time a request,
//! which is what counts where it shares two cores with what it measures; it comes from Debian
//! in seconds instead of minutes of compiling, keeps connections alive, and its Lua makes
//! requests with bodies and prints JSON. It waits for each answer before it asks again on a
//! connection, so its latencies are those of a crowd of that size, not of a fixed rate.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::Bench;
use super::site::HOST_SECRET;
use crate::process;
use crate::progress::Step;
use crate::tools::packages::{self, Package};

const PACKAGE: Package = Package {
    name: "wrk",
    program: "wrk",
    service: None,
};
/// Of all requests. A few are cut off at the end of a run.
const TOLERATED: f64 = 0.001;

/// What is asked, again and again.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) path: &'static str,
    pub(super) requests: Requests,
}

/// In what the requests differ.
#[derive(Clone, Debug)]
pub(super) enum Requests {
    /// In nothing.
    Plain,
    /// In the cookie, a line of this file.
    Cookies(PathBuf),
    /// In the access token, a line of this file.
    Tokens(PathBuf),
    /// In the grant, a line of this file, sent with the host's credential.
    Grants(PathBuf),
}

/// A target under so many connections.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) target: Target,
    pub(super) connections: u32,
}

/// One run's result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Throughput {
    pub(super) per_second: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// As `bench/wrk.lua` prints it; times in microseconds.
#[derive(Deserialize)]
struct Printed {
    requests: f64,
    microseconds: f64,
    p50: f64,
    p99: f64,
    /// Answers of 400 and above.
    refused: f64,
    /// Connections that failed, and answers that did not come.
    broken: f64,
}

/// Finds wrk, or installs it.
///
/// # Errors
/// When it is missing and this is no Debian with a root user.
pub(super) fn ensure_installed(bench: &Bench<'_>, step: &Step) -> anyhow::Result<()> {
    packages::ensure(bench.context, step, &[PACKAGE])
}

impl Target {
    pub(super) fn under(&self, connections: u32) -> Trial {
        Trial {
            target: self.clone(),
            connections,
        }
    }
}

impl Trial {
    pub(super) fn title(&self) -> String {
        match self.connections {
            1 => format!("{}, 1 connection", self.target.name),
            many => format!("{}, {many} connections", self.target.name),
        }
    }

    /// Asks for `seconds`.
    ///
    /// # Errors
    /// When the server refuses or breaks more than a stray request.
    pub(super) fn run(
        &self,
        bench: &Bench<'_>,
        step: &Step,
        seconds: u32,
    ) -> anyhow::Result<Throughput> {
        step.heard(&self.title());
        let output = process::run(bench.context, step, &mut self.command(bench, seconds))?;
        parse(&output).with_context(|| self.title())
    }

    fn command(&self, bench: &Bench<'_>, seconds: u32) -> Command {
        let mut command = bench.cores.load("wrk".as_ref());
        let Target { port, path, .. } = self.target;
        command
            .args(["--threads", "1", "--timeout", "10s"])
            .args(["--connections", &self.connections.to_string()])
            .args(["--duration", &format!("{seconds}s")])
            // The companion answers 421 to any host name that is not its own.
            .args(["--header", &format!("Host: localhost:{port}")])
            .arg("--script")
            .arg(bench.context.workspace.join("bench/wrk.lua"))
            .arg(format!("http://127.0.0.1:{port}{path}"))
            .arg("--")
            .env("STREAMLIT_SECRET", HOST_SECRET);
        let (kind, file) = match &self.target.requests {
            Requests::Plain => ("plain", None),
            Requests::Cookies(file) => ("cookie", Some(file)),
            Requests::Tokens(file) => ("bearer", Some(file)),
            Requests::Grants(file) => ("grant", Some(file)),
        };
        command.arg(kind).args(file);
        command
    }
}

/// Runs all trials by turns, `bench.runs` times: what they share with the machine's other work
/// they share fairly. The result has a list of runs for each trial.
///
/// # Errors
/// Of the first trial that fails.
pub(super) fn by_turns(
    bench: &Bench<'_>,
    step: &Step,
    trials: &[Trial],
) -> anyhow::Result<Vec<Vec<Throughput>>> {
    for trial in trials {
        trial.run(bench, step, 1)?;
    }
    let mut results = vec![Vec::new(); trials.len()];
    for run in 1..=bench.runs {
        step.say(format_args!("run {run} of {}", bench.runs));
        for (trial, results) in trials.iter().zip(&mut results) {
            results.push(trial.run(bench, step, bench.seconds)?);
        }
    }
    Ok(results)
}

/// The samples of one column.
pub(super) fn column(runs: &[Throughput], of: fn(&Throughput) -> f64) -> Vec<f64> {
    runs.iter().map(of).collect()
}

fn parse(output: &str) -> anyhow::Result<Throughput> {
    let line = output.lines().rev().find(|line| line.starts_with('{'));
    let printed: Printed = serde_json::from_str(line.context("wrk printed no result")?)?;
    ensure!(printed.requests > 0.0, "no request was answered");
    let Printed {
        refused, broken, ..
    } = printed;
    ensure!(
        refused + broken <= printed.requests * TOLERATED,
        "of {} requests {refused} were refused and {broken} broken",
        printed.requests
    );
    Ok(Throughput {
        per_second: printed.requests / (printed.microseconds / 1_000_000.0),
        p50: printed.p50 / 1_000.0,
        p99: printed.p99 / 1_000.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(requests: u32, refused: u32, broken: u32) -> String {
        format!(
            "Running 2s test @ http://127.0.0.1:3001/api/ping\n  1 threads and 64 connections\n\
             {{\"requests\":{requests},\"microseconds\":2000000,\"p50\":900,\"p90\":1500,\
             \"p99\":2500,\"refused\":{refused},\"broken\":{broken}}}\n"
        )
    }

    #[test]
    fn a_result_is_read_from_the_script_s_line() {
        let expected = Throughput {
            per_second: 50_000.0,
            p50: 0.9,
            p99: 2.5,
        };
        assert_eq!(parse(&printed(100_000, 0, 3)).unwrap(), expected);
    }

    #[test]
    fn refusals_are_no_throughput() {
        let error = parse(&printed(100_000, 100_000, 0)).unwrap_err();
        assert!(error.to_string().contains("100000 were refused"), "{error}");
        assert!(parse(&printed(1_000, 0, 2)).is_err());
        assert!(parse(&printed(0, 0, 0)).is_err());
        assert!(parse("wrk: unable to connect").is_err());
    }
}
