//! One number of the table: what was measured, in what unit, and what it has to hold.

use super::statistics;

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) bar: Option<Bar>,
    /// What the 2022 system needed, in its own report's words.
    pub(super) past: Option<&'static str>,
    pub(super) outcome: Outcome,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// One value a run.
    Measured(Vec<f64>),
    /// Why there is none.
    NotMeasured(String),
}

/// What the numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Requests, or logins, a second.
    PerSecond,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// A ratio.
    Times,
    /// 2^20 bytes.
    Mebibytes,
    /// Bytes.
    Bytes,
    /// Things.
    Count,
}

/// What a figure has to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// Whether it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Holds,
    Missed,
    NoBar,
    NotMeasured,
}

impl Figure {
    pub(super) fn new(name: impl Into<String>, unit: Unit, samples: Vec<f64>) -> Self {
        let outcome = if samples.is_empty() {
            Outcome::NotMeasured("no sample".to_owned())
        } else {
            Outcome::Measured(samples)
        };
        Self {
            name: name.into(),
            unit,
            bar: None,
            past: None,
            outcome,
        }
    }

    pub(super) fn not_measured(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::NotMeasured(reason.into()),
            ..Self::new(name, Unit::Count, Vec::new())
        }
    }

    pub(super) fn at_most(mut self, most: f64) -> Self {
        self.bar = Some(Bar::AtMost(most));
        self
    }

    pub(super) fn at_least(mut self, least: f64) -> Self {
        self.bar = Some(Bar::AtLeast(least));
        self
    }

    pub(super) fn past(mut self, past: &'static str) -> Self {
        self.past = Some(past);
        self
    }

    /// The same among those of other sections.
    pub(super) fn of_section(mut self, title: &str) -> Self {
        self.name = format!("{title}: {}", self.name);
        self
    }

    /// The median over the runs.
    pub(super) fn value(&self) -> Option<f64> {
        match &self.outcome {
            Outcome::Measured(samples) => statistics::median(samples),
            Outcome::NotMeasured(_) => None,
        }
    }

    /// Judged by the number itself, not by how it is rounded for the eye.
    pub(super) fn verdict(&self) -> Verdict {
        match (self.value(), self.bar) {
            (None, _) => Verdict::NotMeasured,
            (Some(_), None) => Verdict::NoBar,
            (Some(value), Some(bar)) if bar.holds(value) => Verdict::Holds,
            (Some(_), Some(_)) => Verdict::Missed,
        }
    }
}

impl Bar {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }

    pub(super) fn display(self, unit: Unit) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {}", unit.display(most)),
            Self::AtLeast(least) => format!("≥ {}", unit.display(least)),
        }
    }
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Missed => "MISSED",
            Self::NoBar => "",
            Self::NotMeasured => "not measured",
        }
    }
}

impl Unit {
    /// As many digits as the measurement is worth.
    pub(super) fn display(self, value: f64) -> String {
        let digits = match self {
            Self::PerSecond | Self::Bytes | Self::Count => 0,
            Self::Milliseconds if value >= 100.0 => 0,
            Self::Milliseconds if value < 1.0 => 3,
            Self::Milliseconds | Self::Seconds | Self::Minutes | Self::Mebibytes => 1,
            Self::Times => 2,
        };
        format!("{}{}", grouped(&format!("{value:.digits$}")), self.suffix())
    }

    /// How the unit is written in the JSON record.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "per second",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Minutes => "min",
            Self::Times => "ratio",
            Self::Mebibytes => "MiB",
            Self::Bytes => "bytes",
            Self::Count => "count",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::PerSecond => " /s",
            Self::Milliseconds => " ms",
            Self::Seconds => " s",
            Self::Minutes => " min",
            Self::Times => " ×",
            Self::Mebibytes => " MiB",
            Self::Bytes => " B",
            Self::Count => "",
        }
    }
}

/// `1234567.8` → `1,234,567.8`.
fn grouped(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').map_or((number, ""), |parts| parts);
    let (sign, whole) = whole
        .strip_prefix('-')
        .map_or(("", whole), |rest| ("-", rest));
    let mut text = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(samples: &[f64]) -> Figure {
        Figure::new("a figure", Unit::Times, samples.to_vec())
    }

    #[test]
    fn a_bar_holds_up_to_its_own_value() {
        assert_eq!(figure(&[0.6]).at_least(0.6).verdict(), Verdict::Holds);
        assert_eq!(figure(&[0.599_9]).at_least(0.6).verdict(), Verdict::Missed);
        assert_eq!(figure(&[25.0]).at_most(25.0).verdict(), Verdict::Holds);
        assert_eq!(figure(&[25.1]).at_most(25.0).verdict(), Verdict::Missed);
    }

    #[test]
    fn the_median_is_judged_and_not_the_luckiest_run() {
        assert_eq!(
            figure(&[0.9, 0.5, 0.4]).at_least(0.6).verdict(),
            Verdict::Missed
        );
    }

    #[test]
    fn what_was_not_measured_holds_nothing() {
        let figure = Figure::not_measured("a peer", "not installed").at_least(0.0);
        assert_eq!(figure.verdict(), Verdict::NotMeasured);
        assert_eq!(
            Figure::new("x", Unit::Count, vec![]).verdict(),
            Verdict::NotMeasured
        );
        assert_eq!(super::tests::figure(&[1.0]).verdict(), Verdict::NoBar);
    }

    #[test]
    fn numbers_are_written_for_eyes() {
        assert_eq!(Unit::PerSecond.display(63_421.4), "63,421 /s");
        assert_eq!(Unit::Milliseconds.display(0.123_4), "0.123 ms");
        assert_eq!(Unit::Milliseconds.display(247.6), "248 ms");
        assert_eq!(Unit::Bytes.display(-1_234.0), "-1,234 B");
        assert_eq!(Unit::Times.display(0.934), "0.93 ×");
    }
}
