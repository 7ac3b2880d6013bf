//! The run as JSON: every sample, for whoever compares two of them.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::figure::{Bar, Figure, Outcome};
use super::machine::Machine;
use super::table::Part;

#[derive(Serialize)]
struct Record<'a> {
    machine: &'a Machine,
    remarks: &'a [String],
    sections: Vec<Value>,
}

/// Writes it.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write(
    path: &Path,
    machine: &Machine,
    remarks: &[String],
    parts: &[Part],
) -> anyhow::Result<()> {
    let sections = parts
        .iter()
        .map(|part| {
            let figures: Vec<Value> = part.figures.iter().map(figure).collect();
            json!({"title": part.title, "figures": figures})
        })
        .collect();
    let record = Record {
        machine,
        remarks,
        sections,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let text = serde_json::to_string_pretty(&record)? + "\n";
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn figure(figure: &Figure) -> Value {
    let (samples, reason) = match &figure.outcome {
        Outcome::Measured(samples) => (Some(samples), None),
        Outcome::NotMeasured(reason) => (None, Some(reason)),
    };
    let bar = figure.bar.map(|bar| match bar {
        Bar::AtMost(most) => json!({"at_most": most}),
        Bar::AtLeast(least) => json!({"at_least": least}),
    });
    json!({
        "name": figure.name,
        "unit": figure.unit.name(),
        "median": figure.value(),
        "samples": samples,
        "not_measured": reason,
        "bar": bar,
        "verdict": figure.verdict().word(),
        "past": figure.past,
    })
}

#[cfg(test)]
mod tests {
    use super::super::figure::Unit;
    use super::*;

    #[test]
    fn every_sample_is_kept() {
        let measured = Figure::new("start", Unit::Milliseconds, vec![3.0, 1.0, 2.0]).at_most(100.0);
        let value = figure(&measured);
        assert_eq!(value["samples"], json!([3.0, 1.0, 2.0]));
        assert_eq!(value["median"], json!(2.0));
        assert_eq!(value["bar"], json!({"at_most": 100.0}));
        assert_eq!(value["verdict"], "holds");
    }

    #[test]
    fn what_was_not_measured_says_why() {
        let value = figure(&Figure::not_measured("Apache", "no apt-get"));
        assert_eq!(value["not_measured"], "no apt-get");
        assert_eq!(value["median"], Value::Null);
    }
}
