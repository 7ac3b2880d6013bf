//! The cases that tests say they tried: `catalogue | C38 B02 | refused: wrong_issuer | …`.
//!
//! A test says so after its assertions, so a case with a wrong verdict is a failed test,
//! which ends there: the cases after it are not told, and nobody counts wrong verdicts.

use super::numbers::Number;

/// How `crates/test-tokens` begins such a line.
const MARK: &str = "catalogue | ";

/// One case, of one or more numbers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) numbers: Vec<Number>,
    pub(crate) verdict: String,
    pub(crate) words: String,
}

impl Case {
    pub(crate) fn is_accepted(&self) -> bool {
        self.verdict == "accepted"
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.verdict.starts_with("refused: ")
    }
}

/// Reads the cases of a run, and the lines that are none though they begin like one.
pub(crate) fn read(output: &str) -> (Vec<Case>, Vec<String>) {
    let mut cases = Vec::new();
    let mut unreadable = Vec::new();
    for line in output.lines() {
        let Some(rest) = line.strip_prefix(MARK) else {
            continue;
        };
        match case(rest) {
            Some(case) => cases.push(case),
            None => unreadable.push(line.to_owned()),
        }
    }
    (cases, unreadable)
}

fn case(text: &str) -> Option<Case> {
    let (numbers, rest) = text.split_once(" | ")?;
    let (verdict, words) = rest.split_once(" | ")?;
    let numbers: Result<Vec<Number>, ()> = numbers.split_whitespace().map(str::parse).collect();
    let case = Case {
        numbers: numbers.ok().filter(|numbers| !numbers.is_empty())?,
        verdict: verdict.to_owned(),
        words: words.to_owned(),
    };
    let is_known = case.is_accepted() || case.is_refused() || case.verdict == "not applicable";
    is_known.then_some(case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_counts_for_all_its_numbers() {
        let (cases, unreadable) =
            read("noise\ncatalogue | C38 B02 | refused: wrong_issuer | an issuer | of another");
        assert_eq!(unreadable, [""; 0]);
        assert_eq!(cases.len(), 1);
        let numbers: Vec<_> = cases[0].numbers.iter().map(ToString::to_string).collect();
        assert_eq!(numbers, ["C38", "B02"]);
        assert_eq!(cases[0].words, "an issuer | of another");
        assert!(cases[0].is_refused() && !cases[0].is_accepted());
    }

    #[test]
    fn a_line_that_cannot_be_read_is_not_lost() {
        for line in [
            "catalogue | C99 | accepted | no such number",
            "catalogue | C38 | perhaps | no verdict",
            "catalogue | | accepted | no number",
            "catalogue | C38 accepted",
        ] {
            assert_eq!(read(line).1, [line], "{line}");
        }
    }
}
