//! Which tests a check of tests runs: all of its suites, or those that the ledger names.

use super::outcomes::Outcomes;
use super::security::reference::Reference;

/// Suites that run whole when the ledger selects: their tests print the cases that they
/// tried, and the list counts all of them.
pub(crate) const SUITES_OF_CASES: [&str; 2] = ["oidc/lib", "remote-api/it"];

/// What to run.
pub(crate) enum Selection {
    All,
    Named(Vec<Reference>),
}

impl Selection {
    pub(crate) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Those of the existing tests that are to run.
    pub(crate) fn of_existing(&self, mut existing: Outcomes) -> Outcomes {
        existing.retain(|suite, name| self.selects(suite, name));
        existing
    }

    fn selects(&self, suite: &str, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(references) => {
                SUITES_OF_CASES.contains(&suite)
                    || references
                        .iter()
                        .any(|reference| reference.suite == suite && reference.means(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::commands::test::outcomes::Outcome;
    use crate::workspace::Workspace;

    #[test]
    fn names_select_within_their_suite_only() {
        let workspace = Workspace::locate().unwrap();
        let reference = Reference::parse("server/it one::*", workspace.root()).unwrap();
        let mut existing = Outcomes::default();
        for (suite, name) in [
            ("server/it", "one::a"),
            ("server/it", "two::a"),
            ("server/lib", "one::b"),
            ("oidc/lib", "any"),
        ] {
            existing.add(suite, name, Outcome::NotRun);
        }
        let named = Selection::Named(vec![reference]).of_existing(existing.clone());
        assert_eq!(named.names(), BTreeSet::from(["any", "one::a"]));
        assert_eq!(Selection::All.of_existing(existing).names().len(), 4);
    }
}
