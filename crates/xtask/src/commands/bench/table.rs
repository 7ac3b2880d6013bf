//! The table that is printed and goes into the documentation: Markdown, readable as it is.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::figure::{Figure, Outcome, Unit};
use super::machine::Machine;
use super::statistics;

const GENERATED: &str = "<!-- Written by `cargo xtask bench --markdown`; not to be edited. -->";
const HEADINGS: [&str; 5] = ["figure", "median (least – most)", "bar", "verdict", "2022"];

/// The figures of one section, under its name.
pub(super) struct Part {
    pub(super) title: &'static str,
    pub(super) figures: Vec<Figure>,
}

/// How it was measured, the machine, what has a bar, and a table for each section.
pub(super) fn render(machine: &Machine, remarks: &[String], parts: &[Part]) -> String {
    let mut text = machine.lines();
    for remark in remarks {
        let _infallible = writeln!(text, "- {remark}");
    }
    let judged = judged(parts);
    if !judged.is_empty() {
        let _infallible = write!(
            text,
            "\n### The bars, and what was not measured\n\n{}",
            rows(&judged)
        );
    }
    for part in parts {
        let _infallible = write!(text, "\n### {}\n\n{}", part.title, rows(&part.figures));
    }
    text
}

/// Writes it to a file of the documentation.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write(path: &Path, table: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, format!("{GENERATED}\n\n{table}"))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The figures that have to hold something, together: a reader's first question. And those that
/// were not measured: what nobody looked at holds nothing.
fn judged(parts: &[Part]) -> Vec<Figure> {
    let judged = |part: &Part| {
        let title = part.title;
        part.figures
            .iter()
            .filter(|figure| {
                figure.bar.is_some() || matches!(figure.outcome, Outcome::NotMeasured(_))
            })
            .map(move |figure| figure.clone().of_section(title))
            .collect::<Vec<_>>()
    };
    parts.iter().flat_map(judged).collect()
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
    let names_error = |line: &&str| line.to_ascii_lowercase().contains("error: ");
    let line = lines.find(names_error).unwrap_or(first);
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
        let figure = Figure::not_measured("x", "`pip` ended with 1:\nERROR: no network\nx");
        assert_eq!(cells(&figure)[1], "(ERROR: no network)");
    }

    #[test]
    fn bars_and_gaps_come_first_under_their_sections_names() {
        let parts = [
            Part {
                title: "Memory",
                figures: vec![
                    Figure::new("idle", Unit::Mebibytes, vec![20.0]).at_most(25.0),
                    Figure::new("a session", Unit::Bytes, vec![1.0]),
                ],
            },
            Part {
                title: "Start",
                figures: vec![Figure::not_measured("clone", "takes minutes")],
            },
        ];
        let judged = judged(&parts);
        let names: Vec<&str> = judged.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["Memory: idle", "Start: clone"]);
        assert_eq!(cells(&judged[1])[3], "not measured");
    }

    #[test]
    fn the_written_table_says_that_it_is_generated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docs/table.md");
        write(&path, "### Start\n").unwrap();
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with("<!-- Written by"), "{text}");
        assert!(text.ends_with("\n\n### Start\n"), "{text}");
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
