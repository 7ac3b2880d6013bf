//! How the ledger names a test: `<suite> <name>`, and whether such a name can be one.

use std::fmt;
use std::path::Path;

/// The suites whose tests have Python's names.
pub(crate) const PYTHON: &str = "python";
pub(crate) const END_TO_END: &str = "e2e";
/// The frontend's, natively and in Chromium.
pub(crate) const FRONTEND: &str = "frontend/lib";
pub(crate) const FRONTEND_IN_CHROMIUM: &str = "frontend/wasm";

/// One test, or all whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) suite: String,
    name: String,
    is_prefix: bool,
}

impl Reference {
    /// Reads a reference; says what is wrong with one that no test can have.
    pub(crate) fn parse(text: &str, root: &Path) -> Result<Self, String> {
        let Some((suite, name)) = text.split_once(' ') else {
            return Err(format!("`{text}` is not `<suite> <name>`"));
        };
        if !is_suite(suite, root) {
            return Err(format!("`{suite}` is no suite"));
        }
        let (stem, is_prefix) = match name.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (name, false),
        };
        if !is_name(suite, stem) {
            return Err(format!("`{name}` is no name of a test of {suite}"));
        }
        Ok(Self {
            suite: suite.to_owned(),
            name: stem.to_owned(),
            is_prefix,
        })
    }

    /// Whether a test of its suite is meant.
    pub(crate) fn means(&self, name: &str) -> bool {
        if self.is_prefix {
            name.starts_with(&self.name)
        } else {
            name == self.name
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.is_prefix { "*" } else { "" };
        write!(formatter, "{} {}{star}", self.suite, self.name)
    }
}

fn is_suite(suite: &str, root: &Path) -> bool {
    if [PYTHON, END_TO_END, FRONTEND, FRONTEND_IN_CHROMIUM].contains(&suite) {
        return true;
    }
    let Some((package, target)) = suite.split_once('/') else {
        return false;
    };
    // A package's folder has its name.
    let folder = [root.join(package), root.join("crates").join(package)]
        .into_iter()
        .find(|folder| folder.join("Cargo.toml").is_file());
    folder.is_some_and(|folder| match target {
        "lib" => folder.join("src/lib.rs").is_file(),
        "bin" => folder.join("src/main.rs").is_file(),
        _ => {
            let tests = folder.join("tests");
            tests.join(target).join("main.rs").is_file()
                || tests.join(format!("{target}.rs")).is_file()
        }
    })
}

fn is_name(suite: &str, name: &str) -> bool {
    let is_word = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if [PYTHON, END_TO_END].contains(&suite) {
        return name.split_once(".py::").is_some_and(|(file, test)| {
            file.starts_with("test_") && is_word(file) && !test.is_empty() && is_path(test, is_word)
        });
    }
    !name.is_empty() && is_path(name, is_word)
}

/// A prefix may end anywhere, between two words as well.
fn is_path(name: &str, is_word: impl Fn(&str) -> bool) -> bool {
    name.split("::").all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    fn parse(text: &str) -> Result<Reference, String> {
        Reference::parse(text, Workspace::locate().unwrap().root())
    }

    #[test]
    fn a_reference_means_its_test_and_no_other() {
        let reference = parse("server/it callback::refuses_a_state").unwrap();
        assert!(reference.means("callback::refuses_a_state"));
        assert!(!reference.means("callback::refuses_a_state_of_another"));
        assert!(!reference.means("other::callback::refuses_a_state"));
    }

    #[test]
    fn a_star_means_all_that_begin_so() {
        let reference = parse("server/it callback::*").unwrap();
        assert!(reference.means("callback::one"));
        assert!(!reference.means("callbacks"));
        assert_eq!(reference.to_string(), "server/it callback::*");
    }

    #[test]
    fn what_no_test_can_be_named_is_refused() {
        for text in [
            "server/it",
            "server/nowhere some::test",
            "nobody/lib some::test",
            "server some::test",
            "server/it ",
            "server/it some::test, another",
            "server/it some::test[1]",
            "e2e test_x.py",
            "e2e test_x.py::",
            "e2e ../python/tests/test_x.py::test_y",
            "python test_x.py::test_y[parameter]",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_kind_of_suite_is_known() {
        for text in [
            "server/it a::b",
            "server/lib a::b",
            "remote-api/bin a::b",
            "oidc/lib a",
            "frontend/wasm a",
            "frontend/lib a",
            "python test_x.py::test_y",
            "e2e test_x.py::test_*",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }
}
