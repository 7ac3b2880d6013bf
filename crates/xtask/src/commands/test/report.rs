//! What the checks found, and the closing lines.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::counts::Counts;
use super::outcomes::Outcomes;
use super::security::Case;
use crate::context::Context;
use crate::progress::seconds;

/// How often a lane that waits for another one looks for a stop request.
const TICK: Duration = Duration::from_millis(200);

/// What one check found.
#[derive(Debug)]
pub(crate) struct Verdict {
    outcome: Outcome,
    counts: Counts,
    /// Printed below the check's line: the runner's closing lines, or what went wrong.
    detail: String,
    found: Found,
}

/// What the tests of a check did, one by one.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) outcomes: Outcomes,
    /// Cases of the security catalogue that they tried.
    pub(crate) cases: Vec<Case>,
    /// Lines that begin like one and are none.
    pub(crate) unreadable_cases: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    /// Could not run for a reason outside of this checkout; no failure, but never silent.
    Unchecked,
    /// Did not run because something before it failed: a failure.
    NotRun,
}

impl Verdict {
    /// A check without tests of its own counts as one.
    pub(crate) fn passed() -> Self {
        Self::passed_with(String::new())
    }

    pub(crate) fn passed_with(detail: String) -> Self {
        Self::counted(Counts::one_passed(), detail)
    }

    /// A test runner's result: passed only when it ran something and nothing failed.
    pub(crate) fn counted(counts: Counts, detail: String) -> Self {
        if counts.passed == 0 {
            return Self::failed_with(counts, format!("{detail}\nno test ran"));
        }
        if counts.failed > 0 {
            return Self::failed_with(counts, detail);
        }
        Self {
            outcome: Outcome::Passed,
            counts,
            detail,
            found: Found::default(),
        }
    }

    pub(crate) fn failed(detail: String) -> Self {
        Self::failed_with(Counts::default(), detail)
    }

    /// A failure that a runner has counted, or else counts as one.
    pub(crate) fn failed_with(mut counts: Counts, detail: String) -> Self {
        counts.failed = counts.failed.max(1);
        Self {
            outcome: Outcome::Failed,
            counts,
            detail,
            found: Found::default(),
        }
    }

    pub(crate) fn unchecked(reason: String) -> Self {
        Self {
            outcome: Outcome::Unchecked,
            counts: Counts::one_skipped(),
            detail: reason,
            found: Found::default(),
        }
    }

    pub(crate) fn not_run(reason: String) -> Self {
        Self {
            outcome: Outcome::NotRun,
            counts: Counts {
                failed: 1,
                ..Counts::default()
            },
            detail: reason,
            found: Found::default(),
        }
    }

    /// With the tests one by one.
    pub(crate) fn with(mut self, found: Found) -> Self {
        self.found = found;
        self
    }
}

/// All verdicts so far; lanes write it side by side.
#[derive(Default)]
pub(crate) struct Report {
    entries: Mutex<Vec<Entry>>,
    added: Condvar,
}

struct Entry {
    name: &'static str,
    verdict: Verdict,
    elapsed: Duration,
}

impl Report {
    /// Adds a verdict and prints it.
    pub(crate) fn add(
        &self,
        context: &Context,
        name: &'static str,
        verdict: Verdict,
        elapsed: Duration,
    ) {
        context.progress.say(format_args!(
            "{} {name} ({}, {}){}",
            verdict.outcome.word(),
            verdict.counts,
            seconds(elapsed),
            indented(&verdict.detail)
        ));
        self.entries().push(Entry {
            name,
            verdict,
            elapsed,
        });
        self.added.notify_all();
    }

    /// Waits for the checks `needs` and names the first that did not pass.
    pub(crate) fn unmet(&self, context: &Context, needs: &[&'static str]) -> Option<&'static str> {
        needs
            .iter()
            .copied()
            .find(|need| !self.wait_passed(context, need))
    }

    fn wait_passed(&self, context: &Context, name: &str) -> bool {
        let mut entries = self.entries();
        loop {
            if let Some(entry) = entries.iter().find(|entry| entry.name == name) {
                return entry.verdict.outcome == Outcome::Passed;
            }
            if context.interrupt.requested() {
                return false;
            }
            entries = self
                .added
                .wait_timeout(entries, TICK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// A table of all checks, what went wrong, and the sum alone on the last line.
    pub(crate) fn summary(&self, elapsed: Duration) -> String {
        let entries = self.entries();
        let mut text = String::new();
        let mut sum = Counts::default();
        for entry in entries.iter() {
            sum = sum + entry.verdict.counts;
            let _infallible = writeln!(
                text,
                "{:<9} {:<34} {:>13}  {}",
                entry.verdict.outcome.word(),
                entry.name,
                seconds(entry.elapsed),
                entry.verdict.counts
            );
        }
        for entry in entries
            .iter()
            .filter(|entry| entry.verdict.outcome == Outcome::Unchecked)
        {
            let _infallible = writeln!(
                text,
                "\nNOT CHECKED: {}: {}",
                entry.name, entry.verdict.detail
            );
        }
        let _infallible = write!(text, "\nall checks took {}\n{sum}", seconds(elapsed));
        text
    }

    /// What all tests so far did, taken out.
    pub(crate) fn take_found(&self) -> Found {
        let mut all = Found::default();
        for entry in self.entries().iter_mut() {
            let found = std::mem::take(&mut entry.verdict.found);
            all.outcomes.extend(found.outcomes);
            all.cases.extend(found.cases);
            all.unreadable_cases.extend(found.unreadable_cases);
        }
        all
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        let acceptable =
            |entry: &Entry| matches!(entry.verdict.outcome, Outcome::Passed | Outcome::Unchecked);
        if self.entries().iter().all(acceptable) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Unchecked => "unchecked",
            Self::NotRun => "NOT RUN",
        }
    }
}

fn indented(detail: &str) -> String {
    detail.lines().fold(String::new(), |mut text, line| {
        let _infallible = write!(text, "\n    {line}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdicts: Vec<Verdict>) -> Report {
        let context = Context::for_test();
        let report = Report::default();
        for verdict in verdicts {
            report.add(&context, "a check", verdict, Duration::ZERO);
        }
        report
    }

    fn counts(passed: u32, failed: u32) -> Counts {
        Counts {
            passed,
            failed,
            skipped: 0,
        }
    }

    fn is_green(report: &Report) -> bool {
        format!("{:?}", report.exit_code()) == format!("{:?}", ExitCode::SUCCESS)
    }

    #[test]
    fn the_last_line_is_the_sum_of_all_checks() {
        let report = report(vec![
            Verdict::passed(),
            Verdict::counted(counts(4, 0), String::new()),
            Verdict::failed_with(counts(3, 2), "assertion failed".to_owned()),
        ]);
        let summary = report.summary(Duration::from_secs(1));
        assert_eq!(summary.lines().last(), Some("8 passed, 2 failed"));
        assert!(!is_green(&report));
    }

    #[test]
    fn a_runner_that_ran_no_test_has_failed() {
        let report = report(vec![Verdict::counted(counts(0, 0), String::new())]);
        assert!(!is_green(&report));
    }

    #[test]
    fn what_could_not_be_checked_is_said_and_is_no_failure() {
        let report = report(vec![
            Verdict::passed(),
            Verdict::unchecked("advisory database unreachable".to_owned()),
        ]);
        let summary = report.summary(Duration::ZERO);
        assert!(summary.contains("NOT CHECKED: a check: advisory database unreachable"));
        assert_eq!(
            summary.lines().last(),
            Some("1 passed, 0 failed, 1 skipped")
        );
        assert!(is_green(&report));
    }

    #[test]
    fn a_check_that_was_kept_from_running_is_a_failure() {
        assert!(!is_green(&report(vec![Verdict::not_run(String::new())])));
    }
}
