//! What `bench-load` and the Python scripts print: samples by name, as one line of JSON.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;

use super::figure::{Figure, Unit};
use super::statistics;

/// Samples by name; durations in milliseconds unless the name says otherwise.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Samples {
    samples: BTreeMap<String, Vec<f64>>,
}

impl Samples {
    /// Reads the last line that is an object, whatever was said before it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn parse(output: &str) -> anyhow::Result<Self> {
        let line = output
            .lines()
            .rev()
            .find(|line| line.starts_with('{'))
            .context("the program printed no samples")?;
        serde_json::from_str(line).with_context(|| format!("no samples: {line}"))
    }

    pub(super) fn of(&self, name: &str) -> &[f64] {
        self.samples.get(name).map_or(&[], Vec::as_slice)
    }

    /// The only sample of that name.
    pub(super) fn one(&self, name: &str) -> Option<f64> {
        self.of(name).first().copied()
    }

    /// Adds those of a further run.
    pub(super) fn extend(&mut self, other: Self) {
        for (name, values) in other.samples {
            self.samples.entry(name).or_default().extend(values);
        }
    }

    /// A figure of all samples of that name.
    pub(super) fn figure(&self, name: &str, title: impl Into<String>, unit: Unit) -> Figure {
        Figure::new(title, unit, self.of(name).to_vec())
    }

    /// A figure of one of their percentiles.
    pub(super) fn percentile(
        &self,
        name: &str,
        percent: usize,
        title: impl Into<String>,
    ) -> Figure {
        let value = statistics::percentile(self.of(name), percent);
        Figure::new(title, Unit::Milliseconds, value.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_object_counts() {
        let samples = Samples::parse(
            "starting\n{\"samples\":{\"old\":[1]}}\nwarning\n{\"samples\":{\"callback\":[2.5,3]}}\nbye",
        )
        .unwrap();
        assert_eq!(samples.of("callback"), [2.5, 3.0]);
        assert_eq!(samples.of("old"), [0.0; 0]);
        assert_eq!(samples.one("callback"), Some(2.5));
    }

    #[test]
    fn a_program_that_said_nothing_is_an_error() {
        assert!(Samples::parse("").is_err());
        assert!(Samples::parse("{\"samples\":[]}").is_err());
    }

    #[test]
    fn runs_add_up() {
        let mut samples = Samples::parse("{\"samples\":{\"a\":[1]}}").unwrap();
        samples.extend(Samples::parse("{\"samples\":{\"a\":[3],\"b\":[5]}}").unwrap());
        assert_eq!(
            samples.figure("a", "a", Unit::Milliseconds).value(),
            Some(2.0)
        );
        assert_eq!(samples.percentile("a", 90, "a").value(), Some(3.0));
        assert_eq!(samples.percentile("none", 90, "none").value(), None);
    }
}
