//! The security catalogue: its ledger against the tests that it names.
//!
//! Two users: `cargo xtask test --security` runs the named tests and prints the list, and
//! the ordinary run holds the ledger to the outcomes that it has anyway.

mod cases;
mod judgement;
mod ledger;
mod listing;
mod numbers;
pub(crate) mod reference;

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::bail;

pub(crate) use self::cases::{Case, read as read_cases};
use self::judgement::Judgement;
use self::ledger::Ledger;
use self::numbers::{CHAPTERS, Chapter, Number};
use self::reference::{END_TO_END, FRONTEND, FRONTEND_IN_CHROMIUM, PYTHON, Reference};
use super::report::{Report, Verdict};
use super::selection::Selection;
use super::{CHROMIUM_TESTS, E2E_TESTS, FRONTEND_TESTS, PYTHON_TESTS, RUST_TESTS};
use crate::context::Context;

/// What `--security` is about to do.
pub(crate) struct Plan {
    ledger: Ledger,
    /// Of the numbers that were asked for; all without any word.
    numbers: BTreeSet<Number>,
    /// Whether the cases are printed, too.
    in_detail: bool,
}

impl Plan {
    /// Reads the ledger. Words are chapters or numbers: `B`, `D31`.
    pub(crate) fn new(context: &Context, words: &[String]) -> anyhow::Result<Self> {
        let mut numbers = BTreeSet::new();
        for number in CHAPTERS.iter().flat_map(Chapter::numbers) {
            if words.is_empty() || words.iter().any(|word| number.begins_with(word)) {
                numbers.insert(number);
            }
        }
        if numbers.is_empty() {
            bail!("the catalogue has no such number: words are like `B` or `D31`");
        }
        Ok(Self {
            ledger: Ledger::read(context.workspace.root()),
            numbers,
            in_detail: !words.is_empty(),
        })
    }

    /// The tests that the numbers name.
    pub(crate) fn selection(&self) -> Selection {
        Selection::Named(self.references().cloned().collect())
    }

    /// The checks that run those tests.
    pub(crate) fn checks(&self) -> Vec<&'static str> {
        let checks: BTreeSet<_> = self
            .references()
            .map(|reference| check_of(&reference.suite))
            .collect();
        checks.into_iter().collect()
    }

    fn references(&self) -> impl Iterator<Item = &Reference> {
        let entries = self.ledger.entries.iter();
        entries
            .filter(|(number, _)| self.numbers.contains(number))
            .flat_map(|(_, entry)| &entry.tests)
    }

    /// Prints the list and says whether all is as the ledger says.
    pub(crate) fn conclude(&self, context: &Context, report: &Report) -> ExitCode {
        let found = report.take_found();
        let judgement = Judgement::new(&self.ledger, &self.numbers, &found);
        println!("\n{}", listing::list(&judgement, self.in_detail));
        println!("{}", listing::figures(&judgement, context.workspace.root()));
        if judgement.is_green() {
            report.exit_code()
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Part of the ordinary run: every named test was run by it, and passed.
pub(crate) fn hold_the_ledger(context: &Context, report: &Report) -> Verdict {
    let root = context.workspace.root();
    let ledger = Ledger::read(root);
    let numbers = CHAPTERS.iter().flat_map(Chapter::numbers).collect();
    let found = report.take_found();
    let judgement = Judgement::new(&ledger, &numbers, &found);
    let figures = listing::counts(&judgement);
    if judgement.is_green() {
        Verdict::passed_with(listing::second_tries(&judgement) + &figures)
    } else {
        Verdict::failed(format!("{}\n{figures}", listing::mistakes(&judgement)))
    }
}

fn check_of(suite: &str) -> &'static str {
    match suite {
        PYTHON => PYTHON_TESTS,
        END_TO_END => E2E_TESTS,
        FRONTEND => FRONTEND_TESTS,
        FRONTEND_IN_CHROMIUM => CHROMIUM_TESTS,
        _ => RUST_TESTS,
    }
}
