//! `AUTH0_SECRET` and `STREAMLIT_SECRET`: long enough, and nobody's but the operator's where
//! others can reach us.

use secrecy::SecretString;

use super::parse::Parser;
use super::{DEVELOPMENT_AUTH0_SECRET, DEVELOPMENT_STREAMLIT_SECRET};

const MIN_SECRET_BYTES: usize = 32;

/// Who can reach us: what is published protects nothing from others.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// The base URL is loopback.
    pub(super) base: bool,
    /// So is the address that we listen on.
    pub(super) socket: bool,
}

impl Reach {
    const fn is_this_machine(self) -> bool {
        self.base && self.socket
    }
}

impl Parser<'_> {
    pub(super) fn session_secrets(&mut self, reach: Reach) -> Vec<SecretString> {
        let Some(text) = self.secret("AUTH0_SECRET") else {
            if !self
                .problems
                .iter()
                .any(|problem| problem.variable == "AUTH0_SECRET")
            {
                self.problem("AUTH0_SECRET", "is missing: set it to 32 random bytes, for instance from `openssl rand -hex 32`");
            }
            return Vec::new();
        };
        self.secrets("AUTH0_SECRET", &text, DEVELOPMENT_AUTH0_SECRET, reach)
    }

    pub(super) fn streamlit_secrets(&mut self, reach: Reach) -> Vec<SecretString> {
        match self.secret("STREAMLIT_SECRET") {
            Some(text) => self.secrets(
                "STREAMLIT_SECRET",
                &text,
                DEVELOPMENT_STREAMLIT_SECRET,
                reach,
            ),
            None if reach.is_this_machine() => {
                self.warnings.push(
                    "STREAMLIT_SECRET is not set: the published development secret is used; set one before anybody else can reach this machine".into(),
                );
                vec![DEVELOPMENT_STREAMLIT_SECRET.into()]
            }
            None if reach.base => {
                self.problem("STREAMLIT_SECRET", "is missing, and HOST lets others reach this server: set the same 32 random bytes here and in the Streamlit app's secrets, or unset HOST");
                Vec::new()
            }
            None => {
                self.problem("STREAMLIT_SECRET", "is missing: set the same 32 random bytes here and in the Streamlit app's secrets");
                Vec::new()
            }
        }
    }

    fn secrets(
        &mut self,
        name: &'static str,
        text: &str,
        published: &str,
        reach: Reach,
    ) -> Vec<SecretString> {
        let secrets: Vec<_> = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect();
        if secrets.is_empty() || secrets.iter().any(|secret| secret.len() < MIN_SECRET_BYTES) {
            self.problem(
                name,
                "must have at least 32 bytes (each, if several are given with commas)",
            );
        }
        if secrets.contains(&published) && !reach.is_this_machine() {
            self.problem(
                name,
                if reach.base {
                    "is the published development secret, and HOST lets others reach this server: set 32 random bytes of your own, or unset HOST"
                } else {
                    "is the published development secret: set 32 random bytes of your own"
                },
            );
        }
        secrets.into_iter().map(SecretString::from).collect()
    }
}
