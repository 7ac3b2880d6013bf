//! `API_CLIENT_ID`, `API_CLIENT_SECRET` and `API_AUDIENCE`: the companion's own name at the
//! provider for calls to the remote API that are nobody's in particular.

use oidc::{Audience, ClientCredentials, ClientId, ClientSecret};

use super::parse::Parser;

/// A machine-to-machine application, and the API that it is authorised for.
#[derive(Debug, Clone)]
pub struct ServiceClient {
    /// What it shows to the provider.
    pub credentials: ClientCredentials,
    /// The API's identifier.
    pub audience: Audience,
}

impl Parser<'_> {
    /// Both of id and secret, or none. An audience alone is no credential: the 2022 file has
    /// it for the remote API.
    pub(super) fn service_client(&mut self) -> Option<ServiceClient> {
        let known = self.problems.len();
        let client_id = self.lookup.value("API_CLIENT_ID").map(str::to_owned);
        let client_secret = self.secret("API_CLIENT_SECRET");
        let (client_id, client_secret) = match (client_id, client_secret) {
            (Some(client_id), Some(client_secret)) => (client_id, client_secret),
            (Some(_), None) if self.problems.len() == known => {
                self.problem(
                    "API_CLIENT_SECRET",
                    "is missing: set it together with API_CLIENT_ID, or neither",
                );
                return None;
            }
            (None, Some(_)) => {
                self.problem(
                    "API_CLIENT_ID",
                    "is missing: set it together with API_CLIENT_SECRET, or neither",
                );
                return None;
            }
            _ => return None,
        };
        let audience = self
            .lookup
            .value("API_AUDIENCE")
            .or_else(|| self.lookup.value("AUTH0_AUDIENCE"));
        let Some(audience) = audience else {
            self.problem(
                "API_AUDIENCE",
                "is missing: set it to the identifier of the API that API_CLIENT_ID may call",
            );
            return None;
        };
        Some(ServiceClient {
            credentials: ClientCredentials {
                client_id: ClientId::new(client_id),
                client_secret: ClientSecret::new(client_secret),
            },
            audience: Audience::new(audience),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Lookup;

    use super::*;

    fn parsed(settings: &[(&str, &str)]) -> Result<Option<ServiceClient>, Vec<String>> {
        let lookup = Lookup::of(settings.iter().copied());
        let mut parser = Parser::new(&lookup);
        let client = parser.service_client();
        if parser.problems.is_empty() {
            Ok(client)
        } else {
            Err(parser.problems.iter().map(ToString::to_string).collect())
        }
    }

    #[test]
    fn without_credentials_there_is_no_client() {
        assert!(parsed(&[]).unwrap().is_none());
        assert!(parsed(&[("API_AUDIENCE", "a")]).unwrap().is_none());
    }

    #[test]
    fn credentials_come_together_or_not_at_all() {
        assert_eq!(
            parsed(&[("API_CLIENT_ID", "c")]).unwrap_err(),
            ["API_CLIENT_SECRET: is missing: set it together with API_CLIENT_ID, or neither"]
        );
        assert_eq!(
            parsed(&[("API_CLIENT_SECRET", "s")]).unwrap_err(),
            ["API_CLIENT_ID: is missing: set it together with API_CLIENT_SECRET, or neither"]
        );
    }

    #[test]
    fn a_secret_file_that_cannot_be_read_is_one_problem() {
        let problems = parsed(&[
            ("API_CLIENT_ID", "c"),
            ("API_CLIENT_SECRET_FILE", "/nonexistent/secret"),
        ])
        .unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("cannot be read"), "{problems:?}");
    }

    #[test]
    fn the_audience_is_that_of_the_logins_unless_set() {
        let credentials = [("API_CLIENT_ID", "c"), ("API_CLIENT_SECRET", "s")];
        let with = |more: &[(&'static str, &'static str)]| {
            parsed(&[credentials.as_slice(), more].concat())
        };
        let audience = |client: Option<ServiceClient>| client.unwrap().audience.to_string();
        let login = ("AUTH0_AUDIENCE", "login");
        assert_eq!(audience(with(&[login]).unwrap()), "login");
        let own = with(&[login, ("API_AUDIENCE", "own")]).unwrap();
        assert_eq!(audience(own), "own");
        assert!(with(&[]).unwrap_err()[0].starts_with("API_AUDIENCE: is missing"));
    }

    #[test]
    fn debug_output_has_no_secret() {
        let client = parsed(&[
            ("API_CLIENT_ID", "c"),
            ("API_CLIENT_SECRET", "not-to-be-seen"),
            ("API_AUDIENCE", "a"),
        ]);
        assert!(!format!("{client:?}").contains("not-to-be-seen"));
    }
}
