//! What every store can do, and the records it keeps.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tokio::sync::broadcast;

/// An expired session is remembered this long, so that its holders hear "expired".
pub(crate) const REMEMBER_EXPIRED_SECONDS: i64 = 3600;
/// Sessions, and handles, that one purge removes at most, so that it never blocks others long.
pub(crate) const PURGE_BATCH: i64 = 500;
/// Notices that a slow subscriber may be behind before it has to look for itself.
pub(crate) const NOTICE_BACKLOG: usize = 1024;

/// Internal id of a session. Not a credential: nobody outside ever presents it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionId(pub [u8; 16]);

/// Hash of a value that only its holder knows (cookie id, ticket, grant, verifier's
/// challenge …). The store never sees the value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes `value`. The values have 256 random bits, so one plain hash is enough.
    #[must_use]
    pub fn of(value: &str) -> Self {
        Self(Sha256::digest(value.as_bytes()).into())
    }

    /// Hashes several parts; lengths go in, so that no two lists collide.
    #[must_use]
    pub fn of_parts(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }

    /// A hash that was stored, for instance as a taker's mark; `None` for another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The hash, as a store's key or as associated data.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a handle is for. Two kinds never answer for each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HandleKind {
    /// First-party cookie of pages and popup.
    PageCookie = 1,
    /// Cookie of the component's frame.
    FrameCookie = 2,
    /// Result of a login, waiting for the frame that began it.
    Handoff = 3,
    /// One-time ticket of the frame for the Streamlit host.
    Ticket = 4,
    /// The Streamlit host's handle on the session.
    Grant = 5,
    /// `state` of an authorization response that was delivered.
    SpentState = 6,
    /// `jti` of a logout token that was obeyed.
    SpentLogoutToken = 7,
    /// Value that can end a session and do nothing else.
    SignOutKey = 8,
    /// Provider session or subject that the provider ended a short while ago.
    ProviderLogout = 9,
}

/// A session to create.
pub struct NewSession {
    /// Fresh random id.
    pub id: SessionId,
    /// Sealed payload, bound to `id`.
    pub sealed: Vec<u8>,
    /// Hash of issuer and `sid`, if the provider told one.
    pub provider_session: Option<KeyHash>,
    /// Hash of issuer and `sub`.
    pub subject: KeyHash,
    /// When it ends unless it is used, Unix seconds.
    pub expires_at: i64,
}

/// A session as stored, alive or ended.
#[derive(Clone)]
pub struct StoredSession {
    /// Its id.
    pub id: SessionId,
    /// Counts updates, for [`SessionStore::update_session`].
    pub version: i64,
    /// Sealed payload; empty once it has ended.
    pub sealed: Vec<u8>,
    /// When it ends unless it is used, Unix seconds.
    pub expires_at: i64,
    /// Why it was ended, if it was; kept for a while so that its holders can be told.
    pub ended: Option<String>,
}

/// A handle to create.
pub struct NewHandle {
    /// What it is for.
    pub kind: HandleKind,
    /// Hash of the value that its holder has.
    pub key: KeyHash,
    /// The session it leads to, if any.
    pub session: Option<SessionId>,
    /// Sealed payload, may be empty.
    pub sealed: Vec<u8>,
    /// Until when it works, Unix seconds.
    pub expires_at: i64,
    /// Until when it is remembered that it was there, Unix seconds.
    pub remember_until: i64,
}

/// A handle as stored.
#[derive(Clone)]
pub struct Handle {
    /// The session it leads to, if any.
    pub session: Option<SessionId>,
    /// Sealed payload.
    pub sealed: Vec<u8>,
    /// Until when it works, Unix seconds.
    pub expires_at: i64,
    /// The taker's mark, once it is taken.
    pub taken: Option<Vec<u8>>,
}

/// Result of [`SessionStore::take_handle`].
pub enum Taken {
    /// This call took it: nobody else ever will.
    Now(Handle),
    /// Somebody took it before; holds that taker's mark.
    Before(Handle),
    /// It was there, and lapsed.
    Lapsed,
    /// Nothing is known of it.
    Unknown,
}

/// Result of [`SessionStore::update_session`].
#[derive(Debug, PartialEq, Eq)]
pub enum Updated {
    /// Written.
    Done,
    /// Somebody else wrote, or the session ended, since it was loaded: load again.
    Conflict,
}

/// What a store tells its subscribers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// The result of a login lies ready under this handoff key.
    HandoffReady(KeyHash),
    /// A session has ended.
    SessionEnded(SessionId),
    /// Notices may have been missed (a connection was lost): everybody looks for themselves.
    Missed,
}

/// What [`SessionStore::purge`] removed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Sessions, ended or expired.
    pub sessions: usize,
    /// Handles.
    pub handles: usize,
}

/// The store cannot answer now. "Not there" is never an error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Locked, unreachable or slow: worth trying again.
    #[error("session store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answered what it must not, or cannot work as set up.
    #[error("session store is faulty")]
    Faulty(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Keeps sessions, handles and leases. Every call is atomic; `now` is Unix seconds.
///
/// Every call answers within seconds. A write that failed with [`StoreError::Unavailable`]
/// may have been done all the same, if its answer was lost.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Stores a session and, in the same step, the handles that lead to it.
    async fn create_session(
        &self,
        session: NewSession,
        handles: Vec<NewHandle>,
    ) -> Result<(), StoreError>;

    /// The session, alive or ended, if it is still remembered.
    async fn load_session(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError>;

    /// Replaces the payload and expiry if the version is still `version` and the session
    /// has not ended.
    async fn update_session(
        &self,
        id: SessionId,
        version: i64,
        sealed: Vec<u8>,
        expires_at: i64,
    ) -> Result<Updated, StoreError>;

    /// Moves the expiry of a live session; its payload and version stay.
    async fn touch_session(&self, id: SessionId, expires_at: i64) -> Result<(), StoreError>;

    /// Ends a session: its payload is erased, its handles lead nowhere, `reason` is
    /// remembered until `remember_until`. Gives the session as it was in that moment, for
    /// what must be undone elsewhere; `None` if it had ended before or is unknown.
    async fn end_session(
        &self,
        id: SessionId,
        reason: &str,
        remember_until: i64,
    ) -> Result<Option<StoredSession>, StoreError>;

    /// Live sessions of one provider session (`iss`, `sid`).
    async fn sessions_of_provider_session(
        &self,
        provider_session: KeyHash,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Live sessions of one subject (`iss`, `sub`).
    async fn sessions_of_subject(&self, subject: KeyHash) -> Result<Vec<SessionId>, StoreError>;

    /// Stores a handle unless one of that kind and key exists: `false` then.
    async fn put_handle(&self, handle: NewHandle) -> Result<bool, StoreError>;

    /// A handle that works now, and the session it leads to. Taken ones work no more.
    async fn find(
        &self,
        kind: HandleKind,
        key: KeyHash,
        now: i64,
    ) -> Result<Option<(Handle, Option<StoredSession>)>, StoreError>;

    /// Takes a one-time handle: of any number of calls exactly one gets [`Taken::Now`].
    /// `mark` is given to every later caller.
    async fn take_handle(
        &self,
        kind: HandleKind,
        key: KeyHash,
        mark: &[u8],
        now: i64,
    ) -> Result<Taken, StoreError>;

    /// Looks at a one-time handle without taking it.
    async fn peek_handle(
        &self,
        kind: HandleKind,
        key: KeyHash,
    ) -> Result<Option<Handle>, StoreError>;

    /// Removes a handle; its session stays.
    async fn remove_handle(&self, kind: HandleKind, key: KeyHash) -> Result<(), StoreError>;

    /// Takes the lease of `key` for `holder`, or prolongs it. `false`: somebody else has it.
    /// It lasts from `now` to `expires_at`; a store that replicas share measures that by its
    /// own clock, so that a replica whose clock is wrong can steal none.
    async fn acquire_lease(
        &self,
        key: KeyHash,
        holder: &[u8],
        now: i64,
        expires_at: i64,
    ) -> Result<bool, StoreError>;

    /// Gives a lease back; nothing happens if `holder` does not have it.
    async fn release_lease(&self, key: KeyHash, holder: &[u8]) -> Result<(), StoreError>;

    /// How many sessions are alive, for the operator's metrics. May cost a scan: not for
    /// requests.
    async fn count_live(&self, now: i64) -> Result<u64, StoreError>;

    /// Removes what nobody needs to remember any more, a bounded number at a time.
    async fn purge(&self, now: i64) -> Result<Purged, StoreError>;

    /// Whether it works, for readiness.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Tells every subscriber, of this process and (where there are any) of its replicas.
    async fn notify(&self, notice: Notice) -> Result<(), StoreError>;

    /// Notices from now on, [`Notice::Missed`] among them at any time. A receiver that lags
    /// must look for itself.
    fn subscribe(&self) -> broadcast::Receiver<Notice>;
}
