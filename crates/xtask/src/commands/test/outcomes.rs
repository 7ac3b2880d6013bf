//! Each test's outcome by its suite and name, read from what the runners print.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

/// How a test ended; the worst is the greatest. Of a test with parameters the worst counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It exists and was to run; any other word about it counts more. What keeps it is a
    /// process that died before.
    NotRun,
    Passed,
    /// At the second try: an attack that succeeds once in two is not withstood.
    Retried,
    Skipped,
    Failed,
}

/// The tests of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcomes {
    suites: BTreeMap<String, BTreeMap<String, Outcome>>,
}

/// Which suite each test binary of a build is.
#[derive(Debug, Default)]
pub(crate) struct Binaries {
    /// By file name, since Cargo says the path relative to somewhere.
    suites: BTreeMap<String, String>,
}

impl Outcomes {
    pub(crate) fn add(&mut self, suite: &str, name: &str, outcome: Outcome) {
        let tests = self.suites.entry(suite.to_owned()).or_default();
        match tests.entry(name.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(outcome);
            }
            Entry::Occupied(mut entry) => {
                let worst = outcome.max(*entry.get());
                entry.insert(worst);
            }
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        for (suite, tests) in other.suites {
            for (name, outcome) in tests {
                self.add(&suite, &name, outcome);
            }
        }
    }

    /// The tests of a suite, by name.
    pub(crate) fn of(&self, suite: &str) -> impl Iterator<Item = (&str, Outcome)> {
        let tests = self.suites.get(suite).into_iter().flatten();
        tests.map(|(name, outcome)| (name.as_str(), *outcome))
    }

    /// How many tests ended so.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        let outcomes = self.suites.values().flat_map(BTreeMap::values);
        outcomes.filter(|found| **found == outcome).count()
    }

    /// How many tests ended somehow.
    pub(crate) fn ran(&self) -> usize {
        let all: usize = self.suites.values().map(BTreeMap::len).sum();
        all - self.count(Outcome::NotRun)
    }

    /// Only those that are wanted.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&str, &str) -> bool) {
        for (suite, tests) in &mut self.suites {
            tests.retain(|name, _| is_wanted(suite, name));
        }
    }

    /// Each name once, without its suite.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let tests = self.suites.values().flat_map(BTreeMap::keys);
        tests.map(String::as_str).collect()
    }

    /// Reads a `cargo test`, whose errors and output must be in one stream: Cargo names the
    /// binary on one of them, and the binary its tests on the other.
    pub(crate) fn of_cargo(output: &str, binaries: &Binaries) -> Self {
        let mut outcomes = Self::default();
        let mut suite = None;
        for line in output.lines() {
            if let Some(file) = started_binary(line) {
                suite = binaries.suites.get(file);
            } else if is_aftermath(line) {
                // What tests printed may look like anything.
                suite = None;
            } else if let (Some(suite), Some((name, outcome))) = (suite, rust_outcome(line)) {
                outcomes.add(suite, name, outcome);
            }
        }
        outcomes
    }

    /// Reads the names that binaries list: `some::name: test`. None of them was run yet.
    pub(crate) fn of_list(output: &str, binaries: &Binaries) -> Self {
        let mut outcomes = Self::default();
        let mut suite = None;
        for line in output.lines() {
            if let Some(file) = started_binary(line) {
                suite = binaries.suites.get(file);
            } else if let (Some(suite), Some(name)) = (suite, line.strip_suffix(": test")) {
                outcomes.add(suite, name, Outcome::NotRun);
            }
        }
        outcomes
    }

    /// Reads the node ids that pytest collects. None of them was run yet.
    pub(crate) fn of_collection(output: &str, suite: &str) -> Self {
        let mut outcomes = Self::default();
        for name in output.lines().filter_map(python_name) {
            outcomes.add(suite, name, Outcome::NotRun);
        }
        outcomes
    }

    /// Reads a `cargo test` of one suite that goes by another name than its binaries, and
    /// that lists no names before it runs. A binary that announced more tests than it told
    /// of died: nobody knows which are missing, so that none of the suite counts.
    pub(crate) fn of_suite(output: &str, suite: &str) -> Self {
        let mut outcomes = Self::default();
        let mut is_listing = true;
        let mut announced = 0;
        let mut told = 0;
        for line in output.lines() {
            if let Some(number) = announced_tests(line) {
                is_listing = true;
                announced += number;
            } else if started_binary(line).is_some() {
                is_listing = true;
            } else if is_aftermath(line) {
                is_listing = false;
            } else if let Some((name, outcome)) = rust_outcome(line).filter(|_| is_listing) {
                told += 1;
                outcomes.add(suite, name, outcome);
            }
        }
        if told < announced {
            return Self::default();
        }
        outcomes
    }

    /// Reads a verbose pytest on several workers: `[gw0] [ 10%] PASSED tests/test_x.py::test_y[z]`.
    pub(crate) fn of_pytest(output: &str, suite: &str) -> Self {
        let mut outcomes = Self::default();
        // With its parameters: of two sets one may have been tried again.
        let mut tried_before = BTreeSet::new();
        for line in output.lines().filter(|line| line.starts_with("[gw")) {
            let Some((_, words)) = line.split_once("%] ") else {
                continue;
            };
            let Some((word, node)) = words.split_once(' ') else {
                continue;
            };
            let outcome = match word {
                "PASSED" if tried_before.contains(node) => Outcome::Retried,
                "PASSED" => Outcome::Passed,
                // A test that is known to fail shows nothing.
                "SKIPPED" | "XFAIL" => Outcome::Skipped,
                "FAILED" | "ERROR" | "XPASS" => Outcome::Failed,
                // It is tried again, and then says how that went.
                "RERUN" => {
                    tried_before.insert(node);
                    continue;
                }
                _ => continue,
            };
            if let Some(name) = python_name(node) {
                outcomes.add(suite, name, outcome);
            }
        }
        outcomes
    }
}

impl Binaries {
    /// Reads Cargo's JSON messages of a build of tests.
    pub(crate) fn of_build(output: &str) -> Self {
        let messages = output
            .lines()
            .filter_map(|line| serde_json::from_str::<Message>(line).ok());
        let binary = |message: Message| {
            let executable = message.executable?;
            let file = Path::new(&executable).file_name()?.to_str()?.to_owned();
            let kind = message.target.kind.first()?.clone();
            let target = match kind.as_str() {
                "test" => message.target.name,
                "bin" => kind,
                _ => "lib".to_owned(),
            };
            let package = package_name(&message.package_id);
            Some((file, format!("{package}/{target}")))
        };
        Self {
            suites: messages.filter_map(binary).collect(),
        }
    }
}

/// What Cargo says of each thing that it built; other messages lack some of it.
#[derive(Deserialize)]
struct Message {
    package_id: String,
    target: Target,
    executable: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

/// `path+file:///x/crates/oidc#0.1.0`, and where the folder has another name
/// `path+file:///x/folder#oidc@0.1.0`.
fn package_name(id: &str) -> &str {
    let (path, version) = id.split_once('#').unwrap_or((id, ""));
    match version.split_once('@') {
        Some((name, _)) => name,
        None => path.rsplit('/').next().unwrap_or(path),
    }
}

/// `     Running unittests src/lib.rs (target/debug/deps/oidc-0a1b)`.
fn started_binary(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("Running ")?;
    let (_, path) = rest.strip_suffix(')')?.rsplit_once('(')?;
    Path::new(path).file_name()?.to_str()
}

/// `running 7 tests`.
fn announced_tests(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("running ")?;
    let (number, noun) = rest.split_once(' ')?;
    noun.starts_with("test").then(|| number.parse().ok())?
}

/// After this line a binary prints what its tests printed.
fn is_aftermath(line: &str) -> bool {
    matches!(line, "successes:" | "failures:")
}

/// `test some::name ... ok`.
fn rust_outcome(line: &str) -> Option<(&str, Outcome)> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let name = name.trim_end_matches(" - should panic");
    let outcome = match result.split([' ', ',']).next()? {
        "ok" => Outcome::Passed,
        "ignored" => Outcome::Skipped,
        "FAILED" | "FAIL" => Outcome::Failed,
        _ => return None,
    };
    Some((name, outcome))
}

/// `tests/test_x.py::test_y[parameter]` → `test_x.py::test_y`.
fn python_name(node: &str) -> Option<&str> {
    let without_parameter = node.split('[').next()?.trim_end();
    let (file, _) = without_parameter.split_once("::")?;
    let folder = file.rfind('/').map_or(0, |slash| slash + 1);
    Some(&without_parameter[folder..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILD: &str = concat!(
        "   Compiling oidc v0.1.0\n",
        r#"{"reason":"compiler-artifact","package_id":"path+file:///w/crates/oidc#0.1.0","target":{"kind":["lib"],"name":"oidc"},"executable":"/w/target/debug/deps/oidc-0a"}"#,
        "\n",
        r#"{"reason":"compiler-artifact","package_id":"path+file:///w/server#0.1.0","target":{"kind":["test"],"name":"it"},"executable":"/w/target/debug/deps/it-1b"}"#,
        "\n",
        r#"{"reason":"compiler-artifact","package_id":"path+file:///w/moved#remote-api@0.1.0","target":{"kind":["test"],"name":"it"},"executable":"/w/target/debug/deps/it-2c"}"#,
        "\n",
        r#"{"reason":"compiler-artifact","package_id":"path+file:///w/server#0.1.0","target":{"kind":["bin"],"name":"component-auth0"},"executable":"/w/target/debug/deps/component_auth0-3d"}"#,
        "\n",
        r#"{"reason":"compiler-artifact","package_id":"registry+x#toml@1.0.0","target":{"kind":["lib"],"name":"toml"},"executable":null}"#,
        "\n",
        r#"{"reason":"build-finished","success":true}"#,
    );

    fn all(outcomes: &Outcomes, suite: &str) -> Vec<(String, Outcome)> {
        let tests = outcomes.of(suite);
        tests
            .map(|(name, outcome)| (name.to_owned(), outcome))
            .collect()
    }

    fn one(name: &str, outcome: Outcome) -> Vec<(String, Outcome)> {
        vec![(name.to_owned(), outcome)]
    }

    #[test]
    fn binaries_of_one_name_are_told_apart() {
        let binaries = Binaries::of_build(BUILD);
        let output = "     Running unittests src/lib.rs (target/debug/deps/oidc-0a)\n\
            test a::b ... ok\n\
            \x20    Running tests/it/main.rs (target/debug/deps/it-1b)\n\
            test c ... FAILED\n\
            \x20    Running tests/it/main.rs (target/debug/deps/it-2c)\n\
            test c ... ok\n\
            \x20    Running unittests src/main.rs (target/debug/deps/component_auth0-3d)\n\
            test d ... ignored, needs a network\n";
        let outcomes = Outcomes::of_cargo(output, &binaries);
        assert_eq!(all(&outcomes, "oidc/lib"), one("a::b", Outcome::Passed));
        assert_eq!(all(&outcomes, "server/it"), one("c", Outcome::Failed));
        assert_eq!(all(&outcomes, "remote-api/it"), one("c", Outcome::Passed));
        assert_eq!(all(&outcomes, "server/bin"), one("d", Outcome::Skipped));
        assert_eq!(outcomes.ran(), 4);
    }

    #[test]
    fn what_a_test_prints_is_no_outcome() {
        let output = "     Running tests/it/main.rs (target/debug/deps/it-1b)\n\
            test c ... ok\n\
            successes:\n\
            ---- c stdout ----\n\
            test forged ... ok\n";
        let outcomes = Outcomes::of_cargo(output, &Binaries::of_build(BUILD));
        assert_eq!(all(&outcomes, "server/it"), one("c", Outcome::Passed));
    }

    #[test]
    fn a_test_that_should_panic_goes_by_its_own_name() {
        let outcomes = Outcomes::of_suite("running 1 test\ntest a - should panic ... ok", "x/lib");
        assert_eq!(all(&outcomes, "x/lib"), one("a", Outcome::Passed));
    }

    #[test]
    fn of_parameters_the_worst_counts_and_a_second_try_is_remembered() {
        let output = "[gw0] [ 10%] PASSED tests/test_x.py::test_y[a] \n\
            [gw1] [ 20%] SKIPPED tests/test_x.py::test_y[b::c d] \n\
            [gw1] [ 30%] RERUN e2e/test_z.py::test_w \n\
            [gw1] [ 40%] PASSED e2e/test_z.py::test_w \n\
            [gw1] [ 50%] RERUN e2e/test_z.py::test_x \n\
            [gw1] [ 60%] FAILED e2e/test_z.py::test_x \n\
            [gw1] [ 70%] RERUN e2e/test_z.py::test_z[a] \n\
            [gw1] [ 80%] PASSED e2e/test_z.py::test_z[b] \n\
            tests/test_v.py::test_u PASSED\n";
        let outcomes = Outcomes::of_pytest(output, "python");
        let expected = [
            ("test_x.py::test_y".to_owned(), Outcome::Skipped),
            ("test_z.py::test_w".to_owned(), Outcome::Retried),
            ("test_z.py::test_x".to_owned(), Outcome::Failed),
            ("test_z.py::test_z".to_owned(), Outcome::Passed),
        ];
        assert_eq!(all(&outcomes, "python"), expected);
    }

    #[test]
    fn a_listed_test_stays_without_outcome_until_a_run_tells_one() {
        let binary = "     Running tests/it/main.rs (target/debug/deps/it-1b)\n";
        let binaries = Binaries::of_build(BUILD);
        let list = format!("{binary}a::b: test\na::c: test\na::d: benchmark\n");
        let mut outcomes = Outcomes::of_list(&list, &binaries);
        assert_eq!((outcomes.ran(), outcomes.names().len()), (0, 2));
        let died = format!(
            "{binary}running 2 tests\ntest a::b ... ok\n\
             error: test failed, to rerun pass `-p server --test it`\n\
             (signal: 11, SIGSEGV: invalid memory reference)\n"
        );
        outcomes.extend(Outcomes::of_cargo(&died, &binaries));
        let expected = [
            ("a::b".to_owned(), Outcome::Passed),
            ("a::c".to_owned(), Outcome::NotRun),
        ];
        assert_eq!(all(&outcomes, "server/it"), expected);
        assert_eq!(outcomes.ran(), 1);
        assert_eq!(outcomes.count(Outcome::NotRun), 1);
    }

    #[test]
    fn a_suite_that_told_of_fewer_tests_than_it_announced_proves_nothing() {
        let whole = "running 2 tests\ntest a ... ok\ntest b ... ignored\ntest result: ok.\n\
            running 1 test\ntest c ... ok\n";
        assert_eq!(Outcomes::of_suite(whole, "x/wasm").ran(), 3);
        let died = whole.replace("test c ... ok\n", "RuntimeError: unreachable\n");
        assert_eq!(Outcomes::of_suite(&died, "x/wasm").ran(), 0);
    }
}
