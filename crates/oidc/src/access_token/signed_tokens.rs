//! Remembers which tokens have a good signature: an RSA verification is most of what a
//! request with a token costs, and one client sends the same token a thousand times.
//!
//! A signature is a fact about some bytes and a key, so nothing that can change is remembered:
//! expiry and policy are judged anew at each request, and the entries belong to one fetched
//! set of keys and go with it (after 8 minutes of use, as the keys do). A key that the
//! provider withdraws ends its tokens exactly as it would without this.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashlink::LruCache;
use sha2::{Digest as _, Sha256};

use crate::{claims::Claims, jwks::KeySet};

/// Tokens remembered, some 2 KB each; the one that was not seen longest is forgotten first.
/// Only tokens that the provider signed and that are good now get in: a stranger cannot
/// push anybody out.
const CAPACITY: usize = 2_048;
/// Bytes of a token that is remembered. Larger ones are rare, and their claims take several
/// times as much.
const LARGEST: usize = 4 * 1024;

/// See the module. Cheap to clone; clones share it.
#[derive(Clone, Default)]
pub(super) struct SignedTokens(Arc<Mutex<Option<OfKeySet>>>);

struct OfKeySet {
    keys: Arc<KeySet>,
    tokens: LruCache<Fingerprint, Arc<Claims>>,
}

/// SHA-256 of a whole token: whoever reads this memory finds none in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// `None`: too large to be remembered.
    pub(super) fn of(token: &str) -> Option<Self> {
        (token.len() <= LARGEST).then(|| Self(Sha256::digest(token).into()))
    }
}

impl SignedTokens {
    /// The claims of a token that one of `keys` signed.
    pub(super) fn recall(&self, token: Fingerprint, keys: &Arc<KeySet>) -> Option<Arc<Claims>> {
        let mut known = self.known();
        let known = known.as_mut().filter(|known| known.is_of(keys))?;
        known.tokens.get(&token).map(Arc::clone)
    }

    /// To be called only for a signature that was verified with one of `keys`.
    pub(super) fn remember(&self, token: Fingerprint, keys: &Arc<KeySet>, claims: Arc<Claims>) {
        let mut known = self.known();
        let known = match &mut *known {
            Some(known) if known.is_of(keys) => known,
            outdated => outdated.insert(OfKeySet::new(Arc::clone(keys))),
        };
        known.tokens.insert(token, claims);
    }

    pub(super) fn forget(&self, token: Fingerprint) {
        if let Some(known) = &mut *self.known() {
            known.tokens.remove(&token);
        }
    }

    /// Whether it was signed by one of the keys of its time, which may not be those of now.
    pub(super) fn knows(&self, token: Fingerprint) -> bool {
        let known = self.known();
        known
            .as_ref()
            .is_some_and(|known| known.tokens.contains_key(&token))
    }

    fn known(&self) -> MutexGuard<'_, Option<OfKeySet>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OfKeySet {
    fn new(keys: Arc<KeySet>) -> Self {
        Self {
            keys,
            tokens: LruCache::new(CAPACITY),
        }
    }

    fn is_of(&self, keys: &Arc<KeySet>) -> bool {
        Arc::ptr_eq(&self.keys, keys)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::{test_support::Key, types::Issuer};

    fn key_set() -> Arc<KeySet> {
        let json = json!({"keys": [Key::first().jwk()]}).to_string();
        let issuer = Issuer::parse("https://a.test/").unwrap();
        Arc::new(KeySet::parse(json.as_bytes(), issuer).ok().unwrap())
    }

    fn fingerprint(token: &str) -> Fingerprint {
        Fingerprint::of(token).unwrap()
    }

    fn claims() -> Arc<Claims> {
        Arc::new(Claims::new(Map::new()))
    }

    #[test]
    fn only_the_keys_that_signed_it_recall_a_token() {
        let (signed, keys, token) = (SignedTokens::default(), key_set(), fingerprint("a"));
        signed.remember(token, &keys, claims());
        assert!(signed.recall(token, &keys).is_some());
        assert!(signed.recall(fingerprint("b"), &keys).is_none());
        let same_keys_of_another_fetch = key_set();
        assert!(signed.recall(token, &same_keys_of_another_fetch).is_none());
    }

    #[test]
    fn another_set_of_keys_begins_with_nothing() {
        let (signed, before, now) = (SignedTokens::default(), key_set(), key_set());
        signed.remember(fingerprint("a"), &before, claims());
        signed.remember(fingerprint("b"), &now, claims());
        assert!(!signed.knows(fingerprint("a")));
        assert!(signed.recall(fingerprint("b"), &now).is_some());
    }

    #[test]
    fn ten_thousand_clients_cost_a_bounded_table_and_the_silent_ones_go() {
        let (signed, keys) = (SignedTokens::default(), key_set());
        for number in 0..10_000 {
            signed.remember(fingerprint(&number.to_string()), &keys, claims());
        }
        let known = |number: usize| signed.knows(fingerprint(&number.to_string()));
        assert_eq!(
            (0..10_000).filter(|number| known(*number)).count(),
            CAPACITY
        );
        assert!(known(9_999) && !known(0));
    }

    #[test]
    fn what_takes_much_room_is_not_remembered() {
        assert!(Fingerprint::of(&"a".repeat(LARGEST)).is_some());
        assert!(Fingerprint::of(&"a".repeat(LARGEST + 1)).is_none());
    }
}
