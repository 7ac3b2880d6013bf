//! The table that is printed and goes into the documentation: Markdown, readable as it is.

use std::fmt::Write as _;

use super::figure::{Figure, Outcome, Unit};
use super::machine::Machine;
use super::statistics;

const HEADINGS: [&str; 5] = ["figure", "median (least – most)", "bar", "verdict", "2022"];

/// The figures of one section, under its name.
pub(super) struct Part {
    pub(super) title: &'static str,
    pub(super) figures: Vec<Figure>,
}

/// How it was measured, the machine, and a table for each section.
pub(super) fn render(machine: &Machine, remarks: &[String], parts: &[Part]) -> String {
    let mut text = machine.lines();
    for remark in remarks {
        let _infallible = writeln!(text, "- {remark}");
    }
    for part in parts {
        let _infallible = write!(text, "\n### {}\n\n{}", part.title, rows(&part.figures));
    }
    text
}

fn rows(figures: &[Figure]) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(figures.iter().map(cells));
    let mut widths = [0; HEADINGS.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (width, cell) in widths.iter().zip(line) {
            let _infallible = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in widths {
                let _infallible = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

fn cells(figure: &Figure) -> [String; HEADINGS.len()] {
    let value = match &figure.outcome {
        Outcome::Measured(samples) => measured(samples, figure.unit),
        Outcome::NotMeasured(reason) => format!("({})", one_line(reason)),
    };
    let bar = figure.bar.map(|bar| bar.display(figure.unit));
    [
        figure.name.clone(),
        value,
        bar.unwrap_or_default(),
        figure.verdict().word().to_owned(),
        figure.past.unwrap_or_default().to_owned(),
    ]
}

fn measured(samples: &[f64], unit: Unit) -> String {
    let median = statistics::median(samples).map_or_else(String::new, |value| unit.display(value));
    match statistics::range(samples) {
        Some((least, most)) if samples.len() > 1 => {
            format!(
                "{median} ({} – {})",
                unit.display(least),
                unit.display(most)
            )
        }
        _ => median,
    }
}

/// A cell has one line; the whole reason is on the screen and in the record. A program that
/// failed says why in its own words, after the command that it was.
fn one_line(reason: &str) -> String {
    let mut lines = reason.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let line = lines.find(|line| line.contains("Error: ")).unwrap_or(first);
    line.replace('|', "/").chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_value_range_bar_and_verdict() {
        let figure = Figure::new("me / ping", Unit::Times, vec![0.71, 0.7, 0.8])
            .at_least(0.6)
            .past("0.38");
        assert_eq!(
            cells(&figure),
            [
                "me / ping",
                "0.71 × (0.70 × – 0.80 ×)",
                "≥ 0.60 ×",
                "holds",
                "0.38"
            ]
        );
    }

    #[test]
    fn one_sample_has_no_range() {
        let figure = Figure::new("requests", Unit::Count, vec![5.0]);
        assert_eq!(cells(&figure)[1], "5");
    }

    #[test]
    fn a_reason_stays_in_its_cell() {
        let figure = Figure::not_measured("Apache", "apt | failed\nlong output");
        assert_eq!(cells(&figure)[1], "(apt / failed)");
        assert_eq!(cells(&figure)[3], "not measured");
        let figure = Figure::not_measured("x", "`program` ended with 1:\n\nError: no store\nx");
        assert_eq!(cells(&figure)[1], "(Error: no store)");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let figures = [
            Figure::new("short", Unit::Count, vec![1.0]),
            Figure::new("a longer name", Unit::Count, vec![2.0]).at_most(3.0),
        ];
        let text = rows(&figures);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
}
