//! From the provider's redirect to the name in Streamlit, in Chromium, with its parts; and the
//! same of Streamlit's own `st.login`, by turns.

use super::Bench;
use super::browser;
use super::figure::{Figure, Unit};
use super::peers;
use super::samples::Samples;
use crate::progress::Step;

/// Logins of each in one run: with five runs, enough for a 90th percentile.
const LOGINS: usize = 5;
/// Parts as the script names them, in the order in which they follow each other.
const PARTS: [(&str, &str); 6] = [
    (
        "callback",
        "callback request (with the provider's token request)",
    ),
    ("handoff", "→ the frame has its result and ticket"),
    ("event", "→ the frame's event is in Streamlit's page"),
    ("rerun", "→ Python begins to redeem"),
    ("redeem", "→ redeemed, as Python sees it"),
    ("shown", "→ the name is drawn"),
];

pub(super) fn run(bench: &Bench<'_>, step: &Step) -> anyhow::Result<Vec<Figure>> {
    let mut ours = Samples::default();
    let mut native = anyhow::Ok(Samples::default());
    let logins = ["--count".to_owned(), LOGINS.to_string()];
    for run in 1..=bench.runs {
        step.say(format_args!("run {run} of {}", bench.runs));
        ours.extend(browser::script(
            bench,
            step,
            "login_latency.py",
            &logins,
            None,
        )?);
        native = native.and_then(|mut samples| {
            samples.extend(peers::native::logins(bench, step, &logins)?);
            Ok(samples)
        });
    }
    let mut figures = totals(&ours);
    for (name, title) in PARTS {
        for percent in [50, 90] {
            figures.push(ours.percentile(name, percent, format!("{title}: p{percent}")));
        }
    }
    figures.extend(floor(&ours));
    figures.push(
        ours.figure("runs", "runs of the script a sign-in", Unit::Count)
            .at_most(1.0),
    );
    match native {
        Ok(samples) => figures.extend([50, 90].map(|percent| {
            let title = format!("native st.login: redirect back → name shown, p{percent}");
            samples.percentile("total", percent, title).past("1.7 s")
        })),
        Err(error) => figures.push(Figure::not_measured(
            "native st.login",
            format!("{error:#}"),
        )),
    }
    Ok(figures)
}

/// What any component costs: the part of a sign-in that is Streamlit's, whoever makes it.
fn floor(samples: &Samples) -> [Figure; 3] {
    let floor = |percent| {
        let title =
            format!("Streamlit's floor: a trivial component's value → its text, p{percent}");
        samples.percentile("floor", percent, title)
    };
    let above = "redirect back → name shown, above that floor, p50".to_owned();
    [floor(50), floor(90), samples.percentile("above", 50, above)]
}

fn totals(samples: &Samples) -> Vec<Figure> {
    let total = |percent| {
        let title = format!("provider's redirect back → name shown in Streamlit, p{percent}");
        samples.percentile("total", percent, title)
    };
    vec![
        total(50).at_most(250.0).past("1.9 – 2.4 s"),
        total(90).past("3.9 s at most"),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::figure::Verdict;
    use super::*;

    #[test]
    fn the_median_login_is_judged() {
        let samples = Samples::parse("{\"samples\":{\"total\":[200,240,900]}}").unwrap();
        let figures = totals(&samples);
        assert_eq!(figures[0].value(), Some(240.0));
        assert_eq!(figures[0].verdict(), Verdict::Holds);
        assert_eq!(figures[1].value(), Some(900.0));
    }
}
