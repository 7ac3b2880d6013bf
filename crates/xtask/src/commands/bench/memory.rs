//! Resident memory: idle, with many sessions stored, and with many frames that wait; and what
//! the others feel of those.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use anyhow::{Context as _, ensure};

use super::Bench;
use super::figure::{Figure, Unit};
use super::resources::{open_files, peak, resident};
use super::site::Site;
use super::wrk::{self, Requests, Throughput, Trial};
use crate::progress::Step;

const SESSIONS: u32 = 100_000;
const FRAMES: u32 = 10_000;
/// The others, while the frames wait.
const OTHERS: u32 = 8;
/// For the others, and for whoever asks whether the companion is ready.
const SPARE_SEATS: u32 = 100;
const KIBIBYTES: f64 = 1024.0;

pub(super) fn run(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<Figure>> {
    wrk::ensure_installed(bench, step)?;
    let mut site = Site::start(bench, &bench.folder("memory"), None, &[])?;
    let idle = idle(bench, &mut site)?;
    let fewest = idle.iter().copied().fold(f64::INFINITY, f64::min);
    let mut figures = vec![
        Figure::new("idle", Unit::Mebibytes, idle)
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
    let each = (used - fewest) * KIBIBYTES * KIBIBYTES / f64::from(SESSIONS);
    figures.push(Figure::new("per stored session", Unit::Bytes, vec![each]));
    let waiting = waiting(bench, step, &site, &asked.under(OTHERS), &alone);
    figures.extend(waiting.unwrap_or_else(|error| {
        vec![Figure::not_measured("waiting frames", format!("{error:#}"))]
    }));
    let most = peak(site.process()?)?;
    figures.push(Figure::new(
        "the most that was ever resident",
        Unit::Mebibytes,
        vec![most],
    ));
    Ok(figures)
}

/// Right after each start.
fn idle<'a>(bench: &Bench<'a>, site: &mut Site<'a>) -> anyhow::Result<Vec<f64>> {
    let mut samples = vec![resident(site.process()?)?];
    for _ in 1..bench.runs {
        site.restart_companion(bench)?;
        samples.push(resident(site.process()?)?);
    }
    Ok(samples)
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
    let limit = open_files(site.process()?)?;
    let count = frames_within(limit);
    step.say(format_args!("{count} waiting frames"));
    let frames = Frames::wait(bench, site.companion, count)?;
    let during = resident(site.process()?)?;
    let meanwhile = others(bench, step, trial)?;
    drop(frames);
    let each = (during - before) * KIBIBYTES / f64::from(count);
    let because = if count < FRAMES {
        format!("; {limit} open files are allowed here, half of them for connections")
    } else {
        String::new()
    };
    let latency = |name: &str, runs: &[Throughput], of: fn(&Throughput) -> f64| {
        let title = format!("/api/auth/me, {OTHERS} connections, {name}");
        Figure::new(title, Unit::Milliseconds, wrk::column(runs, of))
    };
    Ok(vec![
        Figure::new(
            format!("{count} frames wait (with the sessions{because})"),
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

/// As many as there are seats for, when the others have theirs: the companion lets half of its
/// open files be connections, and one more waits at the door.
fn frames_within(open_files: u64) -> u32 {
    let seats = u32::try_from(open_files / 2).unwrap_or(u32::MAX);
    FRAMES.min(seats.saturating_sub(SPARE_SEATS))
}

fn others(bench: &Bench<'_>, step: &Step, trial: &Trial) -> anyhow::Result<Vec<Throughput>> {
    (0..bench.runs)
        .map(|_| trial.run(bench, step, bench.seconds))
        .collect()
}

/// Frames that wait until this is dropped.
struct Frames(Child);

impl Frames {
    fn wait(bench: &Bench<'_>, companion: u16, count: u32) -> anyhow::Result<Self> {
        let mut command = bench.load_tool("waiting");
        command
            .args(["--port", &companion.to_string()])
            .args(["--count", &count.to_string()])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_frames_come_where_the_machine_has_seats_for_them() {
        assert_eq!(frames_within(1_048_576), FRAMES);
        assert_eq!(frames_within(u64::MAX), FRAMES);
    }

    #[test]
    fn a_machine_that_allows_few_files_leaves_seats_to_the_others() {
        assert_eq!(frames_within(20_000), 9_900);
        assert_eq!(frames_within(100), 0);
    }
}
