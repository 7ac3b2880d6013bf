//! Sessions as the companion knows them: typed payloads over the sealed store, their
//! lifetimes, and the handles (cookies, tickets, grants) that lead to them.
//!
//! Ids of sessions never leave; every handle is 256 random bits, known to the store by
//! hash only.

mod ending;
mod lookup;
mod provider_logout;
mod record;
mod sealing;

use std::sync::Arc;

use oidc::{Clock, Random};
use session_store::{
    HandleKind, KeyHash, KeyRing, NewHandle, NewSession, SessionId, SessionStore, StoreError,
    Updated,
};
use shared::error::EndReason;

pub use self::ending::Ending;
pub use self::record::{
    CachedAccessToken, Content, Described, DescribedToken, LiveSession, Session, Shown, Standing,
    reference,
};
use crate::closing::Closing;
use crate::config::Lifetimes;
use crate::cookies::Caller;
use crate::values::random_256;

/// An ended session is remembered this long, so that its holders can be told why.
const REMEMBER_ENDED_SECONDS: i64 = 3600;

/// The sessions. One pointer to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Parts>);

struct Parts {
    store: Arc<dyn SessionStore>,
    keys: KeyRing,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    lifetimes: Lifetimes,
    closing: Closing,
}

impl Sessions {
    /// Over this store, sealed with these keys.
    pub fn new(
        store: Arc<dyn SessionStore>,
        keys: KeyRing,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        lifetimes: Lifetimes,
        closing: Closing,
    ) -> Self {
        Self(Arc::new(Parts {
            store,
            keys,
            clock,
            random,
            lifetimes,
            closing,
        }))
    }

    /// The store below, for what is no session: handoffs, spent values, notices.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SessionStore> {
        &self.0.store
    }

    /// Unix seconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.0.clock.now().seconds()
    }

    /// When a session that begins now ends at the latest.
    #[must_use]
    pub fn absolute_expiry(&self) -> i64 {
        self.now().saturating_add(self.0.lifetimes.absolute)
    }

    /// Begins a session and gives it a first cookie id for `caller`.
    ///
    /// # Errors
    /// If the store cannot write.
    pub async fn create(
        &self,
        session: &Session,
        caller: Caller,
    ) -> Result<(SessionId, String), StoreError> {
        let mut id = SessionId([0; 16]);
        self.0.random.fill(&mut id.0);
        let cookie = random_256(&*self.0.random);
        let expires_at = self.rolling_expiry(session);
        let new = NewSession {
            id,
            sealed: self.seal_session(id, session),
            provider_session: session
                .provider_session
                .as_ref()
                .map(|sid| provider_session_key(&session.issuer, sid)),
            subject: subject_key(&session.issuer, &session.subject),
            expires_at,
        };
        let handle = handle(cookie_kind(caller), &cookie, id, session.absolute_expiry);
        if let Err(error) = self.0.store.create_session(new, vec![handle]).await {
            // Only the answer may have been lost: nobody will ever hold that session's cookie.
            let sessions = self.clone();
            let ending = async move { sessions.end(id, EndReason::Unknown).await };
            self.0.closing.finish(ending);
            return Err(error);
        }
        Ok((id, cookie))
    }

    /// Mints a further handle of `kind` on a session; returns the value for its holder.
    ///
    /// # Errors
    /// If the store cannot write.
    pub async fn add_handle(
        &self,
        kind: HandleKind,
        live: &LiveSession,
    ) -> Result<String, StoreError> {
        let value = random_256(&*self.0.random);
        let handle = handle(kind, &value, live.id, live.session.absolute_expiry);
        self.0.store.put_handle(handle).await?;
        Ok(value)
    }

    /// Writes a changed payload if nobody wrote, and the session did not end, meanwhile.
    ///
    /// # Errors
    /// If the store cannot write.
    pub async fn update(
        &self,
        live: &LiveSession,
        session: &Session,
    ) -> Result<Updated, StoreError> {
        let sealed = self.seal_session(live.id, session);
        self.0
            .store
            .update_session(live.id, live.version, sealed, self.rolling_expiry(session))
            .await
    }

    /// The source of randomness.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        &*self.0.random
    }
}

/// By this the sessions of one of the provider's sessions are found.
fn provider_session_key(issuer: &str, session_id: &str) -> KeyHash {
    KeyHash::of_parts(&[issuer, session_id])
}

/// By this the sessions of one person are found.
fn subject_key(issuer: &str, subject: &str) -> KeyHash {
    KeyHash::of_parts(&[issuer, subject])
}

fn handle(kind: HandleKind, value: &str, id: SessionId, absolute: i64) -> NewHandle {
    let remember_until = absolute.saturating_add(REMEMBER_ENDED_SECONDS);
    NewHandle {
        kind,
        key: KeyHash::of(value),
        session: Some(id),
        sealed: Vec::new(),
        // Past the session's own end, so that the holder hears "expired", not "unknown".
        expires_at: remember_until,
        remember_until,
    }
}

/// The kind of handle in `caller`'s cookie.
#[must_use]
pub const fn cookie_kind(caller: Caller) -> HandleKind {
    match caller {
        Caller::Frame => HandleKind::FrameCookie,
        Caller::Page => HandleKind::PageCookie,
    }
}
