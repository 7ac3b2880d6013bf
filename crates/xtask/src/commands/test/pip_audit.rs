//! pip-audit: known vulnerabilities of the Python packages that the tests pin.
//!
//! It asks `PyPI` about each version. A mirror may know the packages and nothing of their
//! vulnerabilities: what was not told is never called good here.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

use super::report::Verdict;
use super::supply_chain::pinned_tool;
use crate::context::Context;
use crate::process;
use crate::progress::Step;

const PINS: &str = "python/requirements-dev.txt";
const EXCEPTIONS: &str = "crates/xtask/pip-audit-exceptions.toml";
/// A reason is a sentence, not a word.
const SHORTEST_REASON: usize = 15;

/// How it breaks off when the service does not answer, as opposed to what it says of an answer.
const UNREACHABLE: [&str; 7] = [
    "Could not connect to PyPI's vulnerability feed",
    "PyPI is not redirecting properly",
    "requests.exceptions.ConnectionError",
    "requests.exceptions.ProxyError",
    "requests.exceptions.ConnectTimeout",
    "requests.exceptions.ReadTimeout",
    "requests.exceptions.HTTPError: 5",
];

/// Every pin of the development environment, which has those of the package within it.
pub(crate) fn advisories(context: &Context, step: &Step) -> anyhow::Result<Verdict> {
    let pins = fs::read_to_string(context.workspace.join(PINS))?;
    let exceptions = fs::read_to_string(context.workspace.join(EXCEPTIONS))?;
    let exceptions: Exceptions =
        toml::from_str(&exceptions).with_context(|| format!("{EXCEPTIONS} cannot be read"))?;
    let finished = audit(context, step)?;
    let conclusion = match finished {
        Finished::Told(audit) => judge(&audit, &exceptions, count_pins(&pins)),
        Finished::Unreachable => Conclusion::Unchecked(format!(
            "PyPI is not reachable from this machine, so none of {} Python packages",
            count_pins(&pins)
        )),
    };
    Ok(match conclusion {
        Conclusion::Passed(words) => Verdict::passed_with(words),
        Conclusion::Unchecked(words) => Verdict::unchecked(format!(
            "{words}: run `cargo xtask test advisories` on a machine that reaches pypi.org itself"
        )),
        Conclusion::Failed(words) => Verdict::failed(words),
    })
}

enum Finished {
    Told(Audit),
    Unreachable,
}

fn audit(context: &Context, step: &Step) -> anyhow::Result<Finished> {
    let folder = pinned_tool(context, step, "pip-audit")?;
    let output = context.workspace.target().join("pip-audit.json");
    match fs::remove_file(&output) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut command = Command::new(context.workspace.venv_program("python"));
    command
        .current_dir(context.workspace.root())
        .env("PYTHONPATH", &folder)
        .args(["-m", "pip_audit", "--requirement", PINS])
        // All versions are pinned: there is nothing to resolve.
        .args(["--no-deps", "--disable-pip", "--progress-spinner", "off"])
        .args(["--format", "json", "--desc", "off", "--output"])
        .arg(&output)
        .arg("--cache-dir")
        .arg(context.workspace.target().join("pip-audit-cache"));
    // Its status is 1 for a finding and for a failure of its own; its file tells them apart.
    let finished = process::run_to_end(context, step, &mut command)?;
    match fs::read(&output) {
        Ok(told) => Ok(Finished::Told(
            serde_json::from_slice(&told).context("what pip-audit wrote cannot be read")?,
        )),
        Err(_) if is_unreachable(&finished.output) => Ok(Finished::Unreachable),
        Err(_) => anyhow::bail!(
            "pip-audit wrote nothing; its last lines:\n{}",
            process::last_lines(&finished.output, 40)
        ),
    }
}

/// By its last line: those before it tell how it came to that.
fn is_unreachable(output: &str) -> bool {
    let last = output.trim_end().lines().next_back().unwrap_or_default();
    UNREACHABLE.iter().any(|words| last.contains(words))
}

/// `name==version` lines.
fn count_pins(text: &str) -> usize {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .count()
}

/// What pip-audit writes.
#[derive(Deserialize)]
struct Audit {
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Of one that could not be audited.
    skip_reason: Option<String>,
    #[serde(default)]
    vulns: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: String,
    aliases: Vec<String>,
    fix_versions: Vec<String>,
}

/// By the vulnerability's number.
type Exceptions = BTreeMap<String, Exception>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    package: String,
    reason: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Conclusion {
    Passed(String),
    Unchecked(String),
    Failed(String),
}

fn judge(audit: &Audit, exceptions: &Exceptions, pinned: usize) -> Conclusion {
    let mut wrong = Vec::new();
    let told = audit.dependencies.len();
    if told != pinned || pinned == 0 {
        wrong.push(format!("{PINS} pins {pinned} packages, told of are {told}"));
    }
    for dependency in &audit.dependencies {
        let unexcused = dependency.vulns.iter().filter(|found| {
            !exceptions
                .iter()
                .any(|(id, exception)| exception.package == dependency.name && found.is(id))
        });
        wrong.extend(unexcused.map(|found| {
            format!(
                "{} has the vulnerability {} ({}), mended in: {}",
                dependency.name,
                found.id,
                found.aliases.join(", "),
                found.fix_versions.join(", ")
            )
        }));
    }
    for (id, exception) in exceptions {
        wrong.extend(mistake(id, exception, audit).map(|words| format!("{EXCEPTIONS}: {words}")));
    }
    if !wrong.is_empty() {
        return Conclusion::Failed(wrong.join("\n"));
    }
    let mut unchecked = audit.dependencies.iter().filter_map(Dependency::unchecked);
    match unchecked.next() {
        None => Conclusion::Passed(format!("{told} Python packages, none vulnerable")),
        Some(first) => {
            let number = unchecked.count() + 1;
            Conclusion::Unchecked(format!("{number} of {told} Python packages ({first}, …)"))
        }
    }
}

/// Why an exception cannot stand.
fn mistake(id: &str, exception: &Exception, audit: &Audit) -> Option<String> {
    if exception.reason.trim().len() < SHORTEST_REASON {
        return Some(format!("{id} without a reason"));
    }
    let mut dependencies = audit.dependencies.iter();
    let Some(dependency) = dependencies.find(|dependency| dependency.name == exception.package)
    else {
        return Some(format!("{id} is of a package that is not pinned"));
    };
    let is_needed = dependency.skip_reason.is_some()
        || dependency
            .vulns
            .iter()
            .any(|vulnerability| vulnerability.is(id));
    (!is_needed).then(|| format!("{id} is no longer found: take it out"))
}

impl Dependency {
    fn unchecked(&self) -> Option<&str> {
        self.skip_reason.as_deref()
    }
}

impl Vulnerability {
    fn is(&self, id: &str) -> bool {
        self.id == id || self.aliases.iter().any(|alias| alias == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKIPPED: &str = r#"{"name": "httpx", "skip_reason": "Dependency not found on PyPI"}"#;
    const GOOD: &str = r#"{"name": "idna", "version": "3.20", "vulns": []}"#;
    const BAD: &str = r#"{"name": "jinja2", "version": "3.1.5", "vulns": [{"id": "PYSEC-1",
        "aliases": ["CVE-1", "GHSA-1"], "fix_versions": ["3.1.6"]}]}"#;

    fn conclusion(dependencies: &[&str], exceptions: &str) -> Conclusion {
        let text = format!(
            r#"{{"dependencies": [{}], "fixes": []}}"#,
            dependencies.join(",")
        );
        let audit = serde_json::from_str(&text).unwrap();
        judge(
            &audit,
            &toml::from_str(exceptions).unwrap(),
            dependencies.len(),
        )
    }

    fn failure(dependencies: &[&str], exceptions: &str) -> String {
        match conclusion(dependencies, exceptions) {
            Conclusion::Failed(words) => words,
            other => panic!("{other:?}"),
        }
    }

    fn exception(id: &str, package: &str, reason: &str) -> String {
        format!("[\"{id}\"]\npackage = \"{package}\"\nreason = \"{reason}\"\n")
    }

    const REASON: &str = "its templates are ours alone";

    #[test]
    fn what_could_not_be_checked_is_counted_and_never_passes() {
        assert_eq!(
            conclusion(&[GOOD, GOOD], ""),
            Conclusion::Passed("2 Python packages, none vulnerable".to_owned())
        );
        assert_eq!(
            conclusion(&[SKIPPED, GOOD, SKIPPED], ""),
            Conclusion::Unchecked(
                "2 of 3 Python packages (Dependency not found on PyPI, …)".to_owned()
            )
        );
    }

    #[test]
    fn a_vulnerability_fails_whatever_else_could_not_be_checked() {
        assert_eq!(
            failure(&[SKIPPED, BAD], ""),
            "jinja2 has the vulnerability PYSEC-1 (CVE-1, GHSA-1), mended in: 3.1.6"
        );
    }

    #[test]
    fn an_exception_excuses_its_package_by_any_of_the_numbers() {
        for id in ["PYSEC-1", "CVE-1", "GHSA-1"] {
            let passed = conclusion(&[BAD], &exception(id, "jinja2", REASON));
            assert!(matches!(passed, Conclusion::Passed(_)), "{passed:?}");
        }
        let other = failure(&[BAD, GOOD], &exception("PYSEC-1", "idna", REASON));
        assert!(other.contains("jinja2 has the vulnerability"), "{other}");
        let other = failure(&[BAD], &exception("PYSEC-2", "jinja2", REASON));
        assert!(other.contains("jinja2 has the vulnerability"), "{other}");
    }

    #[test]
    fn an_exception_without_reason_or_use_is_a_mistake() {
        let vague = failure(&[BAD], &exception("PYSEC-1", "jinja2", "later"));
        assert!(vague.ends_with("PYSEC-1 without a reason"), "{vague}");
        let gone = failure(&[GOOD], &exception("PYSEC-1", "idna", REASON));
        assert!(gone.ends_with("is no longer found: take it out"), "{gone}");
        let unknown = failure(&[GOOD], &exception("PYSEC-1", "jinja2", REASON));
        assert!(
            unknown.ends_with("a package that is not pinned"),
            "{unknown}"
        );
        // Whether it is still needed could not be asked.
        let skipped = conclusion(&[SKIPPED], &exception("PYSEC-1", "httpx", REASON));
        assert!(matches!(skipped, Conclusion::Unchecked(_)), "{skipped:?}");
    }

    #[test]
    fn a_pin_that_was_not_told_of_is_not_overlooked() {
        assert_eq!(count_pins("# made so\n\na==1\nb==2 \n"), 2);
        let audit = Audit {
            dependencies: Vec::new(),
        };
        for pinned in [0, 2] {
            let found = judge(&audit, &Exceptions::new(), pinned);
            assert!(matches!(found, Conclusion::Failed(_)), "{found:?}");
        }
    }

    #[test]
    fn only_a_service_that_does_not_answer_excuses_silence() {
        let refused = "Traceback (most recent call last):\n\
            requests.exceptions.ProxyError: HTTPSConnectionPool(host='pypi.org', port=443)\n";
        assert!(is_unreachable(refused));
        assert!(is_unreachable(
            "requests.exceptions.HTTPError: 503 Server Error"
        ));
        for own in [
            "requests.exceptions.HTTPError: 403 Client Error",
            "requests.exceptions.SSLError: certificate verify failed",
            "requests.exceptions.ConnectionError: x\nKeyError: 'aliases'",
            "ModuleNotFoundError: No module named 'pip_audit'",
            "",
        ] {
            assert!(!is_unreachable(own), "{own}");
        }
    }

    #[test]
    fn the_exceptions_of_this_checkout_can_be_read() {
        let context = Context::for_test();
        let text = fs::read_to_string(context.workspace.join(EXCEPTIONS)).unwrap();
        toml::from_str::<Exceptions>(&text).unwrap();
    }
}
