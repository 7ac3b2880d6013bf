//! `cargo xtask bench`: every number that the design holds the product to, and its peers' in
//! the same run. Prints one table and writes every sample as JSON; judges, and fails nothing.

mod browser;
mod cores;
mod developer;
mod figure;
mod frame;
mod growth;
mod login_latency;
mod machine;
mod memory;
mod peers;
mod program;
mod record;
mod resource_server;
mod resources;
mod samples;
mod server;
mod site;
mod start;
mod statistics;
mod table;
mod wrk;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::ensure;
use clap::Args;

use self::cores::Cores;
use self::figure::{Figure, Verdict};
use self::machine::Machine;
use self::table::Part;
use super::build::{self, ServerProfile};
use crate::context::Context;
use crate::frontend_build::Profile;
use crate::process;
use crate::progress::Step;

/// How long a program may take to get ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only sections whose names contain one of these
    #[arg(value_name = "SECTION")]
    sections: Vec<String>,
    /// Runs of each measurement, by turns with the others; medians count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Seconds of load in each run
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Also what takes long: a million sessions, the demo of a fresh clone
    #[arg(long)]
    long: bool,
    /// Measure as it was built last
    #[arg(long)]
    no_build: bool,
    /// Development profiles: to try the benchmark itself, its numbers mean nothing
    #[arg(long)]
    dev: bool,
    /// Where the samples go
    #[arg(long, value_name = "FILE", default_value = "target/bench/bench.json")]
    json: PathBuf,
    /// Where the table goes as well: documentation has it generated, not typed
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Something that is measured together.
struct Section {
    name: &'static str,
    title: &'static str,
    measure: fn(&Bench<'_>, &Step) -> anyhow::Result<Vec<Figure>>,
}

const SECTIONS: [Section; 8] = [
    Section {
        name: "server",
        title: "Server",
        measure: server::run,
    },
    Section {
        name: "resource-server",
        title: "Resource server",
        measure: resource_server::run,
    },
    Section {
        name: "memory",
        title: "Memory",
        measure: memory::run,
    },
    Section {
        name: "start",
        title: "Start",
        measure: start::run,
    },
    Section {
        name: "frame",
        title: "Frame",
        measure: frame::run,
    },
    Section {
        name: "login-latency",
        title: "Login latency",
        measure: login_latency::run,
    },
    Section {
        name: "growth",
        title: "Growth",
        measure: growth::run,
    },
    Section {
        name: "developer",
        title: "Developer's time",
        measure: developer::run,
    },
];

/// What every section works with.
struct Bench<'a> {
    context: &'a Context,
    runs: u32,
    seconds: u32,
    long: bool,
    dev: bool,
    cores: Cores,
    patience: Duration,
}

/// Builds, measures, prints, writes.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let sections = select(&arguments.sections)?;
    let bench = Bench {
        context,
        runs: arguments.runs,
        seconds: arguments.seconds,
        long: arguments.long,
        dev: arguments.dev,
        cores: Cores::of_this_machine(),
        patience: PATIENCE,
    };
    if !arguments.no_build {
        bench.build()?;
    }
    let machine = Machine::look(&context.workspace, bench.profile());
    let remarks = bench.remarks(&machine);
    let mut parts = Vec::new();
    for section in sections {
        parts.push(section.run(&bench)?);
        // What is measured stays, whatever happens to the next section.
        record::write(&arguments.json, &machine, &remarks, &parts)?;
        if let Some(path) = &arguments.markdown {
            table::write(path, &table::render(&machine, &remarks, &parts))?;
        }
    }
    println!("\n{}", table::render(&machine, &remarks, &parts));
    let missed = count(&parts, Verdict::Missed);
    println!(
        "{missed} bars missed, {} hold; every sample: {}",
        count(&parts, Verdict::Holds),
        arguments.json.display()
    );
    Ok(ExitCode::SUCCESS)
}

fn count(parts: &[Part], verdict: Verdict) -> usize {
    let figures = parts.iter().flat_map(|part| &part.figures);
    figures.filter(|figure| figure.verdict() == verdict).count()
}

impl Section {
    /// A whole name means that section only.
    fn is_meant_by(&self, filter: &str) -> bool {
        if SECTIONS.iter().any(|section| section.name == filter) {
            self.name == filter
        } else {
            self.name.contains(filter)
        }
    }

    /// One that fails is a row in the table: the others are worth having all the same.
    fn run(&self, bench: &Bench<'_>) -> anyhow::Result<Part> {
        let step = bench.context.progress.step(self.name);
        step.say("measuring");
        let figures = (self.measure)(bench, &step);
        ensure!(!bench.context.interrupt.requested(), "stopped");
        let figures = figures.unwrap_or_else(|error| {
            step.say(format_args!("{error:#}"));
            vec![Figure::not_measured(self.name, format!("{error:#}"))]
        });
        step.done("measured");
        Ok(Part {
            title: self.title,
            figures,
        })
    }
}

impl Bench<'_> {
    fn build(&self) -> anyhow::Result<()> {
        let profile = if self.dev {
            ServerProfile::Dev
        } else {
            ServerProfile::Release
        };
        // The component is always the one that people get.
        build::all(self.context, Profile::Release, profile)?;
        // Alone: in one build Cargo would unite its features with the companion's.
        let step = self.context.progress.step("bench-load");
        let mut command = process::cargo(self.context.workspace.root());
        command.args(["build", "--package", "bench-load"]);
        if !self.dev {
            command.arg("--release");
        }
        process::run(self.context, &step, &mut command)?;
        step.done("built");
        Ok(())
    }

    fn profile(&self) -> &'static str {
        if self.dev { "development" } else { "release" }
    }

    fn remarks(&self, machine: &Machine) -> Vec<String> {
        let mut remarks = vec![
            format!(
                "{} runs by turns of {} s load each; the median of the runs, least and most in brackets; ratios within one run",
                self.runs, self.seconds
            ),
            self.cores.remark(),
        ];
        if self.dev {
            remarks.push("DEVELOPMENT PROFILE: these numbers mean nothing".to_owned());
        }
        if machine.cores() > 2 {
            remarks.push("the bars are for two cores".to_owned());
        }
        remarks
    }

    /// A native binary under test.
    fn binary(&self, name: &str) -> PathBuf {
        let folder = if self.dev { "debug" } else { "release" };
        self.context.workspace.target().join(folder).join(name)
    }

    /// A command of `bench-load`, on the load's core.
    fn load_tool(&self, command: &str) -> Command {
        let program = self.binary("bench-load");
        let mut tool = self.cores.load(program.as_os_str());
        // An error is told in one line.
        tool.arg(command).env("RUST_BACKTRACE", "0");
        tool
    }

    /// Where a section's files go.
    fn folder(&self, name: &str) -> PathBuf {
        self.context
            .workspace
            .target()
            .join("bench/work")
            .join(name)
    }
}

fn select(filters: &[String]) -> anyhow::Result<Vec<&'static Section>> {
    let unknown = filters
        .iter()
        .find(|filter| !SECTIONS.iter().any(|section| section.is_meant_by(filter)));
    if let Some(unknown) = unknown {
        let names: Vec<&str> = SECTIONS.iter().map(|section| section.name).collect();
        anyhow::bail!("no section `{unknown}`: there are {}", names.join(", "));
    }
    let is_meant = |section: &&Section| {
        filters.is_empty() || filters.iter().any(|filter| section.is_meant_by(filter))
    };
    Ok(SECTIONS.iter().filter(is_meant).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(filters: &[&str]) -> Vec<&'static str> {
        let filters: Vec<String> = filters.iter().map(ToString::to_string).collect();
        let selected = select(&filters).unwrap();
        selected.iter().map(|section| section.name).collect()
    }

    #[test]
    fn without_a_name_everything_is_measured() {
        assert_eq!(names(&[]).len(), SECTIONS.len());
    }

    #[test]
    fn sections_are_chosen_by_part_of_their_name() {
        assert_eq!(names(&["latency"]), ["login-latency"]);
        assert_eq!(names(&["server"]), ["server"]);
        assert_eq!(names(&["serv"]), ["server", "resource-server"]);
    }

    #[test]
    fn a_name_that_nothing_has_is_an_error_that_lists_them() {
        let error = select(&["latencies".to_owned()]).err().unwrap();
        assert!(error.to_string().contains("login-latency"), "{error}");
    }
}
