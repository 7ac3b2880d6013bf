//! The companion's routes against a bare axum route, and against Apache's relying party, by
//! turns in each run.

use super::Bench;
use super::figure::{Figure, Unit};
use super::peers::apache::{Apache, CALLBACK_PATH};
use super::resources::free_port;
use super::samples::Samples;
use super::site::Site;
use super::statistics::ratios;
use super::wrk::{self, Requests, Target, Throughput, Trial};
use crate::commands::demo;
use crate::progress::Step;
use crate::readiness::Probe;

/// As the 2022 system was measured.
const CROWDS: [u32; 3] = [1, 32, 64];
/// The crowd of the bars.
const CROWD: u32 = 64;
/// People who are signed in while it is measured.
const PEOPLE: u32 = 200;
/// Logins one after the other, for the latency of each step.
const LOGINS: u32 = 150;
/// Logins at once, for how many there are in a second.
const LOGINS_AT_ONCE: u32 = 8;

/// What is measured with all crowds, and the 2022 system's figure for each.
const PAST: [(&str, [&str; 3]); 3] = [
    ("/api/ping", ["2,147 /s", "2,632 /s", "2,854 /s"]),
    (
        "/api/auth/me",
        ["881 /s", "1,011 /s", "910 /s, time-outs, p99 1.1 s"],
    ),
    ("/api/auth/login", ["1,229 /s", "1,431 /s", "1,316 /s"]),
];

/// One trial's results.
struct Measured {
    trial: Trial,
    runs: Vec<Throughput>,
}

pub(super) fn run(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<Figure>> {
    wrk::ensure_installed(bench, step)?;
    let apache_port = free_port()?;
    let callback = format!("http://localhost:{apache_port}{CALLBACK_PATH}");
    let mut site = Site::start(bench, &bench.folder("server"), None, &[callback])?;
    let bare = start_bare_route(bench, &mut site)?;
    let apache = Apache::start(bench, step, &mut site, apache_port);
    step.say(format_args!("{LOGINS} logins one by one"));
    let logins = site.sign_in(bench, step, LOGINS, 1)?;
    step.say(format_args!("{PEOPLE} logins, {LOGINS_AT_ONCE} at once"));
    let crowd = site.sign_in(bench, step, PEOPLE, LOGINS_AT_ONCE)?;

    let measured = measure(bench, step, trials(&site, &bare))?;
    let mut figures = ratio_figures(&measured);
    figures.extend(measured.iter().flat_map(throughput_figures));
    // The peer's own, so that its trouble costs none of ours.
    let peer = apache.and_then(|apache| {
        let trials = apache.targets().map(|target| target.under(CROWD));
        measure(bench, step, trials.collect())
    });
    match peer {
        Ok(measured) => figures.extend(measured.iter().flat_map(throughput_figures)),
        Err(error) => figures.push(Figure::not_measured(
            "Apache mod_auth_openidc",
            format!("{error:#}"),
        )),
    }
    figures.extend(login_figures(&logins, &crowd));
    Ok(figures)
}

fn measure(bench: &Bench<'_>, step: &Step, trials: Vec<Trial>) -> anyhow::Result<Vec<Measured>> {
    let results = wrk::by_turns(bench, step, &trials)?;
    let measured = trials.into_iter().zip(results);
    Ok(measured
        .map(|(trial, runs)| Measured { trial, runs })
        .collect())
}

fn start_bare_route(bench: &Bench<'_>, site: &mut Site<'_>) -> anyhow::Result<Target> {
    let port = free_port()?;
    let program = bench.binary("bench-load");
    let command = bench.cores.server(program.as_os_str());
    let mut command = demo::in_known_environment(command, bench.context.workspace.root());
    command.args(["bare-route", "--port", &port.to_string()]);
    let path = "/api/ping";
    let probe = Probe { port, path };
    site.services
        .start("bench bare route", &mut command, Some(probe), false)?;
    site.services.wait_ready(bench.patience)?;
    Ok(Target {
        name: "bare axum route".to_owned(),
        port,
        path,
        requests: Requests::Plain,
    })
}

fn trials(site: &Site<'_>, bare: &Target) -> Vec<Trial> {
    let at_all_crowds = [
        bare.clone(),
        site.target("/api/ping", Requests::Plain),
        site.target("/api/auth/me", Requests::Cookies(site.cookies())),
        site.target("/api/auth/login", Requests::Plain),
    ];
    let at_the_crowd = [
        site.target("/api/auth/session", Requests::Grants(site.grants())),
        site.target("/api/auth/token", Requests::Grants(site.grants())),
    ];
    // Crowd by crowd, so that the two of a ratio follow each other.
    CROWDS
        .iter()
        .flat_map(|crowd| at_all_crowds.iter().map(|target| target.under(*crowd)))
        .chain(at_the_crowd.iter().map(|target| target.under(CROWD)))
        .collect()
}

fn ratio_figures(measured: &[Measured]) -> Vec<Figure> {
    let rates = |name: &str| {
        let found = measured.iter().find(|measured| {
            measured.trial.target.name == name && measured.trial.connections == CROWD
        });
        found.map_or(Vec::new(), |measured| {
            wrk::column(&measured.runs, |run| run.per_second)
        })
    };
    let ratio = |over: &str, under: &str| {
        let title = format!("{over} / {under}, {CROWD} connections");
        Figure::new(title, Unit::Times, ratios(&rates(over), &rates(under)))
    };
    vec![
        ratio("/api/ping", "bare axum route").at_least(0.9),
        ratio("/api/auth/me", "/api/ping")
            .at_least(0.6)
            .past("0.32"),
        ratio("/api/auth/session", "/api/ping"),
        ratio("/api/auth/token", "/api/ping"),
    ]
}

fn throughput_figures(measured: &Measured) -> Vec<Figure> {
    let Measured { trial, runs } = measured;
    let title = trial.title();
    let rate = wrk::column(runs, |run| run.per_second);
    let mut rate = Figure::new(title.clone(), Unit::PerSecond, rate);
    rate.past = past(&trial.target.name, trial.connections);
    let latency = |name: &str, of: fn(&Throughput) -> f64| {
        let title = format!("{title}: {name}");
        Figure::new(title, Unit::Milliseconds, wrk::column(runs, of))
    };
    vec![
        rate,
        latency("p50", |run| run.p50),
        latency("p99", |run| run.p99),
    ]
}

fn past(name: &str, connections: u32) -> Option<&'static str> {
    let (_, figures) = PAST.iter().find(|(known, _)| *known == name)?;
    let index = CROWDS.iter().position(|crowd| *crowd == connections)?;
    Some(figures[index])
}

fn login_figures(logins: &Samples, crowd: &Samples) -> Vec<Figure> {
    let mut figures = Vec::new();
    for step in ["login", "callback", "handoff", "redeem"] {
        for percent in [50, 90] {
            let title = format!("a login's {step} request: p{percent}");
            figures.push(logins.percentile(step, percent, title));
        }
    }
    let per_second: Vec<f64> = crowd
        .one("seconds")
        .map(|seconds| f64::from(PEOPLE) / seconds)
        .into_iter()
        .collect();
    let title = format!("whole logins (login to redeem), {LOGINS_AT_ONCE} at once");
    figures.push(Figure::new(title, Unit::PerSecond, per_second));
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str, connections: u32, rates: &[f64]) -> Measured {
        let target = Target {
            name: name.to_owned(),
            port: 1,
            path: "/",
            requests: Requests::Plain,
        };
        let run = |per_second: &f64| Throughput {
            per_second: *per_second,
            p50: 1.0,
            p99: 2.0,
        };
        Measured {
            trial: target.under(connections),
            runs: rates.iter().map(run).collect(),
        }
    }

    #[test]
    fn a_ratio_is_of_the_crowd_of_the_bar_and_of_each_run() {
        let figures = ratio_figures(&[
            measured("/api/ping", 1, &[1.0, 1.0, 1.0]),
            measured("/api/ping", CROWD, &[100.0, 50.0, 200.0]),
            measured("/api/auth/me", CROWD, &[70.0, 40.0, 100.0]),
        ]);
        assert_eq!(figures[1].value(), Some(0.7));
        // The floor was not measured: that is no success.
        assert_eq!(figures[0].value(), None);
    }

    #[test]
    fn the_past_stands_beside_the_same_crowd() {
        let figures = throughput_figures(&measured("/api/auth/login", 32, &[1.0]));
        assert_eq!(figures[0].past, Some("1,431 /s"));
        assert_eq!(past("/api/auth/session", 32), None);
        assert_eq!(past("/api/ping", 7), None);
    }
}
