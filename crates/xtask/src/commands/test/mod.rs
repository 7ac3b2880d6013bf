//! `cargo xtask test`: every check there is, in lanes that run side by side.
//!
//! Cargo locks its target folder, so native and wasm builds are a lane each; Python and
//! the network share a third. The browser tests come last, on a quiet machine.

mod browser;
mod counts;
mod python;
mod report;
mod rust;
mod supply_chain;
mod wasm;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use self::report::{Report, Verdict};
use crate::context::Context;
use crate::progress::Step;

/// Options of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only the checks whose names contain one of these words, and what they need
    filters: Vec<String>,
    /// List the checks and run none
    #[arg(long)]
    list: bool,
}

/// One check: a name for people and filters, and what it runs.
struct Check {
    name: &'static str,
    lane: Lane,
    /// Checks that must have passed before, of the same lane or an earlier stage.
    needs: &'static [&'static str],
    run: fn(&Context, &Step) -> anyhow::Result<Verdict>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Native,
    Wasm,
    Python,
    /// After all others.
    Browser,
}

/// Within a lane the order is the order here: what fails fastest comes first.
const CHECKS: &[Check] = &[
    check("rust format", Lane::Native, &[], rust::format),
    check("servers build", Lane::Native, &[], rust::servers),
    check("rust tests", Lane::Native, &[SERVERS], rust::tests),
    check(
        "rust documentation tests",
        Lane::Native,
        &[],
        rust::documentation_tests,
    ),
    check(
        "trace export",
        Lane::Native,
        &["servers build"],
        rust::trace_export,
    ),
    check("rust lints", Lane::Native, &[], rust::lints),
    check(FRONTEND, Lane::Wasm, &[], wasm::build),
    check(
        "frontend size budget",
        Lane::Wasm,
        &[FRONTEND],
        wasm::budget,
    ),
    check("frontend lints", Lane::Wasm, &[], wasm::lints),
    check("frontend tests", Lane::Wasm, &[], wasm::native_tests),
    check(
        "frontend tests in Chromium",
        Lane::Wasm,
        &[BROWSERS],
        wasm::browser_tests,
    ),
    check(TRUNK, Lane::Wasm, &[FRONTEND], wasm::trunk_build),
    check(SERVERS, Lane::Python, &[], browser::install_servers),
    check(BROWSERS, Lane::Python, &[], browser::install),
    check(PYTHON, Lane::Python, &[], python::environment),
    check("python lints", Lane::Python, &[PYTHON], python::lints),
    check("python types", Lane::Python, &[PYTHON], python::types),
    check("python tests", Lane::Python, &[PYTHON], python::tests),
    check("python wheel", Lane::Python, &[PYTHON], python::wheel),
    check(
        "licences, bans and sources",
        Lane::Python,
        &[PYTHON],
        supply_chain::policy,
    ),
    check(
        "security advisories",
        Lane::Python,
        &[PYTHON],
        supply_chain::advisories,
    ),
    check(
        "end-to-end tests",
        Lane::Browser,
        &["servers build", FRONTEND, TRUNK, SERVERS, BROWSERS, PYTHON],
        browser::end_to_end,
    ),
];
const FRONTEND: &str = "frontend build";
const TRUNK: &str = "trunk build";
/// Not a word of "rust tests" or "servers build": a filter should not bring it in vain.
const SERVERS: &str = "redis and nginx";
const BROWSERS: &str = "browsers";
const PYTHON: &str = "python environment";

const fn check(
    name: &'static str,
    lane: Lane,
    needs: &'static [&'static str],
    run: fn(&Context, &Step) -> anyhow::Result<Verdict>,
) -> Check {
    Check {
        name,
        lane,
        needs,
        run,
    }
}

/// Runs the selected checks; fails when one of them does.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let selected = select(&arguments.filters)?;
    if arguments.list {
        for check in &selected {
            println!("{}", check.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let report = Report::default();
    thread::scope(|scope| {
        for lane in [Lane::Native, Lane::Wasm, Lane::Python] {
            let (selected, report) = (&selected, &report);
            scope.spawn(move || run_lane(context, lane, selected, report));
        }
    });
    run_lane(context, Lane::Browser, &selected, &report);
    if context.interrupt.requested() {
        bail!("stopped");
    }
    println!("\n{}", report.summary(context.progress.elapsed()));
    Ok(report.exit_code())
}

/// The checks that match, with all that they need.
fn select(filters: &[String]) -> anyhow::Result<Vec<&'static Check>> {
    let mut names: Vec<&str> = CHECKS
        .iter()
        .map(|check| check.name)
        .filter(|name| {
            filters.is_empty() || filters.iter().any(|word| name.contains(word.as_str()))
        })
        .collect();
    if names.is_empty() {
        bail!("no check is named like that: `cargo xtask test --list` names them all");
    }
    let mut next = 0;
    while let Some(name) = names.get(next).copied() {
        let needed = CHECKS.iter().filter(|check| check.name == name);
        for need in needed.flat_map(|check| check.needs) {
            if !names.contains(need) {
                names.push(need);
            }
        }
        next += 1;
    }
    Ok(CHECKS
        .iter()
        .filter(|check| names.contains(&check.name))
        .collect())
}

fn run_lane(context: &Context, lane: Lane, selected: &[&Check], report: &Report) {
    for check in selected.iter().filter(|check| check.lane == lane) {
        if context.interrupt.requested() {
            return;
        }
        let (verdict, elapsed) = if let Some(need) = report.unmet(context, check.needs) {
            let reason = format!("needs `{need}`, which did not pass");
            (Verdict::not_run(reason), Duration::ZERO)
        } else {
            let step = context.progress.step(check.name);
            let verdict = (check.run)(context, &step);
            let verdict = verdict.unwrap_or_else(|error| Verdict::failed(format!("{error:#}")));
            (verdict, step.elapsed())
        };
        report.add(context, check.name, verdict, elapsed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(filters: &[&str]) -> Vec<&'static str> {
        let filters: Vec<String> = filters.iter().map(ToString::to_string).collect();
        let selected = select(&filters).unwrap();
        selected.iter().map(|check| check.name).collect()
    }

    #[test]
    fn without_filters_every_check_runs() {
        assert_eq!(names(&[]).len(), CHECKS.len());
    }

    #[test]
    fn a_filter_brings_what_its_checks_need() {
        assert_eq!(names(&["python types"]), [PYTHON, "python types"]);
        assert!(names(&["end-to-end"]).contains(&"servers build"));
    }

    #[test]
    fn a_filter_that_matches_nothing_is_an_error() {
        assert!(select(&["no such check".to_owned()]).is_err());
    }

    #[test]
    fn every_need_is_a_check() {
        for need in CHECKS.iter().flat_map(|check| check.needs) {
            assert!(CHECKS.iter().any(|check| check.name == *need), "{need}");
        }
    }
}
