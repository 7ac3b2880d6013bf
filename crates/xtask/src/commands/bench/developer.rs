//! The edit loop: how long after a file is saved the change can be seen. The demo's starts are
//! in `start`; how long the tests take, a run of the project's CI tells.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::Bench;
use super::figure::{Figure, Unit};
use super::program;
use super::resources::free_port;
use crate::commands::build::{self, ServerProfile};
use crate::progress::Step;
use crate::readiness::Probe;

/// What `cargo xtask dev` says when a person can go on.
const READY: &str = "ready: ";
/// The component as Trunk serves it: port and path are those of Trunk.toml.
const COMPONENT: Probe = Probe {
    port: 3001,
    path: "/streamlit",
};
/// A line that a person might change, and to what.
const LABELS: &str = "frontend/src/labels.rs";
const LABEL: (&str, &str) = ("\"Sign in\"", "\"Sign in, edited\"");
/// A file of the companion, as good as any.
const SERVER_FILE: &str = "server/src/lib.rs";
/// More would tell no more: each takes seconds.
const MOST_EDITS: u32 = 3;
const PATIENCE: Duration = Duration::from_mins(2);
const TRY_AGAIN: Duration = Duration::from_millis(20);

pub(super) fn run(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<Figure>> {
    let title = "frontend: a line saved → the served page is another";
    let edits = component_edits(bench, step);
    let component = figure(title, edits);
    ensure!(!bench.context.interrupt.requested(), "stopped");
    let title = "companion: a file saved → built (development profile)";
    let server = figure(title, server_edits(bench, step));
    Ok(vec![component, server])
}

fn figure(title: &str, samples: anyhow::Result<Vec<f64>>) -> Figure {
    match samples {
        Ok(samples) => Figure::new(title, Unit::Seconds, samples),
        Err(error) => Figure::not_measured(title, format!("{error:#}")),
    }
}

/// With `cargo xtask dev`, as a person has it; its component's address is fixed.
fn component_edits(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<f64>> {
    step.say("cargo xtask dev");
    let mut command = Command::new(&bench.context.executable);
    command.arg("dev");
    for option in ["--port-tenant", "--port-streamlit", "--port-api"] {
        command.args([option, &free_port()?.to_string()]);
    }
    let labels = bench.context.workspace.join(LABELS);
    program::once_ready(bench, step, &mut command, READY, |_| {
        // A warm-up: the watcher's own first build may still be under way.
        edited(bench, &labels)?;
        let edits = (0..bench.runs.min(MOST_EDITS)).map(|_| edited(bench, &labels));
        let samples = edits.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(samples.into_iter().flatten().collect())
    })
}

/// To take the edit back is an edit like any other, and leaves the checkout as it was.
fn edited(bench: &Bench<'_>, file: &Path) -> anyhow::Result<[f64; 2]> {
    let edit = Edit::make(file, LABEL)?;
    let made = until_changed(bench, edit.saved_at, &edit.page_before)?;
    let (saved_at, page_before) = edit.take_back()?;
    Ok([made, until_changed(bench, saved_at, &page_before)?])
}

/// Seconds until the page names another program.
fn until_changed(bench: &Bench<'_>, since: Instant, before: &str) -> anyhow::Result<f64> {
    while since.elapsed() < PATIENCE {
        ensure!(!bench.context.interrupt.requested(), "stopped");
        // While Trunk builds, or writes, there may be no page.
        if program_of_page().is_ok_and(|now| now != before) {
            return Ok(since.elapsed().as_secs_f64());
        }
        thread::sleep(TRY_AGAIN);
    }
    bail!("the page stayed as it was")
}

/// The name of the WASM file, which holds its hash.
fn program_of_page() -> anyhow::Result<String> {
    let page = COMPONENT.text().context("Trunk serves no page")?;
    let name = wasm_name(&page).context("the page names no program")?;
    Ok(name.to_owned())
}

fn wasm_name(page: &str) -> Option<&str> {
    let (before, _) = page.split_once(".wasm")?;
    before.rsplit(['/', '"', '\'']).next()
}

/// A changed line of a source file. Whatever happens, it is as before when this is dropped.
struct Edit {
    path: PathBuf,
    original: String,
    saved_at: Instant,
    page_before: String,
}

impl Edit {
    fn make(path: &Path, (from, to): (&str, &str)) -> anyhow::Result<Self> {
        let original = fs::read_to_string(path)?;
        ensure!(
            original.contains(from),
            "{} has no {from} any more",
            path.display()
        );
        let page_before = program_of_page()?;
        let edited = original.replacen(from, to, 1);
        let edit = Self {
            path: path.to_owned(),
            original,
            saved_at: Instant::now(),
            page_before,
        };
        fs::write(path, edited)?;
        Ok(edit)
    }

    /// When it was saved again, and what the page was before.
    fn take_back(self) -> anyhow::Result<(Instant, String)> {
        let page_before = program_of_page()?;
        let saved_at = Instant::now();
        drop(self);
        Ok((saved_at, page_before))
    }
}

impl Drop for Edit {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, &self.original) {
            eprintln!("warning: `git checkout {}`: {error}", self.path.display());
        }
    }
}

/// Cargo builds what is younger than its result: the file is saved as it was.
fn server_edits(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<f64>> {
    step.say("the companion, edited");
    build::servers(bench.context, ServerProfile::Dev)?;
    let path = bench.context.workspace.join(SERVER_FILE);
    let edits = (0..bench.runs.min(MOST_EDITS)).map(|_| {
        let text = fs::read_to_string(&path)?;
        let saved_at = Instant::now();
        fs::write(&path, text)?;
        build::servers(bench.context, ServerProfile::Dev)?;
        Ok(saved_at.elapsed().as_secs_f64())
    });
    edits.collect()
}

#[cfg(test)]
mod tests {
    use super::super::figure::Verdict;
    use super::*;

    fn edit(path: &Path) -> Edit {
        Edit {
            path: path.to_owned(),
            original: "before".to_owned(),
            saved_at: Instant::now(),
            page_before: String::new(),
        }
    }

    #[test]
    fn the_program_is_known_by_the_hash_in_its_name() {
        let page = r#"<link rel="preload" href="/static/frontend-1f2e_bg.wasm" as="fetch">"#;
        assert_eq!(wasm_name(page), Some("frontend-1f2e_bg"));
        assert_eq!(wasm_name("<p>Trunk builds</p>"), None);
    }

    #[test]
    fn an_edited_file_is_as_before_whatever_happens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.rs");
        fs::write(&path, "edited").unwrap();
        drop(edit(&path));
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    }

    #[test]
    fn the_line_that_is_edited_is_in_the_frontend() {
        let context = crate::context::Context::for_test();
        let labels = fs::read_to_string(context.workspace.join(LABELS)).unwrap();
        assert!(labels.contains(LABEL.0));
        assert!(context.workspace.join(SERVER_FILE).is_file());
    }

    #[test]
    fn a_loop_that_cannot_be_run_is_a_row() {
        let row = figure("edit", Err(anyhow::anyhow!("port 3001 is busy")));
        assert_eq!(row.verdict(), Verdict::NotMeasured);
        assert_eq!(figure("edit", Ok(vec![2.0])).value(), Some(2.0));
    }
}
