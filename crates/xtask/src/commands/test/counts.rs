//! Reads how many tests passed and failed from the runners' own closing lines.

use std::fmt;
use std::ops::Add;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Counts {
    pub(crate) fn one_passed() -> Self {
        Self {
            passed: 1,
            ..Self::default()
        }
    }

    pub(crate) fn one_skipped() -> Self {
        Self {
            skipped: 1,
            ..Self::default()
        }
    }

    /// Sums up lines like `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn of_cargo(output: &str) -> Self {
        closing_lines_of_cargo(output)
            .map(|line| Self::of_line(line, ';'))
            .fold(Self::default(), Self::add)
    }

    /// Reads the last line like `=== 1 failed, 35 passed, 2 skipped in 2.10s ===`.
    pub(crate) fn of_pytest(output: &str) -> Self {
        closing_line_of_pytest(output).map_or(Self::default(), |line| Self::of_line(line, ','))
    }

    fn of_line(line: &str, separator: char) -> Self {
        let mut counts = Self::default();
        for part in line.split(separator) {
            let words: Vec<&str> = part.split_whitespace().collect();
            for pair in words.windows(2) {
                let Ok(number) = pair[0].parse::<u32>() else {
                    continue;
                };
                match pair[1] {
                    "passed" | "xfailed" => counts.passed += number,
                    "failed" | "error" | "errors" | "xpassed" => counts.failed += number,
                    "ignored" | "skipped" => counts.skipped += number,
                    _ => {}
                }
            }
        }
        counts
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(formatter, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// The closing line of each test binary.
pub(crate) fn closing_lines_of_cargo(output: &str) -> impl Iterator<Item = &str> {
    output
        .lines()
        .filter(|line| line.trim_start().starts_with("test result: "))
}

/// The closing line of a run.
pub(crate) fn closing_line_of_pytest(output: &str) -> Option<&str> {
    output.lines().rev().find(|line| {
        line.contains(" in ")
            && ["passed", "failed", "error", "skipped"]
                .iter()
                .any(|word| line.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u32, failed: u32, skipped: u32) -> Counts {
        Counts {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn sums_the_binaries_of_a_cargo_run() {
        let output = "running 2 tests\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            running 3 tests\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(Counts::of_cargo(output), counts(3, 2, 1));
    }

    #[test]
    fn a_test_that_prints_a_result_line_of_its_own_words_is_not_counted() {
        assert_eq!(Counts::of_cargo("5 passed; 0 failed"), counts(0, 0, 0));
    }

    #[test]
    fn reads_the_closing_line_of_pytest_in_each_of_its_forms() {
        for (line, expected) in [
            ("===== 35 passed in 2.10s =====", counts(35, 0, 0)),
            ("1 failed, 34 passed, 2 skipped in 2.10s", counts(34, 1, 2)),
            ("== 2 passed, 3 errors in 0.5s ==", counts(2, 3, 0)),
            (
                "==== 3 passed, 1 xfailed, 1 warning in 63.10s (0:01:03) ====",
                counts(4, 0, 0),
            ),
        ] {
            assert_eq!(Counts::of_pytest(line), expected, "{line}");
        }
    }

    #[test]
    fn a_runner_that_died_has_counted_nothing() {
        assert_eq!(Counts::of_pytest("Segmentation fault"), counts(0, 0, 0));
    }

    #[test]
    fn the_sum_reads_as_ci_expects_it() {
        assert_eq!(counts(3, 0, 0).to_string(), "3 passed, 0 failed");
        assert_eq!(counts(3, 1, 2).to_string(), "3 passed, 1 failed, 2 skipped");
    }
}
