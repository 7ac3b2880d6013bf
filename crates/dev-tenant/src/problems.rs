//! What can be wrong with a settings sheet that parses: all of it at once.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use crate::settings::{Client, GrantType, Settings};

impl Settings {
    /// One line for each problem.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match Url::parse(&self.issuer) {
            Ok(url) if url.query().is_none() && url.fragment().is_none() && url.has_host() => {}
            _ => problems.push(format!(
                "issuer: `{}` is not an absolute URL without query and fragment",
                self.issuer
            )),
        }
        self.repetitions(&mut problems);
        for user in &self.users {
            self.unknown_scopes(
                &mut problems,
                &format!("user {}", user.username),
                &user.permissions,
            );
        }
        for client in &self.clients {
            client.problems(&mut problems);
            self.unknown_scopes(
                &mut problems,
                &format!("client {}", client.name),
                &client.client_grants,
            );
        }
        if let Some(audience) = &self.default_audience
            && self.api(audience).is_none()
        {
            problems.push(format!("default_audience: no API `{audience}`"));
        }
        problems
    }

    fn repetitions(&self, problems: &mut Vec<String>) {
        let usernames = self.users.iter().map(|user| &user.username);
        repeated(problems, "users: username", usernames);
        let subjects = self.users.iter().map(|user| &user.sub);
        repeated(problems, "users: sub", subjects);
        let client_ids = self.clients.iter().map(|client| &client.client_id);
        repeated(problems, "clients: client_id", client_ids);
        let identifiers = self.apis.iter().map(|api| &api.identifier);
        repeated(problems, "apis: identifier", identifiers);
    }

    fn unknown_scopes(
        &self,
        problems: &mut Vec<String>,
        whose: &str,
        scopes: &BTreeMap<String, Vec<String>>,
    ) {
        for (identifier, scopes) in scopes {
            let Some(api) = self.api(identifier) else {
                problems.push(format!("{whose}: no API `{identifier}`"));
                continue;
            };
            for scope in scopes.iter().filter(|scope| !api.knows(scope)) {
                problems.push(format!(
                    "{whose}: API `{identifier}` has no scope `{scope}`"
                ));
            }
        }
    }
}

impl Client {
    fn problems(&self, problems: &mut Vec<String>) {
        let name = &self.name;
        for url in self.callbacks.iter().chain(&self.logout_urls) {
            match Url::parse(url) {
                Ok(parsed) if parsed.fragment().is_none() => {}
                _ => problems.push(format!(
                    "client {name}: `{url}` is not an absolute URL without fragment"
                )),
            }
        }
        for origin in self.web_origins.iter().chain(&self.cors_origins) {
            let exact =
                Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if !exact {
                problems.push(format!("client {name}: `{origin}` is not an exact origin"));
            }
        }
        if self.allows(GrantType::ClientCredentials) && self.client_secret.is_none() {
            problems.push(format!(
                "client {name}: client_credentials needs a client_secret"
            ));
        }
    }
}

fn repeated<'a>(problems: &mut Vec<String>, what: &str, values: impl Iterator<Item = &'a String>) {
    let mut seen = BTreeSet::new();
    for value in values {
        if value.is_empty() {
            problems.push(format!("{what} is empty"));
        } else if !seen.insert(value) {
            problems.push(format!("{what} `{value}` appears twice"));
        }
    }
}
