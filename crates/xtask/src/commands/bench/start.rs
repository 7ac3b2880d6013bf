//! How long the companion takes to its first answer, and the demo to be ready.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::Bench;
use super::figure::{Figure, Unit};
use super::program;
use super::resources::free_port;
use super::site::{Site, fresh};
use crate::process;
use crate::progress::Step;
use crate::readiness::Probe;
use crate::services::Services;

const STARTS: usize = 10;
/// Between two tries to reach a program that starts.
const TRY_AGAIN: Duration = Duration::from_micros(500);
const PATIENCE: Duration = Duration::from_secs(20);
/// What `cargo xtask demo` says when a person can go on.
const READY: &str = "ready after";

pub(super) fn run(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<Figure>> {
    let mut figures = vec![first_answers(bench, step)?];
    let demo = demo_starts(bench, step);
    figures.extend(
        demo.unwrap_or_else(|error| vec![Figure::not_measured("demo", format!("{error:#}"))]),
    );
    let title = "fresh clone → demo ready";
    figures.push(if bench.long {
        fresh_clone(bench, step)
            .unwrap_or_else(|error| Figure::not_measured(title, format!("{error:#}")))
    } else {
        Figure::not_measured(title, "takes minutes: --long")
    });
    Ok(figures)
}

/// With a fresh SQLite file each time; the provider is up, and need not be.
fn first_answers(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Figure> {
    let site = Site::start(bench, &bench.folder("start"), None, &[])?;
    step.say(format_args!("{STARTS} starts of the companion"));
    let starts = (0..STARTS).map(|_| first_answer(bench, &site));
    let samples = starts.collect::<anyhow::Result<Vec<f64>>>()?;
    let title = "companion: start → first 200 of /api/ping";
    Ok(Figure::new(title, Unit::Milliseconds, samples)
        .at_most(100.0)
        .past("849 ms"))
}

fn first_answer(bench: &Bench<'_>, site: &Site<'_>) -> anyhow::Result<f64> {
    let port = free_port()?;
    let folder = bench.folder("start-store");
    fresh(&folder)?;
    let mut command = site.companion_command(bench);
    let store = format!("sqlite:{}", folder.join("sessions.db").display());
    command
        .env("PORT", port.to_string())
        .env("AUTH0_BASE_URL", format!("http://localhost:{port}"))
        .env("SESSION_STORE", store);
    let probe = Probe {
        port,
        path: "/api/ping",
    };
    let mut services = Services::new(bench.context);
    let started = Instant::now();
    services.start("bench start", &mut command, None, false)?;
    while !probe.is_ready() {
        ensure!(
            started.elapsed() < PATIENCE,
            "the companion does not answer"
        );
        thread::sleep(TRY_AGAIN);
    }
    Ok(started.elapsed().as_secs_f64() * 1_000.0)
}

/// The second start finds everything built, as each start of a working day does.
fn demo_starts(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<Figure>> {
    step.say("the demo, twice");
    let first = demo_start(bench, step, &mut Command::new(&bench.context.executable))?;
    let second = demo_start(bench, step, &mut Command::new(&bench.context.executable))?;
    let of =
        |title, elapsed: Duration| Figure::new(title, Unit::Seconds, vec![elapsed.as_secs_f64()]);
    Ok(vec![
        of("demo: start, what was changed is built", first),
        of("demo: second start → ready", second).at_most(10.0),
    ])
}

/// Nothing of this checkout but what is committed; registries' downloads are as the machine
/// has them.
fn fresh_clone(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Figure> {
    step.say("the demo of a fresh clone");
    let folder = bench.folder("clone");
    fresh(&folder)?;
    let mut clone = Command::new("git");
    clone
        .args(["clone", "--quiet", "--no-hardlinks"])
        .arg(bench.context.workspace.root())
        .arg(&folder);
    process::run(bench.context, step, &mut clone)?;
    let mut command = process::cargo(&folder);
    command.arg("xtask").env_remove("CARGO_TARGET_DIR");
    let elapsed = demo_start(bench, step, &mut command)?;
    std::fs::remove_dir_all(&folder)?;
    let minutes = elapsed.as_secs_f64() / 60.0;
    Ok(Figure::new("fresh clone → demo ready", Unit::Minutes, vec![minutes]).at_most(10.0))
}

/// From the command to "ready", on ports that nobody has.
fn demo_start(bench: &Bench<'_>, step: &Step, command: &mut Command) -> anyhow::Result<Duration> {
    command.arg("demo");
    for option in [
        "--port-companion",
        "--port-tenant",
        "--port-streamlit",
        "--port-api",
    ] {
        command.args([option, &free_port()?.to_string()]);
    }
    program::once_ready(bench, step, command, READY, Ok)
}
