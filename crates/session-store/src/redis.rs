//! The store of replicas: one Redis or Valkey (7 or newer; 6.2 works), shared by companions.
//!
//! Every operation is one script, so one step and one round trip. Notices reach all replicas.
//! Redis decides when a lease expires, by its own clock. What Redis had not written when it
//! crashed, or not replicated when it failed over, is lost with it: `appendonly yes` and
//! `maxmemory-policy noeviction` are the operator's part. Not for a Redis Cluster.

mod connection;
mod fault;
mod location;
mod notices;
mod readiness;
mod records;
mod scripts;

use std::fmt;

use ::redis::{Cmd, FromRedisValue, Script, ScriptInvocation};
use async_trait::async_trait;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use self::connection::{Link, Request};
use self::fault::garbled;
pub use self::location::InvalidUrl;
use self::location::Location;
use self::records::{Field, HandleFields, SessionFields};
use self::scripts::{Operations, Scripts, handle_name, hex};
use crate::store::{
    Handle, HandleKind, KeyHash, NOTICE_BACKLOG, NewHandle, NewSession, Notice, PURGE_BATCH,
    Purged, REMEMBER_EXPIRED_SECONDS, SessionId, SessionStore, StoreError, StoredSession, Taken,
    Updated,
};

/// Sessions in a Redis.
pub struct RedisStore {
    link: Link,
    location: Location,
    scripts: Scripts,
    operations: Operations,
    channel: String,
    notices: broadcast::Sender<Notice>,
    listener: JoinHandle<()>,
}

impl RedisStore {
    /// The store at this URL: `redis://`, `rediss://` (TLS, with the system's roots) or
    /// `redis+unix://`. Connects when first used, so a Redis that is down keeps nobody from
    /// starting. Subscribers hear [`Notice::Missed`] whenever it has begun to listen.
    ///
    /// Must be called on a tokio runtime: it listens for notices on a task.
    ///
    /// # Errors
    /// [`InvalidUrl`] if the URL names no Redis.
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        let (client, location) = location::client(url)?;
        let notices = broadcast::channel(NOTICE_BACKLOG).0;
        Ok(Self {
            channel: notices::channel(&client),
            listener: notices::listen(client.clone(), notices.clone()),
            link: Link::new(client),
            location,
            scripts: Scripts::new(),
            operations: Operations::new(),
            notices,
        })
    }

    async fn run<T: FromRedisValue>(&self, script: ScriptInvocation<'_>) -> Result<T, StoreError> {
        self.link.call(Request::Script(script)).await
    }

    async fn ask<T: FromRedisValue>(&self, arguments: &[&str]) -> Result<T, StoreError> {
        let mut command = Cmd::new();
        command.arg(arguments);
        self.link.call(Request::Command(command)).await
    }

    /// A script whose first argument is a fresh operation id.
    fn operation<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        script.arg(self.operations.next())
    }

    async fn sessions_of(&self, index: &str, key: KeyHash) -> Result<Vec<SessionId>, StoreError> {
        let mut script = self.scripts.sessions_of.prepare_invoke();
        script.arg(format!("{index}:{}", hex(key.as_bytes())));
        let ids: Vec<Vec<u8>> = self.run(script).await?;
        ids.iter().map(|id| records::session_id(id)).collect()
    }
}

/// Shows where the Redis is, never its password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStore({})", self.location)
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

fn push_handle(script: &mut ScriptInvocation<'_>, handle: &NewHandle) {
    script
        .arg(handle_name(handle.kind, handle.key.as_bytes()))
        .arg(handle.session.map_or(String::new(), |id| hex(&id.0)))
        .arg(handle.sealed.as_slice())
        .arg(handle.expires_at)
        .arg(handle.remember_until.max(handle.expires_at));
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn create_session(
        &self,
        session: NewSession,
        handles: Vec<NewHandle>,
    ) -> Result<(), StoreError> {
        let mut script = self.operation(&self.scripts.create_session);
        let provider_session = session.provider_session.as_ref();
        script
            .arg(hex(&session.id.0))
            .arg(session.sealed)
            .arg(hex(session.subject.as_bytes()))
            .arg(provider_session.map_or(String::new(), |key| hex(key.as_bytes())))
            .arg(session.expires_at)
            .arg(session.expires_at.saturating_add(REMEMBER_EXPIRED_SECONDS));
        for handle in &handles {
            push_handle(&mut script, handle);
        }
        if self.run::<bool>(script).await? {
            Ok(())
        } else {
            Err(garbled("another session has this id"))
        }
    }

    async fn load_session(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError> {
        let key = format!("component-auth0:s:{}", hex(&id.0));
        let fields: SessionFields = self.ask(&["HMGET", &key, "v", "d", "e", "x"]).await?;
        records::session(id, fields)
    }

    async fn update_session(
        &self,
        id: SessionId,
        version: i64,
        sealed: Vec<u8>,
        expires_at: i64,
    ) -> Result<Updated, StoreError> {
        let mut script = self.operation(&self.scripts.update_session);
        script
            .arg(hex(&id.0))
            .arg(version)
            .arg(sealed)
            .arg(expires_at)
            .arg(expires_at.saturating_add(REMEMBER_EXPIRED_SECONDS));
        Ok(if self.run(script).await? {
            Updated::Done
        } else {
            Updated::Conflict
        })
    }

    async fn touch_session(&self, id: SessionId, expires_at: i64) -> Result<(), StoreError> {
        let mut script = self.scripts.touch_session.prepare_invoke();
        script
            .arg(hex(&id.0))
            .arg(expires_at)
            .arg(expires_at.saturating_add(REMEMBER_EXPIRED_SECONDS));
        self.run::<bool>(script).await.map(|_| ())
    }

    async fn end_session(
        &self,
        id: SessionId,
        reason: &str,
        remember_until: i64,
    ) -> Result<Option<StoredSession>, StoreError> {
        let mut script = self.operation(&self.scripts.end_session);
        script
            .arg(hex(&id.0))
            .arg(reason)
            .arg(remember_until)
            .arg(&self.channel)
            .arg(notices::encode(Notice::SessionEnded(id)));
        match self.run::<Option<(Field, Field, Field)>>(script).await? {
            Some((version, sealed, expires_at)) => {
                records::session(id, (version, sealed, expires_at, None))
            }
            None => Ok(None),
        }
    }

    async fn sessions_of_provider_session(
        &self,
        provider_session: KeyHash,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.sessions_of("p", provider_session).await
    }

    async fn sessions_of_subject(&self, subject: KeyHash) -> Result<Vec<SessionId>, StoreError> {
        self.sessions_of("u", subject).await
    }

    async fn put_handle(&self, handle: NewHandle) -> Result<bool, StoreError> {
        let mut script = self.operation(&self.scripts.put_handle);
        push_handle(&mut script, &handle);
        self.run(script).await
    }

    async fn find(
        &self,
        kind: HandleKind,
        key: KeyHash,
        now: i64,
    ) -> Result<Option<(Handle, Option<StoredSession>)>, StoreError> {
        type Found = (Field, Field, Field, Field, Field, Field, Field, Field);
        let mut script = self.scripts.find_handle.prepare_invoke();
        script.arg(handle_name(kind, key.as_bytes()));
        let Some((session, sealed, expires_at, taken, version, payload, until, ended)) =
            self.run::<Option<Found>>(script).await?
        else {
            return Ok(None);
        };
        let handle = records::handle((session, sealed, expires_at, taken))?;
        if handle.taken.is_some() || handle.expires_at <= now {
            return Ok(None);
        }
        let session = match handle.session {
            Some(id) => records::session(id, (version, payload, until, ended))?,
            None => None,
        };
        Ok(Some((handle, session)))
    }

    async fn take_handle(
        &self,
        kind: HandleKind,
        key: KeyHash,
        mark: &[u8],
        now: i64,
    ) -> Result<Taken, StoreError> {
        let mut script = self.operation(&self.scripts.take_handle);
        script
            .arg(handle_name(kind, key.as_bytes()))
            .arg(mark)
            .arg(now);
        let (outcome, session, sealed, expires_at, taken) = self.run(script).await?;
        records::taken(outcome, (session, sealed, expires_at, taken))
    }

    async fn peek_handle(
        &self,
        kind: HandleKind,
        key: KeyHash,
    ) -> Result<Option<Handle>, StoreError> {
        let key = format!("component-auth0:h:{}", handle_name(kind, key.as_bytes()));
        let fields: HandleFields = self.ask(&["HMGET", &key, "s", "d", "e", "m"]).await?;
        // Every handle has an expiry; where there is none there is no handle.
        if fields.2.is_none() {
            return Ok(None);
        }
        records::handle(fields).map(Some)
    }

    async fn remove_handle(&self, kind: HandleKind, key: KeyHash) -> Result<(), StoreError> {
        let mut script = self.scripts.remove_handle.prepare_invoke();
        script.arg(handle_name(kind, key.as_bytes()));
        self.run(script).await
    }

    async fn acquire_lease(
        &self,
        key: KeyHash,
        holder: &[u8],
        now: i64,
        expires_at: i64,
    ) -> Result<bool, StoreError> {
        let mut script = self.scripts.acquire_lease.prepare_invoke();
        script
            .arg(hex(key.as_bytes()))
            .arg(holder)
            .arg(expires_at.saturating_sub(now).saturating_mul(1000));
        self.run(script).await
    }

    async fn release_lease(&self, key: KeyHash, holder: &[u8]) -> Result<(), StoreError> {
        let mut script = self.scripts.release_lease.prepare_invoke();
        script.arg(hex(key.as_bytes())).arg(holder);
        self.run(script).await
    }

    async fn count_live(&self, now: i64) -> Result<u64, StoreError> {
        self.ask(&["ZCOUNT", "component-auth0:live", &format!("({now}"), "+inf"])
            .await
    }

    async fn purge(&self, now: i64) -> Result<Purged, StoreError> {
        let mut script = self.scripts.purge.prepare_invoke();
        script.arg(now).arg(PURGE_BATCH);
        let (sessions, handles) = self.run(script).await?;
        Ok(Purged { sessions, handles })
    }

    async fn probe(&self) -> Result<(), StoreError> {
        readiness::probe(&self.link).await
    }

    async fn notify(&self, notice: Notice) -> Result<(), StoreError> {
        let message = notices::encode(notice);
        self.ask(&["PUBLISH", &self.channel, &message]).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }
}
