//! Resident memory: idle, with many sessions stored, and with many frames that wait; and what
//! the others feel of those.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use anyhow::{Context as _, ensure};

use super::Bench;
use super::figure::{Figure, Unit};
use super::resources::{peak, resident};
use super::site::Site;
use super::wrk::{self, Requests, Throughput, Trial};
use crate::progress::Step;

const SESSIONS: u32 = 100_000;
const FRAMES: u32 = 10_000;
/// The others, while the frames wait.
const OTHERS: u32 = 8;
const KIBIBYTES: f64 = 1024.0;

pub(super) fn run(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<Figure>> {
    wrk::ensure_installed(bench, step)?;
    let mut site = Site::start(bench, &bench.folder("memory"), None, &[])?;
    let idle = resident(site.process()?)?;
    let mut figures = vec![
        Figure::new("idle", Unit::Mebibytes, vec![idle])
            .at_most(25.0)
            .past("115 MB"),
    ];
    site.sign_in(bench, step, 1, 1)?;
    step.say(format_args!("{SESSIONS} sessions"));
    let copies = site.seed(bench, step, SESSIONS)?;
    site.restart_companion(bench)?;
    figures.push(Figure::new(
        format!("{SESSIONS} sessions stored, after a start"),
        Unit::Mebibytes,
        vec![resident(site.process()?)?],
    ));
    // Each of them is asked for: caches, if there are any, are full then.
    let asked = site.target("/api/auth/me", Requests::Cookies(copies));
    let alone = others(bench, step, &asked.under(OTHERS))?;
    let used = resident(site.process()?)?;
    figures.push(
        Figure::new(
            format!("{SESSIONS} sessions stored and in use"),
            Unit::Mebibytes,
            vec![used],
        )
        .at_most(60.0)
        .past("270 MB under load"),
    );
    let each = (used - idle) * KIBIBYTES * KIBIBYTES / f64::from(SESSIONS);
    figures.push(Figure::new("per stored session", Unit::Bytes, vec![each]));
    figures.extend(waiting(bench, step, &site, &asked.under(OTHERS), &alone)?);
    let most = peak(site.process()?)?;
    figures.push(Figure::new(
        "the most that was ever resident",
        Unit::Mebibytes,
        vec![most],
    ));
    Ok(figures)
}

/// The frames come, wait, and others ask meanwhile.
fn waiting(
    bench: &Bench<'_>,
    step: &Step,
    site: &Site<'_>,
    trial: &Trial,
    alone: &[Throughput],
) -> anyhow::Result<Vec<Figure>> {
    let before = resident(site.process()?)?;
    step.say(format_args!("{FRAMES} waiting frames"));
    let frames = Frames::wait(bench, site.companion)?;
    let during = resident(site.process()?)?;
    let meanwhile = others(bench, step, trial)?;
    drop(frames);
    let each = (during - before) * KIBIBYTES / f64::from(FRAMES);
    let latency = |name: &str, runs: &[Throughput], of: fn(&Throughput) -> f64| {
        let title = format!("/api/auth/me, {OTHERS} connections, {name}");
        Figure::new(title, Unit::Milliseconds, wrk::column(runs, of))
    };
    Ok(vec![
        Figure::new(
            format!("{FRAMES} frames wait (with the sessions)"),
            Unit::Mebibytes,
            vec![during],
        ),
        Figure::new("per waiting frame, in KiB", Unit::Count, vec![each]),
        latency("nobody waits: p50", alone, |run| run.p50),
        latency("nobody waits: p99", alone, |run| run.p99),
        latency("while they wait: p50", &meanwhile, |run| run.p50),
        latency("while they wait: p99", &meanwhile, |run| run.p99),
    ])
}

fn others(bench: &Bench<'_>, step: &Step, trial: &Trial) -> anyhow::Result<Vec<Throughput>> {
    (0..bench.runs)
        .map(|_| trial.run(bench, step, bench.seconds))
        .collect()
}

/// Frames that wait until this is dropped.
struct Frames(Child);

impl Frames {
    fn wait(bench: &Bench<'_>, companion: u16) -> anyhow::Result<Self> {
        let mut command = bench.load_tool("waiting");
        command
            .args(["--port", &companion.to_string()])
            .args(["--count", &FRAMES.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut frames = Self(command.spawn().context("cannot start bench-load")?);
        let stdout = frames.0.stdout.take().context("bench-load has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.trim() == "all wait", "the frames did not get in");
        Ok(frames)
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // Its standard input ends, and with it the program.
        drop(self.0.stdin.take());
        let _ended = self.0.wait();
    }
}
