//! The component in Chromium: bytes, requests, cold and warm loads at three speeds, and an
//! idle minute.

use super::Bench;
use super::browser;
use super::figure::{Figure, Unit};
use super::statistics::median;
use crate::progress::Step;

/// Networks by the script's names, with the 2022 system's `componentReady` and first height,
/// milliseconds, and the same in words.
const NETWORKS: [Network; 3] = [
    Network {
        name: "fast",
        title: "unthrottled",
        past: (501.0, 603.0),
        words: ("501 ms", "603 ms"),
        has_bar: false,
    },
    Network {
        name: "middle",
        title: "9 Mb/s, 60 ms",
        past: (727.0, 826.0),
        words: ("727 ms", "826 ms"),
        has_bar: true,
    },
    Network {
        name: "slow",
        title: "1.6 Mb/s, 150 ms",
        past: (1_367.0, 1_432.0),
        words: ("1,367 ms", "1,432 ms"),
        has_bar: false,
    },
];
/// Shares of the 2022 figures that are allowed.
const READY_SHARE: f64 = 0.5;
const BUTTON_SHARE: f64 = 0.8;

struct Network {
    name: &'static str,
    title: &'static str,
    past: (f64, f64),
    words: (&'static str, &'static str),
    has_bar: bool,
}

pub(super) fn run(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<Figure>> {
    let arguments = ["--runs".to_owned(), bench.runs.to_string()];
    let samples = browser::script(bench, step, "frame.py", &arguments, None)?;
    let median_of = |name: &str, title: &str, unit| {
        let value = median(samples.of(name));
        Figure::new(title, unit, value.into_iter().collect())
    };
    let mut figures = vec![
        median_of(
            "bytes",
            "bytes on the wire: HTML, JS, WASM, CSS",
            Unit::Bytes,
        )
        .at_most(65_000.0)
        .past("153,506 B gzip; 131,455 B brotli"),
        median_of("requests", "requests for them", Unit::Count)
            .at_most(5.0)
            .past("13"),
        median_of(
            "all requests",
            "all requests, with the question who is signed in",
            Unit::Count,
        ),
        median_of("warm bytes", "bytes on the wire, warm", Unit::Bytes),
        median_of(
            "idle requests",
            "requests of an idle frame in a minute",
            Unit::Count,
        )
        .at_most(0.0)
        .past("15"),
    ];
    for network in &NETWORKS {
        for kind in ["cold", "warm"] {
            let of = |event: &str, unit| {
                let title = format!("{kind} load, {}: {event}", network.title);
                samples.figure(&format!("{kind} {} {event}", network.name), title, unit)
            };
            let mut ready = of("componentReady", Unit::Milliseconds);
            let height = of("first height", Unit::Milliseconds);
            let mut button = of("button painted", Unit::Milliseconds);
            if kind == "cold" {
                ready.past = Some(network.words.0);
                button.past = Some(network.words.1);
                if network.has_bar {
                    ready = ready.at_most(READY_SHARE * network.past.0);
                    button = button.at_most(BUTTON_SHARE * network.past.1);
                }
            }
            figures.extend([ready, height, button]);
        }
    }
    Ok(figures)
}
