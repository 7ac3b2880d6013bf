//! What the stores' operations cost while they grow: flat, or explained.

use std::process::Command;
use std::time::Duration;

use super::Bench;
use super::figure::{Figure, Unit};
use super::resources::free_port;
use super::samples::Samples;
use super::site::fresh;
use super::statistics::median;
use crate::commands::demo;
use crate::process;
use crate::progress::Step;
use crate::services::Services;
use crate::tools::servers;

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
const LARGEST: u32 = 1_000_000;
const OPERATIONS: [(&str, &str); 8] = [
    ("load", "load by cookie, first time"),
    ("load again", "load by cookie, again"),
    ("refresh", "refresh (write the payload)"),
    ("create", "create (a login)"),
    ("logout", "logout by subject (3 sessions)"),
    ("purge", "purge (a batch of 500)"),
    ("count", "count the live ones (once a minute)"),
    ("load while counted", "load while they are counted"),
];
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn run(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<Figure>> {
    let folder = bench.folder("growth");
    fresh(&folder)?;
    let sizes = sizes(bench.long);
    step.say("SQLite");
    let store = format!("sqlite:{}", folder.join("growth.db").display());
    let sqlite = measure(bench, step, "SQLite", &store, &sizes);
    let mut figures = or_reason("SQLite", sqlite);
    // Gigabytes, with --long.
    fresh(&folder)?;
    step.say("Redis");
    let redis = redis(bench, step, &sizes);
    figures.extend(or_reason("Redis", redis));
    Ok(figures)
}

/// A store that fails is a row: the other one is worth having all the same.
fn or_reason(store: &str, figures: anyhow::Result<Vec<Figure>>) -> Vec<Figure> {
    figures.unwrap_or_else(|error| vec![Figure::not_measured(store, format!("{error:#}"))])
}

fn redis(bench: &Bench<'_>, step: &Step, sizes: &[u32]) -> anyhow::Result<Vec<Figure>> {
    servers::ensure(bench.context, step)?;
    let port = free_port()?;
    let mut services = Services::new(bench.context);
    let command = bench.cores.load("redis-server".as_ref());
    let mut command = demo::in_known_environment(command, &bench.folder("growth"));
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .args(["--maxmemory-policy", "noeviction"]);
    services.start("bench redis", &mut command, None, false)?;
    services.run_until(PATIENCE, || redis_says(port, "ping"))?;
    let url = format!("redis://127.0.0.1:{port}");
    let mut figures = measure(bench, step, "Redis", &url, sizes)?;
    if let (Some(bytes), Some(largest)) = (used_memory(port), sizes.last()) {
        let title = "Redis: its memory per session, 4 handles each";
        let each = bytes / f64::from(*largest);
        figures.push(Figure::new(title, Unit::Bytes, vec![each]));
    }
    Ok(figures)
}

fn redis_says(port: u16, command: &str) -> Option<String> {
    let mut client = Command::new("redis-cli");
    client
        .args(["-p", &port.to_string()])
        .args(command.split(' '));
    let output = client
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn used_memory(port: u16) -> Option<f64> {
    let text = redis_says(port, "info memory")?;
    super::machine::find_field(&text, "used_memory")?
        .parse()
        .ok()
}

fn measure(
    bench: &Bench<'_>,
    step: &Step,
    name: &str,
    store: &str,
    sizes: &[u32],
) -> anyhow::Result<Vec<Figure>> {
    let list: Vec<String> = sizes.iter().map(ToString::to_string).collect();
    let program = bench.binary("bench-load");
    let mut command = bench.cores.server(program.as_os_str());
    command
        .args(["growth", "--store", store])
        .args(["--sizes", &list.join(",")])
        .env("RUST_BACKTRACE", "0");
    let samples = Samples::parse(&process::run(bench.context, step, &mut command)?)?;
    let mut figures: Vec<Figure> = OPERATIONS
        .iter()
        .flat_map(|(operation, title)| curve(&samples, name, operation, title, sizes))
        .collect();
    figures.push(refused(&samples, name, sizes));
    Ok(figures)
}

/// Calls that the store had no time for, and that were made again: their waits are in no row.
fn refused(samples: &Samples, store: &str, sizes: &[u32]) -> Figure {
    let calls = sizes
        .iter()
        .filter_map(|size| samples.one(&format!("refused {size}")));
    let title = format!("{store}: calls refused for want of time, all sizes");
    Figure::new(title, Unit::Count, vec![calls.sum()])
}

/// A row for each size, and how much dearer the largest is than the smallest.
fn curve(
    samples: &Samples,
    store: &str,
    operation: &str,
    title: &str,
    sizes: &[u32],
) -> Vec<Figure> {
    let of = |size: &u32| median(samples.of(&format!("{operation} {size}")));
    let mut figures: Vec<Figure> = sizes
        .iter()
        .map(|size| {
            let title = format!("{store}: {title}, {size} sessions");
            Figure::new(title, Unit::Milliseconds, of(size).into_iter().collect())
        })
        .collect();
    if let (Some(small), Some(large)) = (sizes.first().and_then(of), sizes.last().and_then(of)) {
        let title = format!("{store}: {title}, most / fewest sessions");
        figures.push(Figure::new(title, Unit::Times, vec![large / small]));
    }
    figures
}

fn sizes(long: bool) -> Vec<u32> {
    let mut sizes = SIZES.to_vec();
    if long {
        sizes.push(LARGEST);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_with_how_steep_it_is() {
        let samples = Samples::parse(
            "{\"samples\":{\"load 1000\":[0.1,0.2,0.3],\"load 10000\":[0.3],\"load 100000\":[0.4]}}",
        )
        .unwrap();
        let figures = curve(&samples, "SQLite", "load", "load", &sizes(false));
        let values: Vec<_> = figures.iter().map(Figure::value).collect();
        assert_eq!(values, [Some(0.2), Some(0.3), Some(0.4), Some(2.0)]);
    }

    #[test]
    fn an_operation_that_failed_at_one_size_is_told_so_there() {
        let samples = Samples::parse("{\"samples\":{\"count 1000\":[2.0]}}").unwrap();
        let figures = curve(&samples, "SQLite", "count", "count", &sizes(false));
        let values: Vec<_> = figures.iter().map(Figure::value).collect();
        assert_eq!(values, [Some(2.0), None, None]);
    }

    #[test]
    fn refused_calls_of_all_sizes_are_told() {
        let text = "{\"samples\":{\"refused 1000\":[2],\"refused 100000\":[1]}}";
        let figure = refused(&Samples::parse(text).unwrap(), "SQLite", &sizes(false));
        assert_eq!(figure.value(), Some(3.0));
    }

    #[test]
    fn a_store_that_fails_is_a_row_with_its_reason() {
        let rows = or_reason("Redis", Err(anyhow::anyhow!("redis-server missing")));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].name, "Redis");
        assert!(rows[0].value().is_none());
    }

    #[test]
    fn a_million_is_for_those_who_have_time() {
        assert!(!sizes(false).contains(&LARGEST));
        assert!(sizes(true).contains(&LARGEST));
    }
}
