//! What it was measured on: numbers without it mean nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde::Serialize;

use crate::workspace::Workspace;

const UNKNOWN: &str = "unknown";

/// The machine, the tools and the state of the checkout.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    date: String,
    commit: String,
    cpu: String,
    cores: usize,
    memory: String,
    kernel: String,
    rustc: String,
    pub(super) profile: &'static str,
    /// The load average before anything was started: others at work spoil the numbers.
    load_before: String,
}

impl Machine {
    pub(super) fn look(workspace: &Workspace, profile: &'static str) -> Self {
        Self {
            date: said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
            commit: commit(workspace.root()),
            cpu: field("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory: memory(&field("/proc/meminfo", "MemTotal")),
            kernel: said(Command::new("uname").arg("-sr")),
            rustc: said(Command::new("rustc").arg("--version")),
            profile,
            load_before: load(&fs::read_to_string("/proc/loadavg").unwrap_or_default()),
        }
    }

    pub(super) fn cores(&self) -> usize {
        self.cores
    }

    /// A list for the head of the table.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        for (name, value) in [
            ("date", self.date.as_str()),
            ("commit", &self.commit),
            ("processor", &format!("{}, {} cores", self.cpu, self.cores)),
            ("memory", &self.memory),
            ("kernel", &self.kernel),
            (
                "compiler",
                &format!("{}, {} profile", self.rustc, self.profile),
            ),
            ("load average before", &self.load_before),
        ] {
            let _infallible = writeln!(text, "- {name}: {value}");
        }
        text
    }
}

fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(root).args(arguments);
        command
    };
    let commit = said(&mut git(&["rev-parse", "--short", "HEAD"]));
    let status = git(&["status", "--porcelain"]).output();
    if status.is_ok_and(|output| !output.stdout.is_empty()) {
        commit + " with changes"
    } else {
        commit
    }
}

/// The first line that a program says.
fn said(command: &mut Command) -> String {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = text.as_deref().and_then(|text| text.lines().next());
    line.unwrap_or(UNKNOWN).to_owned()
}

/// The first `name: value` of a file of the kernel's.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    find_field(&text, name).unwrap_or(UNKNOWN).to_owned()
}

pub(super) fn find_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// `24 610 232 kB` → `23.5 GiB`.
fn memory(total: &str) -> String {
    let kibibytes: Option<f64> = total.trim_end_matches(" kB").parse().ok();
    kibibytes.map_or(UNKNOWN.to_owned(), |kibibytes| {
        format!("{:.1} GiB", kibibytes / 1024.0 / 1024.0)
    })
}

/// One, five and fifteen minutes.
fn load(averages: &str) -> String {
    let numbers: Vec<&str> = averages.split_whitespace().take(3).collect();
    numbers.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_kernel_are_found_by_name() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC\nMemTotal:       2048 kB\n";
        assert_eq!(find_field(text, "model name"), Some("AMD EPYC"));
        assert_eq!(find_field(text, "MemTotal"), Some("2048 kB"));
        assert_eq!(find_field(text, "model"), None);
    }

    #[test]
    fn memory_and_load_are_read() {
        assert_eq!(memory("25165824 kB"), "24.0 GiB");
        assert_eq!(memory("much"), UNKNOWN);
        assert_eq!(load("1.25 1.97 3.47 2/311 4711"), "1.25, 1.97, 3.47");
    }

    #[test]
    fn this_machine_is_described() {
        let lines = Machine::look(&Workspace::locate().unwrap(), "dev").lines();
        assert_eq!(lines.lines().count(), 7);
        assert!(lines.contains("dev profile"));
    }
}
