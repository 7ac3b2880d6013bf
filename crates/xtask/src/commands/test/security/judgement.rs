//! The ledger's words against what the tests did.

use std::collections::BTreeSet;
use std::fmt;

use super::cases::Case;
use super::ledger::{Entry, Ledger, Verdict};
use super::numbers::Number;
use super::reference::Reference;
use crate::commands::test::outcomes::Outcome;
use crate::commands::test::report::Found;

/// What is so, number by number.
pub(crate) struct Judgement<'a> {
    pub(crate) rows: Vec<Row<'a>>,
    /// Of the ledger itself, and lines of cases that cannot be read.
    pub(crate) problems: Vec<String>,
    pub(crate) found: &'a Found,
}

/// One number.
pub(crate) struct Row<'a> {
    pub(crate) number: Number,
    pub(crate) entry: &'a Entry,
    pub(crate) tests: Vec<(&'a Reference, Finding<'a>)>,
    pub(crate) cases: Vec<&'a Case>,
}

/// What became of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding<'a> {
    /// All the tests that it means, this many.
    Passed(usize),
    /// So did these, but one of them, named here, at the second try only.
    Retried(usize, &'a str),
    Missing,
    /// One that exists: its process ended before.
    NotRun(&'a str),
    Skipped(&'a str),
    Failed(&'a str),
}

impl<'a> Judgement<'a> {
    pub(crate) fn new(ledger: &'a Ledger, numbers: &BTreeSet<Number>, found: &'a Found) -> Self {
        let entries = ledger.entries.iter();
        let rows = entries
            .filter(|(number, _)| numbers.contains(number))
            .map(|(number, entry)| Row::new(*number, entry, found))
            .collect();
        let unreadable = found.unreadable_cases.iter();
        let unreadable = unreadable.map(|line| format!("a test printed `{line}`: no case"));
        Self {
            rows,
            problems: ledger.problems.iter().cloned().chain(unreadable).collect(),
            found,
        }
    }

    pub(crate) fn is_green(&self) -> bool {
        self.problems.is_empty() && self.rows.iter().all(Row::is_green)
    }

    /// How many numbers have this verdict and are not red.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        let rows = self.rows.iter().filter(|row| row.is_green());
        rows.filter(|row| row.entry.verdict == verdict).count()
    }
}

impl<'a> Row<'a> {
    fn new(number: Number, entry: &'a Entry, found: &'a Found) -> Self {
        let tests = entry.tests.iter();
        let cases = found.cases.iter();
        Self {
            number,
            entry,
            tests: tests
                .map(|reference| (reference, Finding::new(reference, found)))
                .collect(),
            cases: cases
                .filter(|case| case.numbers.contains(&number))
                .collect(),
        }
    }

    pub(crate) fn is_green(&self) -> bool {
        self.tests.iter().all(|(_, finding)| finding.is_green())
    }

    /// The tests that passed for it.
    pub(crate) fn passed(&self) -> usize {
        let counts = self.tests.iter().map(|(_, finding)| match finding {
            Finding::Passed(count) | Finding::Retried(count, _) => *count,
            Finding::Missing | Finding::NotRun(_) | Finding::Skipped(_) | Finding::Failed(_) => 0,
        });
        counts.sum()
    }
}

impl<'a> Finding<'a> {
    /// The worst outcome counts; a test that was not run might as well not exist.
    fn new(reference: &Reference, found: &'a Found) -> Self {
        let mut passed = 0;
        let (mut not_run, mut skipped, mut retried) = (None, None, None);
        for (name, outcome) in found.outcomes.of(&reference.suite) {
            if !reference.means(name) {
                continue;
            }
            match outcome {
                Outcome::Passed => passed += 1,
                Outcome::Retried => {
                    passed += 1;
                    retried = Some(name);
                }
                Outcome::NotRun => not_run = Some(name),
                Outcome::Skipped => skipped = Some(name),
                Outcome::Failed => return Self::Failed(name),
            }
        }
        match (not_run, skipped, retried) {
            (Some(name), _, _) => Self::NotRun(name),
            (_, Some(name), _) => Self::Skipped(name),
            (_, _, Some(name)) => Self::Retried(passed, name),
            _ if passed == 0 => Self::Missing,
            _ => Self::Passed(passed),
        }
    }

    pub(crate) fn is_green(self) -> bool {
        matches!(self, Self::Passed(_) | Self::Retried(..))
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(1) => formatter.write_str("passed"),
            Self::Passed(count) => write!(formatter, "{count} passed"),
            Self::Retried(_, name) => write!(formatter, "PASSED AT THE SECOND TRY ONLY: {name}"),
            Self::Missing => formatter.write_str("NO SUCH TEST WAS RUN"),
            Self::NotRun(name) => write!(formatter, "NOT RUN: {name}"),
            Self::Skipped(name) => write!(formatter, "SKIPPED: {name}"),
            Self::Failed(name) => write!(formatter, "FAILED: {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    fn found(tests: &[(&str, Outcome)]) -> Found {
        let mut found = Found::default();
        for (name, outcome) in tests {
            found.outcomes.add("server/it", name, *outcome);
        }
        found
    }

    fn finding_of(text: &str, tests: &[(&str, Outcome)]) -> String {
        let workspace = Workspace::locate().unwrap();
        let reference = Reference::parse(text, workspace.root()).unwrap();
        Finding::new(&reference, &found(tests)).to_string()
    }

    #[test]
    fn only_a_test_that_ran_and_passed_is_a_proof() {
        let named = "server/it a::b";
        for (outcome, expected) in [
            (Outcome::Passed, "passed"),
            (Outcome::NotRun, "NOT RUN: a::b"),
            (Outcome::Retried, "PASSED AT THE SECOND TRY ONLY: a::b"),
            (Outcome::Skipped, "SKIPPED: a::b"),
            (Outcome::Failed, "FAILED: a::b"),
        ] {
            assert_eq!(finding_of(named, &[("a::b", outcome)]), expected);
        }
        let other = [("a::c", Outcome::Passed)];
        assert_eq!(finding_of(named, &other), "NO SUCH TEST WAS RUN");
        assert_eq!(
            finding_of("server/lib a::c", &other),
            "NO SUCH TEST WAS RUN"
        );
    }

    #[test]
    fn of_a_prefix_the_worst_test_counts() {
        let passed = [("a::b", Outcome::Passed), ("a::c", Outcome::Passed)];
        assert_eq!(finding_of("server/it a::*", &passed), "2 passed");
        let failed = [("a::b", Outcome::Failed), ("a::c", Outcome::Skipped)];
        assert_eq!(finding_of("server/it a::*", &failed), "FAILED: a::b");
        let skipped = [("a::b", Outcome::Passed), ("a::c", Outcome::Skipped)];
        assert_eq!(finding_of("server/it a::*", &skipped), "SKIPPED: a::c");
        let died = [("a::b", Outcome::Passed), ("a::c", Outcome::NotRun)];
        assert_eq!(finding_of("server/it a::*", &died), "NOT RUN: a::c");
        let retried = [("a::b", Outcome::Passed), ("a::c", Outcome::Retried)];
        assert_eq!(
            finding_of("server/it a::*", &retried),
            "PASSED AT THE SECOND TRY ONLY: a::c"
        );
        assert_eq!(
            finding_of("server/it x::*", &passed),
            "NO SUCH TEST WAS RUN"
        );
    }

    #[test]
    fn one_red_test_or_one_problem_makes_the_whole_red() {
        let workspace = Workspace::locate().unwrap();
        let number: Number = "G01".parse().unwrap();
        let reference = Reference::parse("server/it a::b", workspace.root()).unwrap();
        let entry = Entry {
            case: "a case".to_owned(),
            verdict: Verdict::Withstood,
            tests: vec![reference],
            note: None,
        };
        let mut ledger = Ledger::default();
        ledger.entries.insert(number, entry);
        let numbers = BTreeSet::from([number]);
        let passed = found(&[("a::b", Outcome::Passed)]);
        assert!(Judgement::new(&ledger, &numbers, &passed).is_green());
        for red in [Outcome::Failed, Outcome::Skipped, Outcome::NotRun] {
            let found = found(&[("a::b", red)]);
            assert!(!Judgement::new(&ledger, &numbers, &found).is_green());
        }
        let unreadable = Found {
            unreadable_cases: vec!["catalogue | ?".to_owned()],
            ..found(&[("a::b", Outcome::Passed)])
        };
        assert!(!Judgement::new(&ledger, &numbers, &unreadable).is_green());
        ledger.problems.push("A.toml: A01 is missing".to_owned());
        assert!(!Judgement::new(&ledger, &numbers, &passed).is_green());
    }
}
