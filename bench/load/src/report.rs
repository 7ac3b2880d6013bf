//! Samples by name, as one line of JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// What was measured.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    samples: BTreeMap<String, Vec<f64>>,
}

impl Report {
    /// Adds a duration, in milliseconds.
    pub(crate) fn took(&mut self, name: &str, elapsed: Duration) {
        self.add(name, elapsed.as_secs_f64() * 1_000.0);
    }

    /// Adds a number of another unit, which the name says.
    pub(crate) fn add(&mut self, name: &str, value: f64) {
        self.samples.entry(name.to_owned()).or_default().push(value);
    }

    /// Takes over all samples of another report.
    pub(crate) fn merge(&mut self, other: Self) {
        for (name, values) in other.samples {
            self.samples.entry(name).or_default().extend(values);
        }
    }

    /// Prints it as the line that the caller looks for.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_name_stay_together() {
        let mut report = Report::default();
        report.took("callback", Duration::from_micros(1_500));
        let mut other = Report::default();
        other.took("callback", Duration::from_millis(2));
        report.merge(other);
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"samples":{"callback":[1.5,2.0]}}"#
        );
    }
}
