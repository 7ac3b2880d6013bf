//! The list as people read it.

use std::fmt::Write as _;
use std::path::Path;

use super::cases::Case;
use super::judgement::{Finding, Judgement, Row};
use super::ledger::Verdict;
use super::numbers::CHAPTERS;
use crate::commands::test::outcomes::Outcome;

/// Which test fails without which check of the verifiers.
const CHECKS: &str = "crates/oidc/CHECKS.md";

/// Every number with its verdict, then what is not covered, then what is wrong.
pub(crate) fn list(judgement: &Judgement<'_>, in_detail: bool) -> String {
    let mut text = String::new();
    for chapter in CHAPTERS {
        let rows = judgement.rows.iter();
        let rows: Vec<_> = rows.filter(|row| row.number.is_of(chapter)).collect();
        if rows.is_empty() {
            continue;
        }
        let _infallible = writeln!(text, "{}. {}", chapter.letter, chapter.title);
        for row in rows {
            add_row(&mut text, row, in_detail);
        }
        text.push('\n');
    }
    add_uncovered(&mut text, judgement);
    text.push_str(&mistakes(judgement));
    text
}

fn add_row(text: &mut String, row: &Row<'_>, in_detail: bool) {
    let verdict = if row.is_green() {
        row.entry.verdict.to_string()
    } else {
        "RED".to_owned()
    };
    let tests = counted(row.passed(), "test");
    let cases = counted(row.cases.len(), "case");
    let _infallible = writeln!(
        text,
        "{}  {verdict:<14}  {tests:<9} {cases:<10} {}",
        row.number, row.entry.case
    );
    for (reference, finding) in row.tests.iter().filter(|_| in_detail) {
        let _infallible = writeln!(text, "       {reference}: {finding}");
    }
    for case in row.cases.iter().filter(|_| in_detail) {
        let _infallible = writeln!(text, "       | {} | {}", case.verdict, case.words);
    }
}

/// Nothing rather than "0 cases".
fn counted(count: usize, noun: &str) -> String {
    match count {
        0 => String::new(),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

fn add_uncovered(text: &mut String, judgement: &Judgement<'_>) {
    for (verdict, title) in [
        (Verdict::NotApplicable, "Does not apply, because"),
        (Verdict::Partly, "Covered in part"),
        (Verdict::Open, "NOT WITHSTOOD YET"),
    ] {
        let rows = judgement.rows.iter();
        let mut rows = rows.filter(|row| row.entry.verdict == verdict).peekable();
        if rows.peek().is_none() {
            continue;
        }
        let _infallible = writeln!(text, "{title}:");
        for row in rows {
            let note = row.entry.note.as_deref().unwrap_or("no reason is given");
            let _infallible = writeln!(text, "{}  {} -- {note}", row.number, row.entry.case);
        }
        text.push('\n');
    }
}

/// What makes the run red, one line each.
pub(crate) fn mistakes(judgement: &Judgement<'_>) -> String {
    let mut text = String::new();
    for problem in &judgement.problems {
        let _infallible = writeln!(text, "WRONG  {problem}");
    }
    for row in judgement.rows.iter().filter(|row| !row.is_green()) {
        for (reference, finding) in &row.tests {
            if !finding.is_green() {
                let _infallible = writeln!(text, "RED    {}: {reference}: {finding}", row.number);
            }
        }
    }
    text + &second_tries(judgement)
}

/// What is green and should not calm anybody, one line each.
pub(crate) fn second_tries(judgement: &Judgement<'_>) -> String {
    let mut text = String::new();
    for row in &judgement.rows {
        for (reference, finding) in &row.tests {
            if matches!(finding, Finding::Retried(..)) {
                let _infallible = writeln!(text, "AGAIN  {}: {reference}: {finding}", row.number);
            }
        }
    }
    text
}

/// One line: numbers by verdict.
pub(crate) fn counts(judgement: &Judgement<'_>) -> String {
    let red = judgement.rows.iter().filter(|row| !row.is_green()).count();
    format!(
        "{} numbers of the catalogue: {} withstood, {} partly, {} not applicable, {} open; \
         {red} red, {} wrong in the ledger",
        judgement.rows.len(),
        judgement.count(Verdict::Withstood),
        judgement.count(Verdict::Partly),
        judgement.count(Verdict::NotApplicable),
        judgement.count(Verdict::Open),
        judgement.problems.len(),
    )
}

/// The closing lines.
pub(crate) fn figures(judgement: &Judgement<'_>, root: &Path) -> String {
    let cases = &judgement.found.cases;
    let of_kind = |is_kind: fn(&Case) -> bool| cases.iter().filter(|case| is_kind(case)).count();
    let (accepted, refused) = (of_kind(Case::is_accepted), of_kind(Case::is_refused));
    let checks = if root.join(CHECKS).is_file() {
        CHECKS
    } else {
        "not written yet"
    };
    let outcomes = &judgement.found.outcomes;
    // A test says each case after its assertions and ends at the first that goes wrong: how
    // many verdicts are wrong nobody knows, how many tests failed is known.
    format!(
        "{}\n{} tests run, {} named by these numbers; {} failed, {} were to run and did not\n\
         {} cases tried: {refused} refused and {accepted} accepted as they should be, {} not \
         applicable; one that goes wrong is a failed test\n\
         each check of the verifiers, and the test that fails without it: {checks}",
        counts(judgement),
        outcomes.ran(),
        judgement.rows.iter().map(Row::passed).sum::<usize>(),
        outcomes.count(Outcome::Failed),
        outcomes.count(Outcome::NotRun),
        cases.len(),
        cases.len() - accepted - refused,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::commands::test::report::Found;
    use crate::commands::test::security::cases;
    use crate::commands::test::security::ledger::{Entry, Ledger};
    use crate::commands::test::security::reference::Reference;
    use crate::workspace::Workspace;

    fn ledger() -> Ledger {
        let workspace = Workspace::locate().unwrap();
        let reference = |text| Reference::parse(text, workspace.root()).unwrap();
        let mut ledger = Ledger::default();
        for (number, verdict, tests, note) in [
            (
                "C38",
                Verdict::Withstood,
                vec![reference("server/it a::b")],
                None,
            ),
            (
                "G01",
                Verdict::Withstood,
                vec![reference("server/it a::gone")],
                None,
            ),
            (
                "G02",
                Verdict::NotApplicable,
                vec![],
                Some("nobody has it".to_owned()),
            ),
        ] {
            let entry = Entry {
                case: format!("case of {number}"),
                verdict,
                tests,
                note,
            };
            ledger.entries.insert(number.parse().unwrap(), entry);
        }
        ledger
    }

    fn found() -> Found {
        let (cases, unreadable_cases) = cases::read("catalogue | C38 | refused: x | an issuer");
        let mut found = Found {
            cases,
            unreadable_cases,
            ..Found::default()
        };
        found.outcomes.add("server/it", "a::b", Outcome::Passed);
        found
    }

    #[test]
    fn the_list_tells_each_number_and_why_what_is_not_covered_is_not() {
        let (ledger, found) = (ledger(), found());
        let numbers: BTreeSet<_> = ledger.entries.keys().copied().collect();
        let judgement = Judgement::new(&ledger, &numbers, &found);
        let expected = "\
            C. Bad tokens\n\
            C38  withstood       1 test    1 case     case of C38\n\
            \n\
            G. From the review of the design\n\
            G01  RED                                  case of G01\n\
            G02  not applicable                       case of G02\n\
            \n\
            Does not apply, because:\n\
            G02  case of G02 -- nobody has it\n\
            \n\
            RED    G01: server/it a::gone: NO SUCH TEST WAS RUN\n";
        assert_eq!(list(&judgement, false), expected);
        assert_eq!(
            counts(&judgement),
            "3 numbers of the catalogue: 1 withstood, 0 partly, 1 not applicable, 0 open; \
             1 red, 0 wrong in the ledger"
        );
    }

    #[test]
    fn in_detail_the_tests_and_their_cases_are_told() {
        let (ledger, found) = (ledger(), found());
        let numbers = BTreeSet::from(["C38".parse().unwrap()]);
        let text = list(&Judgement::new(&ledger, &numbers, &found), true);
        assert!(text.contains("       server/it a::b: passed\n"), "{text}");
        assert!(text.contains("       | refused: x | an issuer\n"), "{text}");
        assert!(!text.contains("G01"), "{text}");
    }

    #[test]
    fn failed_tests_of_every_suite_are_counted_and_so_is_what_did_not_run() {
        let (ledger, mut found) = (ledger(), found());
        for (suite, name, outcome) in [
            ("oidc/lib", "wrong", Outcome::Failed),
            ("server/it", "conformance::wrong", Outcome::Failed),
            ("e2e", "test_x.py::wrong", Outcome::Failed),
            ("server/it", "a::gone", Outcome::NotRun),
        ] {
            found.outcomes.add(suite, name, outcome);
        }
        let numbers: BTreeSet<_> = ledger.entries.keys().copied().collect();
        let text = figures(&Judgement::new(&ledger, &numbers, &found), Path::new("/"));
        assert!(
            text.contains("4 tests run, 1 named by these numbers; 3 failed, 1 were to run"),
            "{text}"
        );
    }

    #[test]
    fn what_passed_at_the_second_try_is_told_and_is_not_red() {
        let (ledger, mut found) = (ledger(), found());
        found.outcomes.add("server/it", "a::b", Outcome::Retried);
        let numbers = BTreeSet::from(["C38".parse().unwrap()]);
        let judgement = Judgement::new(&ledger, &numbers, &found);
        assert!(judgement.is_green());
        let expected = "AGAIN  C38: server/it a::b: PASSED AT THE SECOND TRY ONLY: a::b\n";
        assert_eq!(second_tries(&judgement), expected);
        assert!(list(&judgement, false).ends_with(expected));
    }
}
