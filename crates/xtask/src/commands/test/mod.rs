//! `cargo xtask test`: every check there is, in lanes that run side by side.
//!
//! Cargo locks its target folder, so native and wasm builds are a lane each; Python and
//! the network share a third. The browser tests come last, on a quiet machine.
//! `--security` runs, in the same lanes, what the ledger of the security catalogue names.

mod browser;
mod counts;
mod outcomes;
mod pip_audit;
mod python;
mod report;
mod rust;
mod security;
mod selection;
mod supply_chain;
mod wasm;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use self::report::{Report, Verdict};
use self::security::Plan;
use self::selection::Selection;
use crate::context::Context;
use crate::progress::Step;

/// Options of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only the checks whose names contain one of these words, and what they need; with
    /// `--security` only these chapters or numbers, like `B` or `D31`, in detail
    filters: Vec<String>,
    /// Run the tests that the security catalogue's ledger names, at full size (`FULL_SIZE=1`:
    /// ten thousand sessions and connections where the ordinary run takes two thousand, some
    /// minutes more), and print the list
    #[arg(long, conflicts_with = "list")]
    security: bool,
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
    run: Run,
}

#[derive(Clone, Copy)]
enum Run {
    Check(fn(&Context, &Step) -> anyhow::Result<Verdict>),
    /// Of which some may be selected.
    Tests(fn(&Context, &Step, &Selection) -> anyhow::Result<Verdict>),
    /// Of what the others found.
    Conclusion(fn(&Context, &Report) -> Verdict),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Native,
    Wasm,
    Python,
    /// After these three.
    Browser,
    /// After all others.
    Last,
}

/// Within a lane the order is the order here: what fails fastest comes first.
const CHECKS: &[Check] = &[
    check("rust format", Lane::Native, &[], rust::format),
    check("servers build", Lane::Native, &[], rust::servers),
    tests(RUST_TESTS, Lane::Native, &[SERVERS], rust::tests),
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
    tests(FRONTEND_TESTS, Lane::Wasm, &[], wasm::native_tests),
    tests(CHROMIUM_TESTS, Lane::Wasm, &[BROWSERS], wasm::browser_tests),
    check(TRUNK, Lane::Wasm, &[FRONTEND], wasm::trunk_build),
    check(SERVERS, Lane::Python, &[], browser::install_servers),
    check(BROWSERS, Lane::Python, &[], browser::install),
    check(PYTHON, Lane::Python, &[], python::environment),
    check("python lints", Lane::Python, &[PYTHON], python::lints),
    check("python types", Lane::Python, &[PYTHON], python::types),
    tests(PYTHON_TESTS, Lane::Python, &[PYTHON], python::tests),
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
        "python security advisories",
        Lane::Python,
        &[PYTHON],
        pip_audit::advisories,
    ),
    tests(
        E2E_TESTS,
        Lane::Browser,
        &["servers build", FRONTEND, TRUNK, SERVERS, BROWSERS, PYTHON],
        browser::end_to_end,
    ),
    Check {
        name: "security catalogue",
        lane: Lane::Last,
        needs: &[
            RUST_TESTS,
            FRONTEND_TESTS,
            CHROMIUM_TESTS,
            PYTHON_TESTS,
            E2E_TESTS,
        ],
        run: Run::Conclusion(security::hold_the_ledger),
    },
];
const RUST_TESTS: &str = "rust tests";
const FRONTEND_TESTS: &str = "frontend tests";
const CHROMIUM_TESTS: &str = "frontend tests in Chromium";
const PYTHON_TESTS: &str = "python tests";
const E2E_TESTS: &str = "end-to-end tests";
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
        run: Run::Check(run),
    }
}

const fn tests(
    name: &'static str,
    lane: Lane,
    needs: &'static [&'static str],
    run: fn(&Context, &Step, &Selection) -> anyhow::Result<Verdict>,
) -> Check {
    Check {
        name,
        lane,
        needs,
        run: Run::Tests(run),
    }
}

/// Runs the selected checks; fails when one of them does.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.security {
        let plan = Plan::new(context, &arguments.filters)?;
        let report = run_lanes(context, &with_needs(plan.checks()), &plan.selection())?;
        return Ok(plan.conclude(context, &report));
    }
    let selected = select(&arguments.filters)?;
    if arguments.list {
        for check in &selected {
            println!("{}", check.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let report = run_lanes(context, &selected, &Selection::All)?;
    println!("\n{}", report.summary(context.progress.elapsed()));
    Ok(report.exit_code())
}

fn run_lanes(
    context: &Context,
    selected: &[&Check],
    selection: &Selection,
) -> anyhow::Result<Report> {
    let report = Report::default();
    thread::scope(|scope| {
        for lane in [Lane::Native, Lane::Wasm, Lane::Python] {
            let report = &report;
            scope.spawn(move || run_lane(context, lane, selected, selection, report));
        }
    });
    for lane in [Lane::Browser, Lane::Last] {
        run_lane(context, lane, selected, selection, &report);
    }
    if context.interrupt.requested() {
        bail!("stopped");
    }
    Ok(report)
}

/// The checks that match, with all that they need.
fn select(filters: &[String]) -> anyhow::Result<Vec<&'static Check>> {
    let names: Vec<&str> = CHECKS
        .iter()
        .map(|check| check.name)
        .filter(|name| {
            filters.is_empty() || filters.iter().any(|word| name.contains(word.as_str()))
        })
        .collect();
    if names.is_empty() {
        bail!("no check is named like that: `cargo xtask test --list` names them all");
    }
    Ok(with_needs(names))
}

/// In the order of [`CHECKS`].
fn with_needs(mut names: Vec<&str>) -> Vec<&'static Check> {
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
    CHECKS
        .iter()
        .filter(|check| names.contains(&check.name))
        .collect()
}

fn run_lane(
    context: &Context,
    lane: Lane,
    selected: &[&Check],
    selection: &Selection,
    report: &Report,
) {
    for check in selected.iter().filter(|check| check.lane == lane) {
        if context.interrupt.requested() {
            return;
        }
        let (verdict, elapsed) = if let Some(need) = report.unmet(context, check.needs) {
            let reason = format!("needs `{need}`, which did not pass");
            (Verdict::not_run(reason), Duration::ZERO)
        } else {
            let step = context.progress.step(check.name);
            let verdict = match check.run {
                Run::Check(run) => run(context, &step),
                Run::Tests(run) => run(context, &step, selection),
                Run::Conclusion(run) => Ok(run(context, report)),
            };
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
