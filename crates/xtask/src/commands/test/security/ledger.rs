//! `docs/security-catalogue/*.toml`: what became of each number of the catalogue, and the
//! tests that show it. Reads and validates; runs nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::numbers::{CHAPTERS, Chapter, Number};
use super::reference::Reference;

/// Where the ledger is, seen from the workspace.
pub(crate) const FOLDER: &str = "docs/security-catalogue";
/// A reason is a sentence, not a word.
const SHORTEST_NOTE: usize = 15;

/// All that could be read, and all that is wrong.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: BTreeMap<Number, Entry>,
    /// One line each, with file and number.
    pub(crate) problems: Vec<String>,
}

/// One number of the catalogue.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) case: String,
    pub(crate) verdict: Verdict,
    pub(crate) tests: Vec<Reference>,
    pub(crate) note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Withstood,
    Partly,
    NotApplicable,
    Open,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    case: String,
    verdict: Verdict,
    #[serde(default)]
    tests: Vec<String>,
    note: Option<String>,
}

impl Ledger {
    /// Reads every chapter's file.
    pub(crate) fn read(root: &Path) -> Self {
        let mut ledger = Self::default();
        for chapter in CHAPTERS {
            let file = format!("{FOLDER}/{}.toml", chapter.letter);
            match fs::read_to_string(root.join(&file)) {
                Ok(text) => ledger.add_chapter(chapter, &file, &text, root),
                Err(error) => ledger.problems.push(format!("{file}: {error}")),
            }
        }
        ledger
    }

    fn add_chapter(&mut self, chapter: &Chapter, file: &str, text: &str, root: &Path) {
        let numbers = self.check_order(chapter, file, text);
        let table: toml::Table = match toml::from_str(text) {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(0, |span| line_of(text, span.start));
                self.problems
                    .push(format!("{file}:{line}: {}", error.message()));
                return;
            }
        };
        for name in table.keys().filter(|name| !numbers.contains_key(*name)) {
            self.problems
                .push(format!("{file}: `{name}` stands outside of any number"));
        }
        for (name, number) in numbers {
            let Some(value) = table.get(&name) else {
                continue;
            };
            match value.clone().try_into::<RawEntry>() {
                Ok(raw) => self.add_entry(number, file, raw, root),
                Err(error) => {
                    let words = error.message().replace('\n', " ");
                    self.problems.push(format!("{file}: {number}: {words}"));
                }
            }
        }
    }

    /// Whether each number stands once and in order. By the text: TOML's tables have none.
    fn check_order(
        &mut self,
        chapter: &Chapter,
        file: &str,
        text: &str,
    ) -> BTreeMap<String, Number> {
        let mut seen = BTreeMap::new();
        let mut last = None;
        for (index, line) in text.lines().enumerate() {
            let head = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let Some((name, _)) = head else { continue };
            let number = name.parse().ok();
            let Some(number) = number.filter(|number: &Number| number.is_of(chapter)) else {
                let words = format!("{file}:{}: `{name}` is no number of it", index + 1);
                self.problems.push(words);
                continue;
            };
            if seen.insert(name.to_owned(), number).is_some() {
                let words = format!("{file}:{}: {number} stands twice", index + 1);
                self.problems.push(words);
            } else if last > Some(number) {
                let words = format!("{file}:{}: {number} is out of order", index + 1);
                self.problems.push(words);
            }
            last = last.max(Some(number));
        }
        for number in chapter
            .numbers()
            .filter(|number| !seen.contains_key(&number.to_string()))
        {
            self.problems.push(format!("{file}: {number} is missing"));
        }
        seen
    }

    fn add_entry(&mut self, number: Number, file: &str, raw: RawEntry, root: &Path) {
        let mut wrong = Vec::new();
        if raw.case.trim().is_empty() || raw.case.contains('\n') {
            wrong.push("its case is not one line of words".to_owned());
        }
        if raw.verdict.needs_tests() && raw.tests.is_empty() {
            wrong.push(format!("{} without a test", raw.verdict));
        }
        let note = raw.note.as_deref().unwrap_or_default().trim();
        if raw.verdict.needs_note() && note.len() < SHORTEST_NOTE {
            wrong.push(format!("{} without a note that says why", raw.verdict));
        }
        let mut tests: Vec<Reference> = Vec::new();
        for text in &raw.tests {
            match Reference::parse(text, root) {
                Ok(reference) if tests.contains(&reference) => {
                    wrong.push(format!("`{text}` stands twice"));
                }
                Ok(reference) => tests.push(reference),
                Err(words) => wrong.push(words),
            }
        }
        let problems = wrong
            .into_iter()
            .map(|words| format!("{file}: {number}: {words}"));
        self.problems.extend(problems);
        let entry = Entry {
            case: raw.case,
            verdict: raw.verdict,
            tests,
            note: raw.note,
        };
        self.entries.insert(number, entry);
    }
}

impl Verdict {
    fn needs_tests(self) -> bool {
        matches!(self, Self::Withstood | Self::Partly)
    }

    fn needs_note(self) -> bool {
        self != Self::Withstood
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Withstood => "withstood",
            Self::Partly => "partly",
            Self::NotApplicable => "not applicable",
            Self::Open => "open",
        })
    }
}

fn line_of(text: &str, position: usize) -> usize {
    text.bytes()
        .take(position)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    /// The chapter with the fewest numbers, complete.
    fn complete() -> String {
        let chapter = CHAPTERS.last().unwrap();
        let entry = |number: Number| {
            format!(
                "[{number}]\ncase = \"a case\"\nverdict = \"withstood\"\n\
                 tests = [\"server/it some::test\"]\n"
            )
        };
        chapter.numbers().map(entry).collect()
    }

    fn problems(text: &str) -> Vec<String> {
        let workspace = Workspace::locate().unwrap();
        let mut ledger = Ledger::default();
        ledger.add_chapter(CHAPTERS.last().unwrap(), "G.toml", text, workspace.root());
        ledger.problems
    }

    /// One thing changed in a good chapter: one line, which names file and number.
    fn only_problem(from: &str, to: &str) -> String {
        let text = complete().replacen(from, to, 1);
        assert_ne!(text, complete(), "nothing was changed");
        let problems = problems(&text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("G.toml"), "{problems:?}");
        problems[0].clone()
    }

    #[test]
    fn the_ledger_of_this_checkout_has_every_number_and_no_mistake() {
        let ledger = Ledger::read(Workspace::locate().unwrap().root());
        assert_eq!(ledger.problems, [""; 0]);
    }

    #[test]
    fn a_complete_chapter_has_no_problems() {
        assert_eq!(problems(&complete()), [""; 0]);
    }

    #[test]
    fn each_mistake_is_one_line() {
        for (from, to, words) in [
            ("withstood", "survived", "G01: unknown variant `survived`"),
            ("withstood", "open", "G01: open without a note"),
            ("case = \"a case\"\n", "", "G01: missing field `case`"),
            ("a case", "", "G01: its case"),
            (
                "tests = [\"server/it some::test\"]\n",
                "",
                "G01: withstood without a test",
            ),
            ("server/it", "server/is", "G01: `server/is` is no suite"),
            (
                "[\"server/it some::test\"]",
                "[\"server/it a\", \"server/it a\"]",
                "G01: `server/it a` stands twice",
            ),
            ("case =", "cases = 1\ncase =", "G01: unknown field `cases`"),
        ] {
            let problem = only_problem(from, to);
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn an_unknown_number_is_named_and_so_is_the_one_it_replaced() {
        let found = problems(&complete().replacen("[G03]", "[G99]", 1)).join("\n");
        assert!(found.contains("`G99` is no number of it"), "{found}");
        assert!(found.contains("G03 is missing"), "{found}");
    }

    #[test]
    fn a_number_of_another_chapter_does_not_count() {
        let found = problems(&complete().replacen("[G03]", "[A03]", 1)).join("\n");
        assert!(found.contains("`A03` is no number of it"), "{found}");
    }

    #[test]
    fn a_number_that_stands_twice_or_out_of_order_is_found_by_line() {
        let doubled = format!("{}{}", complete(), "[G02]\ncase = \"again\"\n");
        let found = problems(&doubled).join("\n");
        assert!(found.contains("G.toml:61: G02 stands twice"), "{found}");
        let swapped = complete()
            .replacen("[G03]", "[G0x]", 1)
            .replacen("[G04]", "[G03]", 1)
            .replacen("[G0x]", "[G04]", 1);
        assert_eq!(problems(&swapped), ["G.toml:13: G03 is out of order"]);
    }

    #[test]
    fn a_reason_is_no_excuse_for_partly_without_a_test() {
        let text = complete().replacen("withstood", "partly", 1).replacen(
            "tests = [\"server/it some::test\"]",
            "note = \"there is a reason for everything\"",
            1,
        );
        assert_eq!(problems(&text), ["G.toml: G01: partly without a test"]);
    }

    #[test]
    fn a_file_that_is_no_toml_is_one_problem_with_its_line() {
        let found = problems("[G01]\ncase = unquoted\n");
        let broken: Vec<_> = found.iter().filter(|line| line.contains(":2:")).collect();
        assert_eq!(broken.len(), 1, "{found:?}");
    }
}
