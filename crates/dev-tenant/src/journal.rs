//! What was asked of the tenant, for the assertions of tests. Holds no secret:
//! credentials, codes and tokens never enter it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

const VALUE_LIMIT: usize = 512;
const RECORD_LIMIT: usize = 64;

/// Counters and last requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JournalSnapshot {
    /// Requests by endpoint.
    pub requests: BTreeMap<String, u64>,
    /// Token requests by grant type (`unknown` for others).
    pub token_requests: BTreeMap<String, u64>,
    /// Refused token requests by OAuth error code.
    pub token_errors: BTreeMap<String, u64>,
    /// Parameters of the last authorization request.
    pub last_authorization_request: BTreeMap<String, String>,
    /// Parameters of the last logout request, without `id_token_hint`'s value.
    pub last_logout_request: BTreeMap<String, String>,
    /// How the last token request authenticated: `client_secret_basic`, `client_secret_post`, `none`.
    pub last_client_authentication: Option<String>,
    /// Back-channel logout calls, newest last.
    pub backchannel_logouts: Vec<BackchannelDelivery>,
}

impl JournalSnapshot {
    /// Requests that reached `endpoint`.
    #[must_use]
    pub fn requests_to(&self, endpoint: &str) -> u64 {
        self.requests.get(endpoint).copied().unwrap_or(0)
    }

    /// Token requests of `grant_type`.
    #[must_use]
    pub fn token_requests_of(&self, grant_type: &str) -> u64 {
        self.token_requests.get(grant_type).copied().unwrap_or(0)
    }
}

/// Outcome of one back-channel logout call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackchannelDelivery {
    /// Whom we told.
    pub client_id: String,
    /// The answer's status; `None` when there was none.
    pub status: Option<u16>,
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Mutex<JournalSnapshot>,
}

impl Journal {
    pub(crate) fn snapshot(&self) -> JournalSnapshot {
        self.lock().clone()
    }

    pub(crate) fn reset(&self) {
        *self.lock() = JournalSnapshot::default();
    }

    pub(crate) fn request(&self, endpoint: &str) {
        *self.lock().requests.entry(endpoint.to_owned()).or_default() += 1;
    }

    pub(crate) fn token_request(&self, grant_type: &str) {
        // A fixed set of names: a flood of invented grant types must not grow the map.
        let name = match grant_type {
            "authorization_code" | "refresh_token" | "client_credentials" => grant_type,
            _ => "unknown",
        };
        *self
            .lock()
            .token_requests
            .entry(name.to_owned())
            .or_default() += 1;
    }

    pub(crate) fn token_error(&self, code: &'static str) {
        *self.lock().token_errors.entry(code.to_owned()).or_default() += 1;
    }

    pub(crate) fn client_authentication(&self, method: &str) {
        self.lock().last_client_authentication = Some(method.to_owned());
    }

    pub(crate) fn authorization_request(&self, parameters: &BTreeMap<String, String>) {
        self.lock().last_authorization_request = bounded(parameters);
    }

    pub(crate) fn logout_request(&self, parameters: &BTreeMap<String, String>) {
        let mut parameters = bounded(parameters);
        if let Some(hint) = parameters.get_mut("id_token_hint") {
            "(sent)".clone_into(hint);
        }
        self.lock().last_logout_request = parameters;
    }

    pub(crate) fn backchannel_logout(&self, delivery: BackchannelDelivery) {
        let deliveries = &mut self.lock().backchannel_logouts;
        if deliveries.len() == RECORD_LIMIT {
            deliveries.remove(0);
        }
        deliveries.push(delivery);
    }

    fn lock(&self) -> MutexGuard<'_, JournalSnapshot> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bounded(parameters: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let cut = |text: &str| text.chars().take(VALUE_LIMIT).collect::<String>();
    parameters
        .iter()
        .take(RECORD_LIMIT)
        .map(|(name, value)| (cut(name), cut(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_grant_types_share_one_counter() {
        let journal = Journal::default();
        journal.token_request("a");
        journal.token_request("b");
        assert_eq!(journal.snapshot().token_requests.len(), 1);
        assert_eq!(journal.snapshot().token_requests_of("unknown"), 2);
    }

    #[test]
    fn the_value_of_an_id_token_hint_is_not_kept() {
        let journal = Journal::default();
        journal.logout_request(&BTreeMap::from([(
            "id_token_hint".to_owned(),
            "eyJ".to_owned(),
        )]));
        assert_eq!(
            journal.snapshot().last_logout_request["id_token_hint"],
            "(sent)"
        );
    }
}
