//! The remote API's protected route against its public one, and what people have today: Flask
//! with `PyJWT`.

use super::Bench;
use super::figure::{Figure, Unit};
use super::peers::flask;
use super::site::Site;
use super::statistics::ratios;
use super::wrk::{self, Requests, Target, Throughput};
use crate::progress::Step;

const CROWD: u32 = 64;
/// Different tokens: one that is asked for again and again would flatter a cache.
const PEOPLE: u32 = 50;

pub(super) fn run(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<Figure>> {
    wrk::ensure_installed(bench, step)?;
    let mut site = Site::start(bench, &bench.folder("resource-server"), None, &[])?;
    let port = site.start_remote_api(bench)?;
    site.sign_in(bench, step, PEOPLE, 4)?;
    let ours = pair("remote API", port, &site);
    let runs = measure(bench, step, &ours)?;
    let mut figures = pair_figures(&ours, &runs, true);

    let cached = cached_guard(bench, step, &mut site);
    figures.extend(or_reason("experiment: verified-token cache", cached));
    let flask = flask::start(bench, step, &mut site).and_then(|port| {
        let theirs = pair("Flask + PyJWT (gunicorn)", port, &site);
        let runs = measure(bench, step, &theirs)?;
        Ok(pair_figures(&theirs, &runs, false))
    });
    figures.extend(or_reason("Flask + PyJWT", flask));
    Ok(figures)
}

/// What others do, or what we only try, costs none of our own figures when it fails.
fn or_reason(name: &str, figures: anyhow::Result<Vec<Figure>>) -> Vec<Figure> {
    figures.unwrap_or_else(|error| vec![Figure::not_measured(name, format!("{error:#}"))])
}

/// All targets by turns.
fn measure(
    bench: &Bench<'_>,
    step: &Step,
    targets: &[Target],
) -> anyhow::Result<Vec<Vec<Throughput>>> {
    let trials: Vec<_> = targets.iter().map(|target| target.under(CROWD)).collect();
    wrk::by_turns(bench, step, &trials)
}

/// An experiment: what the guard would gain by remembering tokens until they expire. All
/// requests but each token's first are found in the cache: more cannot be gained.
fn cached_guard<'a>(
    bench: &Bench<'a>,
    step: &Step,
    site: &mut Site<'a>,
) -> anyhow::Result<Vec<Figure>> {
    let port = site.start_cached_guard(bench)?;
    let target = |path, requests| Target {
        name: format!("experiment {path}"),
        port,
        path,
        requests,
    };
    let targets = [
        target("/api/ping", Requests::Plain),
        target("/api/pong", Requests::Tokens(site.access_tokens())),
        target("/api/pong-cached", Requests::Tokens(site.access_tokens())),
    ];
    Ok(cache_figures(&measure(bench, step, &targets)?))
}

fn cache_figures(runs: &[Vec<Throughput>]) -> Vec<Figure> {
    let [public, guarded, remembered] = runs else {
        return Vec::new();
    };
    let rates = |runs: &[Throughput]| wrk::column(runs, |run| run.per_second);
    let ratio = |title: &str, over: &[Throughput], under: &[Throughput]| {
        Figure::new(title, Unit::Times, ratios(&rates(over), &rates(under)))
    };
    vec![
        ratio("experiment: the guard as it is / public", guarded, public),
        ratio(
            "experiment: with a verified-token cache / public",
            remembered,
            public,
        ),
        ratio(
            "experiment: verified-token cache / the guard as it is",
            remembered,
            guarded,
        ),
        Figure::new(
            "experiment: with a verified-token cache",
            Unit::PerSecond,
            rates(remembered),
        ),
    ]
}

/// The public and the protected route of one API.
fn pair(name: &str, port: u16, site: &Site<'_>) -> Vec<Target> {
    let target = |path, requests| Target {
        name: format!("{name} {path}"),
        port,
        path,
        requests,
    };
    vec![
        target("/api/ping", Requests::Plain),
        target("/api/pong", Requests::Tokens(site.access_tokens())),
    ]
}

fn pair_figures(targets: &[Target], runs: &[Vec<Throughput>], ours: bool) -> Vec<Figure> {
    let [public, protected] = targets else {
        return Vec::new();
    };
    let rates: Vec<Vec<f64>> = runs
        .iter()
        .map(|runs| wrk::column(runs, |run| run.per_second))
        .collect();
    let [open, guarded] = rates.as_slice() else {
        return Vec::new();
    };
    let title = format!("{} / {}", protected.name, public.path);
    let ratio = Figure::new(title, Unit::Times, ratios(guarded, open));
    let past = if ours {
        "~500 /s, 93 – 167 /s (Flask)"
    } else {
        ""
    };
    let mut figures = vec![
        if ours { ratio.at_least(0.5) } else { ratio },
        Figure::new(&public.name, Unit::PerSecond, open.clone()),
        Figure::new(&protected.name, Unit::PerSecond, guarded.clone()),
    ];
    let latency = runs.last().map(|runs| wrk::column(runs, |run| run.p99));
    let title = format!("{}: p99", protected.name);
    figures.push(Figure::new(
        title,
        Unit::Milliseconds,
        latency.unwrap_or_default(),
    ));
    figures[2].past = (!past.is_empty()).then_some(past);
    figures
}

#[cfg(test)]
mod tests {
    use super::super::figure::Verdict;
    use super::*;

    #[test]
    fn the_protected_route_is_judged_by_the_public_one() {
        let target = |path| Target {
            name: format!("API {path}"),
            port: 1,
            path,
            requests: Requests::Plain,
        };
        let run = |per_second| {
            vec![Throughput {
                per_second,
                p50: 1.0,
                p99: 2.0,
            }]
        };
        let targets = [target("/api/ping"), target("/api/pong")];
        let figures = pair_figures(&targets, &[run(100.0), run(49.0)], true);
        assert_eq!(figures[0].verdict(), Verdict::Missed);
        let figures = pair_figures(&targets, &[run(100.0), run(49.0)], false);
        assert_eq!(figures[0].verdict(), Verdict::NoBar);
    }

    #[test]
    fn the_experiment_is_compared_with_the_guard_of_its_own_process() {
        let run = |per_second| {
            vec![Throughput {
                per_second,
                p50: 1.0,
                p99: 2.0,
            }]
        };
        let figures = cache_figures(&[run(100.0), run(50.0), run(90.0)]);
        let values: Vec<_> = figures.iter().map(Figure::value).collect();
        assert_eq!(values, [Some(0.5), Some(0.9), Some(1.8), Some(90.0)]);
        let judged = figures.iter().any(|figure| figure.bar.is_some());
        assert!(!judged, "an experiment has no bar");
    }

    #[test]
    fn a_peer_that_cannot_be_had_is_a_row_that_says_why() {
        let rows = or_reason("Flask + PyJWT", Err(anyhow::anyhow!("pip: no network")));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].verdict(), Verdict::NotMeasured);
    }
}
