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
    let flask = flask::start(bench, step, &mut site);

    let mut targets = pair("remote API", port, &site);
    if let Ok(port) = flask {
        targets.extend(pair("Flask + PyJWT (gunicorn)", port, &site));
    }
    let trials: Vec<_> = targets.iter().map(|target| target.under(CROWD)).collect();
    let results = wrk::by_turns(bench, step, &trials)?;
    let mut figures = Vec::new();
    for (index, (targets, runs)) in targets.chunks(2).zip(results.chunks(2)).enumerate() {
        figures.extend(pair_figures(targets, runs, index == 0));
    }
    if let Err(error) = flask {
        figures.push(Figure::not_measured("Flask + PyJWT", format!("{error:#}")));
    }
    Ok(figures)
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
}
