//! Payloads as the store gets them: sealed, each bound to its own record.

use serde::{Deserialize, Serialize};
use session_store::{HandleKind, KeyHash, SessionId, StoredSession};

use super::Sessions;
use super::record::{Content, Session};

impl Sessions {
    /// Seals a handle's payload, bound to the handle.
    #[must_use]
    pub fn seal(&self, kind: HandleKind, key: KeyHash, payload: &impl Serialize) -> Vec<u8> {
        let payload = serde_json::to_vec(payload)
            .unwrap_or_else(|_| unreachable!("payloads have string keys and plain values"));
        self.0
            .keys
            .seal(self.nonce(), &bound_to_handle(kind, key), &payload)
    }

    /// Opens a handle's payload; `None` if it is not ours (any more).
    #[must_use]
    pub fn open<T: for<'de> Deserialize<'de>>(
        &self,
        kind: HandleKind,
        key: KeyHash,
        sealed: &[u8],
    ) -> Option<T> {
        let opened = self.0.keys.open(&bound_to_handle(kind, key), sealed).ok()?;
        serde_json::from_slice(&opened.plaintext).ok()
    }

    /// What a session holds, and, if an older secret sealed it, its payload sealed anew;
    /// `None` if it is not ours (any more). Opened in place: the bytes are the caller's copy.
    pub(super) fn open_session<C: Content>(
        &self,
        stored: &mut StoredSession,
    ) -> Option<(C, Option<Vec<u8>>)> {
        let id = stored.id;
        let opened = self.0.keys.open_in_place(&id.0, &mut stored.sealed).ok()?;
        let session = serde_json::from_slice(opened.plaintext).ok()?;
        let anew = || self.0.keys.seal(self.nonce(), &id.0, opened.plaintext);
        Some((session, opened.stale.then(anew)))
    }

    /// Whether a session is ours.
    pub(super) fn opens(&self, stored: &StoredSession) -> bool {
        self.open_session::<Session>(&mut stored.clone()).is_some()
    }

    pub(super) fn seal_session(&self, id: SessionId, session: &Session) -> Vec<u8> {
        let payload = serde_json::to_vec(session)
            .unwrap_or_else(|_| unreachable!("a session has string keys and plain values"));
        self.0.keys.seal(self.nonce(), &id.0, &payload)
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        self.0.random.fill(&mut nonce);
        nonce
    }
}

fn bound_to_handle(kind: HandleKind, key: KeyHash) -> Vec<u8> {
    let mut associated = vec![kind as u8];
    associated.extend_from_slice(key.as_bytes());
    associated
}
