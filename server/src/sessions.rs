//! Sessions as the companion knows them: typed payloads over the sealed store, their
//! lifetimes, and the handles (cookies, tickets, grants) that lead to them.
//!
//! Ids of sessions never leave; every handle is 256 random bits, known to the store by
//! hash only.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::{Clock, Random};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use session_store::{
    HandleKind, KeyHash, KeyRing, NewHandle, NewSession, SessionId, SessionStore, StoreError,
    StoredSession, Updated,
};
use sha2::{Digest as _, Sha256};
use shared::error::EndReason;

use crate::config::Lifetimes;
use crate::cookies::Caller;
use crate::values::random_256;

/// An ended session is remembered this long, so that its holders can be told why.
const REMEMBER_ENDED_SECONDS: i64 = 3600;

/// What a session holds. Sealed at rest; no `Debug`, since tokens are in it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    /// Issuer of the ID token.
    pub issuer: String,
    /// Subject at the issuer.
    pub subject: String,
    /// The provider's session id (`sid`), for logout.
    pub provider_session: Option<String>,
    /// Verified claims about the person.
    pub claims: Map<String, Value>,
    /// The ID token itself, kept only for `LOGOUT_ID_TOKEN_HINT`.
    pub id_token: Option<String>,
    /// The refresh token, if the provider gave one.
    pub refresh_token: Option<String>,
    /// Scope that the person granted at login.
    pub granted_scope: String,
    /// Access tokens by audience and scope; the first is the login's own.
    pub access_tokens: Vec<CachedAccessToken>,
    /// When the session ends whatever happens, Unix seconds.
    pub absolute_expiry: i64,
}

/// An access token of a session.
#[derive(Clone, Serialize, Deserialize)]
pub struct CachedAccessToken {
    /// Audience asked for; `None`: the configured one.
    pub audience: Option<String>,
    /// Scope asked for; `None`: all that was granted.
    pub requested_scope: Option<String>,
    /// The token.
    pub token: String,
    /// When it expires, Unix seconds.
    pub expires_at: i64,
    /// Scope it has.
    pub scope: String,
    /// Its `permissions`, if it is a verifiable JWT that has some.
    pub permissions: Vec<String>,
}

/// A session that is alive at this moment.
#[derive(Clone)]
pub struct LiveSession {
    /// Internal id.
    pub id: SessionId,
    /// For compare-and-set.
    pub version: i64,
    /// When it ends unless it is used, Unix seconds.
    pub expires_at: i64,
    /// What it holds.
    pub session: Session,
}

impl LiveSession {
    /// The opaque, non-secret `ref` of the contract. Leads nowhere.
    #[must_use]
    pub fn reference(&self) -> String {
        reference(self.id)
    }
}

/// The `ref` of a session: a hash of its id.
#[must_use]
pub fn reference(id: SessionId) -> String {
    let labelled = [b"ref".as_slice(), &id.0].concat();
    URL_SAFE_NO_PAD.encode(&Sha256::digest(&labelled)[..12])
}

/// What became of the session behind a handle.
pub enum Standing {
    /// Alive.
    Live(Box<LiveSession>),
    /// Over, for this reason.
    Ended(EndReason),
}

/// The sessions. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    store: Arc<dyn SessionStore>,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    lifetimes: Lifetimes,
}

impl Sessions {
    /// Over this store, sealed with these keys.
    pub fn new(
        store: Arc<dyn SessionStore>,
        keys: KeyRing,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        lifetimes: Lifetimes,
    ) -> Self {
        Self {
            store,
            keys: Arc::new(keys),
            clock,
            random,
            lifetimes,
        }
    }

    /// The store below, for what is no session: handoffs, spent values, notices.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SessionStore> {
        &self.store
    }

    /// Unix seconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.clock.now().seconds()
    }

    /// When a session that begins now ends at the latest.
    #[must_use]
    pub fn absolute_expiry(&self) -> i64 {
        self.now().saturating_add(self.lifetimes.absolute)
    }

    /// Seals a handle's payload, bound to the handle.
    #[must_use]
    pub fn seal(&self, kind: HandleKind, key: KeyHash, payload: &impl Serialize) -> Vec<u8> {
        let payload = serde_json::to_vec(payload)
            .unwrap_or_else(|_| unreachable!("payloads have string keys and plain values"));
        self.keys
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
        let opened = self.keys.open(&bound_to_handle(kind, key), sealed).ok()?;
        serde_json::from_slice(&opened.plaintext).ok()
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
        self.random.fill(&mut id.0);
        let cookie = random_256(&*self.random);
        let expires_at = self.rolling_expiry(session);
        let new = NewSession {
            id,
            sealed: self.seal_session(id, session),
            provider_session: session
                .provider_session
                .as_ref()
                .map(|sid| KeyHash::of_parts(&[&session.issuer, sid])),
            subject: KeyHash::of_parts(&[&session.issuer, &session.subject]),
            expires_at,
        };
        let handle = handle(cookie_kind(caller), &cookie, id, session.absolute_expiry);
        self.store.create_session(new, vec![handle]).await?;
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
        let value = random_256(&*self.random);
        let handle = handle(kind, &value, live.id, live.session.absolute_expiry);
        self.store.put_handle(handle).await?;
        Ok(value)
    }

    /// The live session of the first cookie id that leads to one, and moves its expiry.
    /// The flag says whether that happened: the cookie is to be renewed then.
    ///
    /// # Errors
    /// If the store cannot answer: that is not "nobody is signed in".
    pub async fn by_cookie(
        &self,
        caller: Caller,
        ids: &[String],
    ) -> Result<Option<(LiveSession, Option<String>)>, StoreError> {
        for id in ids {
            if let Some(Standing::Live(mut live)) =
                self.standing(cookie_kind(caller), KeyHash::of(id)).await?
            {
                let renewed = self.touch(&mut live).await?;
                return Ok(Some((*live, renewed.then(|| id.clone()))));
            }
        }
        Ok(None)
    }

    /// What became of the session behind a grant.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn by_grant(&self, grant: &str) -> Result<Standing, StoreError> {
        let standing = self.standing(HandleKind::Grant, KeyHash::of(grant)).await?;
        match standing {
            Some(Standing::Live(mut live)) => {
                self.touch(&mut live).await?;
                Ok(Standing::Live(live))
            }
            Some(ended) => Ok(ended),
            None => Ok(Standing::Ended(EndReason::Unknown)),
        }
    }

    /// The live session that a sign-out key ends.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn by_sign_out_key(&self, key: &str) -> Result<Option<LiveSession>, StoreError> {
        match self
            .standing(HandleKind::SignOutKey, KeyHash::of(key))
            .await?
        {
            Some(Standing::Live(live)) => Ok(Some(*live)),
            _ => Ok(None),
        }
    }

    async fn standing(
        &self,
        kind: HandleKind,
        key: KeyHash,
    ) -> Result<Option<Standing>, StoreError> {
        let Some((_, session)) = self.store.find(kind, key, self.now()).await? else {
            return Ok(None);
        };
        Ok(Some(
            session.map_or(Standing::Ended(EndReason::Unknown), |stored| {
                self.judge(&stored)
            }),
        ))
    }

    /// The session by id, alive or ended.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn by_id(&self, id: SessionId) -> Result<Standing, StoreError> {
        let stored = self.store.load_session(id).await?;
        Ok(
            stored.map_or(Standing::Ended(EndReason::Unknown), |stored| {
                self.judge(&stored)
            }),
        )
    }

    /// Lifetimes hold whatever cookie or row says (A04): both limits are checked here.
    fn judge(&self, stored: &StoredSession) -> Standing {
        if let Some(reason) = &stored.ended {
            return Standing::Ended(reason_from(reason));
        }
        let now = self.now();
        let session = self.open_session(stored);
        match session {
            _ if stored.expires_at <= now => Standing::Ended(EndReason::Expired),
            // Its key is gone (rotated away): no session, and no fault either (E51).
            None => Standing::Ended(EndReason::Unknown),
            Some(Session {
                absolute_expiry, ..
            }) if absolute_expiry <= now => Standing::Ended(EndReason::Expired),
            Some(session) => Standing::Live(Box::new(LiveSession {
                id: stored.id,
                version: stored.version,
                expires_at: stored.expires_at,
                session,
            })),
        }
    }

    fn rolling_expiry(&self, session: &Session) -> i64 {
        self.now()
            .saturating_add(self.lifetimes.rolling)
            .min(session.absolute_expiry)
    }

    /// Moves the rolling expiry when that gains enough to be worth a write.
    async fn touch(&self, live: &mut LiveSession) -> Result<bool, StoreError> {
        let expires_at = self.rolling_expiry(&live.session);
        let worth_it = (self.lifetimes.rolling / 24).min(3600);
        if expires_at - live.expires_at <= worth_it {
            return Ok(false);
        }
        self.store.touch_session(live.id, expires_at).await?;
        live.expires_at = expires_at;
        Ok(true)
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
        self.store
            .update_session(live.id, live.version, sealed, self.rolling_expiry(session))
            .await
    }

    /// Ends a session with all its cookies, tickets and grants. Gives what it held in that
    /// very moment; `None` if it had ended before.
    ///
    /// # Errors
    /// If the store cannot write.
    pub async fn end(
        &self,
        id: SessionId,
        reason: EndReason,
    ) -> Result<Option<Session>, StoreError> {
        self.end_noting(id, reason_text(reason)).await
    }

    /// The same by the Streamlit host: the provider's session lives on, so the next login in
    /// that browser has to ask for the person anew.
    ///
    /// # Errors
    /// If the store cannot write.
    pub async fn end_by_host(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.end_noting(id, ENDED_BY_HOST).await
    }

    /// Whether one of these page cookies led to a session that the host ended.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn was_ended_by_host(&self, page_cookies: &[String]) -> Result<bool, StoreError> {
        for cookie in page_cookies {
            let key = KeyHash::of(cookie);
            let found = self
                .store
                .find(HandleKind::PageCookie, key, self.now())
                .await?;
            let session = found.and_then(|(_, session)| session);
            if session.is_some_and(|session| session.ended.as_deref() == Some(ENDED_BY_HOST)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn end_noting(&self, id: SessionId, note: &str) -> Result<Option<Session>, StoreError> {
        let remember_until = self.now().saturating_add(REMEMBER_ENDED_SECONDS);
        let ended = self.store.end_session(id, note, remember_until).await?;
        Ok(ended.and_then(|stored| self.open_session(&stored)))
    }

    /// The live sessions that share the provider's session with this one, itself included.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn of_same_provider_session(
        &self,
        session: &Session,
    ) -> Result<Vec<SessionId>, StoreError> {
        match &session.provider_session {
            None => Ok(Vec::new()),
            Some(sid) => {
                let key = KeyHash::of_parts(&[&session.issuer, sid]);
                self.store.sessions_of_provider_session(key).await
            }
        }
    }

    /// The live sessions of the same person.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn of_same_subject(&self, session: &Session) -> Result<Vec<SessionId>, StoreError> {
        let key = KeyHash::of_parts(&[&session.issuer, &session.subject]);
        self.store.sessions_of_subject(key).await
    }

    fn open_session(&self, stored: &StoredSession) -> Option<Session> {
        let opened = self.keys.open(&stored.id.0, &stored.sealed).ok()?;
        serde_json::from_slice(&opened.plaintext).ok()
    }

    fn seal_session(&self, id: SessionId, session: &Session) -> Vec<u8> {
        let payload = serde_json::to_vec(session)
            .unwrap_or_else(|_| unreachable!("a session has string keys and plain values"));
        self.keys.seal(self.nonce(), &id.0, &payload)
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        self.random.fill(&mut nonce);
        nonce
    }

    /// The source of randomness.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }
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

fn bound_to_handle(kind: HandleKind, key: KeyHash) -> Vec<u8> {
    let mut associated = vec![kind as u8];
    associated.extend_from_slice(key.as_bytes());
    associated
}

/// Stored in place of `signed_out` where the host ended it; told as `signed_out`.
const ENDED_BY_HOST: &str = "signed_out_by_host";
const REASONS: [(EndReason, &str); 7] = [
    (EndReason::SignedOut, "signed_out"),
    (EndReason::SignedOut, ENDED_BY_HOST),
    (EndReason::ProviderLogout, "provider_logout"),
    (EndReason::Expired, "expired"),
    (EndReason::Replaced, "replaced"),
    (EndReason::RefreshRefused, "refresh_refused"),
    (EndReason::Unknown, "unknown"),
];

fn reason_text(reason: EndReason) -> &'static str {
    REASONS
        .iter()
        .find(|(known, _)| *known == reason)
        .map_or("unknown", |(_, text)| text)
}

fn reason_from(text: &str) -> EndReason {
    REASONS
        .iter()
        .find(|(_, known)| *known == text)
        .map_or(EndReason::Unknown, |(reason, _)| *reason)
}
