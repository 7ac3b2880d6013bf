//! The line by which a test says which rows of the security catalogue it tried, with what
//! verdict. `cargo test … -- --show-output` prints the lines of tests that passed; a
//! program that wants the list reads those that begin with [`MARK`].

use std::fmt;

/// Begins each line.
pub const MARK: &str = "catalogue";

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It was let through, as it should be.
    Accepted,
    /// It was refused, for this reason (a code).
    Refused(&'a str),
    /// It cannot happen here; the case says why.
    NotApplicable,
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => formatter.write_str("accepted"),
            Self::Refused(reason) => write!(formatter, "refused: {reason}"),
            Self::NotApplicable => formatter.write_str("not applicable"),
        }
    }
}

/// Says that a case was tried and went as it should: call it after the assertions.
///
/// `numbers` are separated by spaces when one case stands in several rows. The line is
/// `catalogue | C38 B02 | refused: wrong_issuer | an issuer in another case`.
#[expect(clippy::print_stdout, reason = "the test harness collects it")]
pub fn tried(numbers: &str, verdict: Verdict<'_>, case: &str) {
    // A case may be named after line ends and the like: they must not forge lines.
    let case: String = case.escape_debug().take(120).collect();
    println!("{MARK} | {numbers} | {verdict} | {case}");
}
