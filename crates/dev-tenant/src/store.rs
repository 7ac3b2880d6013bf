//! What the tenant remembers: login transactions, sessions, codes, refresh token families
//! and access tokens. In memory, bounded, everything secret by hash only.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::authorization_request::AuthorizationRequest;
use crate::refresh::Family;

/// Codes are remembered longer than they work, so that a second use is seen (RFC 6749 §4.1.2).
pub(crate) const CODE_MEMORY_SECONDS: i64 = 600;
const TRANSACTION_SECONDS: i64 = 1_800;

/// What a person granted an application by signing in to it.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) sub: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) audience: Option<String>,
    pub(crate) auth_time: i64,
    pub(crate) sid: String,
}

impl Grant {
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

/// The provider's session of one browser.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) sid: String,
    pub(crate) sub: String,
    pub(crate) auth_time: i64,
    /// Applications signed in to, for back-channel logout.
    pub(crate) clients: BTreeSet<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) expires_at: i64,
    pub(crate) used: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct AccessToken {
    pub(crate) grant_id: String,
    pub(crate) sub: String,
    pub(crate) scopes: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Store {
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) transactions: Expiring<AuthorizationRequest>,
    pub(crate) sessions: Expiring<Session>,
    pub(crate) codes: Expiring<Code>,
    pub(crate) families: Expiring<Family>,
    pub(crate) access_tokens: Expiring<AccessToken>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            transactions: Expiring::new(2_000),
            sessions: Expiring::new(10_000),
            codes: Expiring::new(2_000),
            families: Expiring::new(10_000),
            access_tokens: Expiring::new(20_000),
        }
    }
}

impl Store {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(crate) fn begin_transaction(&mut self, id: &str, request: AuthorizationRequest, now: i64) {
        self.transactions
            .insert(digest(id), request, now + TRANSACTION_SECONDS, now);
    }

    /// Ends everything that came of one grant: its refresh tokens and access tokens.
    pub(crate) fn revoke_grant(&mut self, grant_id: &str) {
        self.families.retain(|family| family.grant.id != grant_id);
        self.access_tokens
            .retain(|token| token.grant_id != grant_id);
    }

    /// Ends all sessions that `matches`, and returns them.
    pub(crate) fn end_sessions(&mut self, matches: impl Fn(&Session) -> bool) -> Vec<Session> {
        let mut ended = Vec::new();
        self.sessions.retain(|session| {
            let ends = matches(session);
            if ends {
                ended.push(session.clone());
            }
            !ends
        });
        ended
    }
}

/// Keys at rest: who reads the memory of the map finds nothing to replay.
pub(crate) fn digest(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// A map whose entries lapse and whose size is bounded: the oldest to lapse make room.
pub(crate) struct Expiring<V> {
    entries: HashMap<String, (i64, V)>,
    capacity: usize,
}

impl<V> Expiring<V> {
    fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            capacity,
        }
    }

    pub(crate) fn insert(&mut self, key: String, value: V, expires_at: i64, now: i64) {
        if self.entries.len() >= self.capacity {
            self.entries.retain(|_, (expiry, _)| *expiry > now);
        }
        if self.entries.len() >= self.capacity {
            let first_to_lapse = self
                .entries
                .iter()
                .min_by_key(|(_, (expiry, _))| *expiry)
                .map(|(key, _)| key.clone());
            first_to_lapse.map(|key| self.entries.remove(&key));
        }
        self.entries.insert(key, (expires_at, value));
    }

    pub(crate) fn find(&self, key: &str, now: i64) -> Option<&V> {
        let (expiry, value) = self.entries.get(key)?;
        (*expiry > now).then_some(value)
    }

    pub(crate) fn find_mut(&mut self, key: &str, now: i64) -> Option<&mut V> {
        let (expiry, value) = self.entries.get_mut(key)?;
        (*expiry > now).then_some(value)
    }

    pub(crate) fn take(&mut self, key: &str, now: i64) -> Option<V> {
        let (expiry, value) = self.entries.remove(key)?;
        (expiry > now).then_some(value)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.entries.retain(|_, (_, value)| keep(value));
    }

    /// The entry that `matches`, with its key.
    pub(crate) fn search(
        &mut self,
        now: i64,
        matches: impl Fn(&V) -> bool,
    ) -> Option<(String, &mut V)> {
        self.entries
            .iter_mut()
            .find(|(_, (expiry, value))| *expiry > now && matches(value))
            .map(|(key, (_, value))| (key.clone(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_lapse_and_the_map_stays_bounded() {
        let mut map = Expiring::new(2);
        map.insert("a".to_owned(), 1, 10, 0);
        map.insert("b".to_owned(), 2, 20, 0);
        map.insert("c".to_owned(), 3, 30, 0);
        assert_eq!(map.find("a", 0), None);
        assert_eq!(map.find("b", 19), Some(&2));
        assert_eq!(map.find("b", 20), None);
        assert_eq!(map.entries.len(), 2);
    }
}
