//! The embedded store: one SQLite file in WAL mode, readable by its owner only.
//!
//! One thread writes, a few read. A commit survives `kill -9`; a power cut may cost the last
//! ones (`synchronous=NORMAL`), never the file. One process per file: notices do not leave it.
//! Rows that are asked for again and again are answered from memory, never older than the file.

mod cache;
mod connection;
mod file;
mod rows;
mod wal_index;
mod workers;

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{named_params, params};
use tokio::sync::broadcast;

use self::cache::{Found, Touched};
use self::rows::{insert_handle, select_handle, select_session, select_with_session};
use self::workers::Workers;
use crate::store::{
    Handle, HandleKind, KeyHash, NOTICE_BACKLOG, NewHandle, NewSession, Notice, PURGE_BATCH,
    Purged, REMEMBER_EXPIRED_SECONDS, SessionId, SessionStore, StoreError, StoredSession, Taken,
    Updated,
};

/// Sessions in one SQLite file.
pub struct SqliteStore {
    workers: Workers,
    notices: broadcast::Sender<Notice>,
}

impl SqliteStore {
    /// Opens the file, or makes it with mode 0600.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be opened, is no database, or is of a newer version than
    /// ours.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            workers: Workers::start(path)?,
            notices: broadcast::channel(NOTICE_BACKLOG).0,
        })
    }

    async fn live_sessions(
        &self,
        query: &'static str,
        key: KeyHash,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.workers
            .read(move |connection| {
                connection
                    .prepare_cached(query)?
                    .query_map([key.as_bytes()], |row| row.get(0).map(SessionId))?
                    .collect()
            })
            .await
    }
}

fn fault(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure,
    };
    match error.sqlite_error_code() {
        Some(
            CannotOpen | DatabaseBusy | DatabaseLocked | DiskFull | ReadOnly | SystemIoFailure,
        ) => StoreError::Unavailable(error.into()),
        _ => StoreError::Faulty(error.into()),
    }
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn create_session(
        &self,
        session: NewSession,
        handles: Vec<NewHandle>,
    ) -> Result<(), StoreError> {
        self.workers
            .write(Touched::Nothing, move |transaction| {
                transaction
                .prepare_cached(
                    "INSERT INTO session
                         (id, version, sealed, provider_session, subject, expires_at, purge_at)
                     VALUES (:id, 1, :sealed, :provider_session, :subject, :expires_at, :purge_at)",
                )?
                .execute(named_params! {
                    ":id": session.id.0,
                    ":sealed": session.sealed,
                    ":provider_session": session.provider_session.as_ref().map(KeyHash::as_bytes),
                    ":subject": session.subject.as_bytes(),
                    ":expires_at": session.expires_at,
                    ":purge_at": session.expires_at.saturating_add(REMEMBER_EXPIRED_SECONDS),
                })?;
                handles
                    .iter()
                    .try_for_each(|handle| insert_handle(transaction, handle).map(|_| ()))
            })
            .await
    }

    async fn load_session(&self, id: SessionId) -> Result<Option<StoredSession>, StoreError> {
        let kept = self.workers.kept(|cache, state| cache.session(state, id));
        if kept.is_some() {
            return Ok(kept);
        }
        self.workers
            .read_and_keep(
                move |connection| select_session(connection, id),
                |cache, state, found| {
                    if let Some(session) = found {
                        cache.keep_session(state, session);
                    }
                },
            )
            .await
    }

    async fn update_session(
        &self,
        id: SessionId,
        version: i64,
        sealed: Vec<u8>,
        expires_at: i64,
    ) -> Result<Updated, StoreError> {
        self.workers
            .write(Touched::Session(id), move |transaction| {
                let updated = transaction
                    .prepare_cached(
                        "UPDATE session SET version = version + 1, sealed = :sealed,
                         expires_at = :expires_at, purge_at = :purge_at
                     WHERE id = :id AND version = :version AND ended IS NULL",
                    )?
                    .execute(named_params! {
                        ":id": id.0,
                        ":version": version,
                        ":sealed": sealed,
                        ":expires_at": expires_at,
                        ":purge_at": expires_at.saturating_add(REMEMBER_EXPIRED_SECONDS),
                    })?;
                Ok(if updated == 1 {
                    Updated::Done
                } else {
                    Updated::Conflict
                })
            })
            .await
    }

    async fn touch_session(&self, id: SessionId, expires_at: i64) -> Result<(), StoreError> {
        self.workers
            .write(Touched::Session(id), move |transaction| {
                transaction
                    .prepare_cached(
                        "UPDATE session SET expires_at = ?2, purge_at = ?3
                     WHERE id = ?1 AND ended IS NULL",
                    )?
                    .execute(params![
                        id.0,
                        expires_at,
                        expires_at.saturating_add(REMEMBER_EXPIRED_SECONDS)
                    ])
                    .map(|_| ())
            })
            .await
    }

    async fn end_session(
        &self,
        id: SessionId,
        reason: &str,
        remember_until: i64,
    ) -> Result<Option<StoredSession>, StoreError> {
        let reason = reason.to_owned();
        let ended = self
            .workers
            .write(Touched::Session(id), move |transaction| {
                let live = select_session(transaction, id)?.filter(|found| found.ended.is_none());
                if live.is_some() {
                    transaction
                        .prepare_cached(
                            "UPDATE session SET ended = ?2, sealed = x'', purge_at = ?3
                             WHERE id = ?1",
                        )?
                        .execute(params![id.0, reason, remember_until])?;
                }
                Ok(live)
            })
            .await?;
        if ended.is_some() {
            self.notify(Notice::SessionEnded(id)).await?;
        }
        Ok(ended)
    }

    async fn sessions_of_provider_session(
        &self,
        provider_session: KeyHash,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.live_sessions(
            "SELECT id FROM session WHERE provider_session = ? AND ended IS NULL",
            provider_session,
        )
        .await
    }

    async fn sessions_of_subject(&self, subject: KeyHash) -> Result<Vec<SessionId>, StoreError> {
        self.live_sessions(
            "SELECT id FROM session WHERE subject = ? AND ended IS NULL",
            subject,
        )
        .await
    }

    async fn put_handle(&self, handle: NewHandle) -> Result<bool, StoreError> {
        self.workers
            .write(Touched::Nothing, move |transaction| {
                insert_handle(transaction, &handle)
            })
            .await
    }

    async fn find(
        &self,
        kind: HandleKind,
        key: KeyHash,
        now: i64,
    ) -> Result<Option<(Handle, Option<StoredSession>)>, StoreError> {
        let works = |(handle, _): &Found| handle.taken.is_none() && handle.expires_at > now;
        let kept = self
            .workers
            .kept(|cache, state| cache.find(state, kind, key));
        if let Some(kept) = kept {
            return Ok(Some(kept).filter(works));
        }
        let read = self.workers.read_and_keep(
            move |connection| select_with_session(connection, kind, key),
            move |cache, state, found| {
                if let Some(found) = found {
                    cache.keep_found(state, kind, key, found);
                }
            },
        );
        Ok(read.await?.filter(works))
    }

    async fn take_handle(
        &self,
        kind: HandleKind,
        key: KeyHash,
        mark: &[u8],
        now: i64,
    ) -> Result<Taken, StoreError> {
        let mark = mark.to_vec();
        self.workers
            .write(Touched::Handle(kind, key), move |transaction| {
                let Some(handle) = select_handle(transaction, kind, key)? else {
                    return Ok(Taken::Unknown);
                };
                if handle.taken.is_some() {
                    return Ok(Taken::Before(handle));
                }
                if handle.expires_at <= now {
                    return Ok(Taken::Lapsed);
                }
                transaction
                    .prepare_cached("UPDATE handle SET taken = ?3 WHERE kind = ?1 AND key = ?2")?
                    .execute(params![kind as i64, key.as_bytes(), mark])?;
                Ok(Taken::Now(handle))
            })
            .await
    }

    async fn peek_handle(
        &self,
        kind: HandleKind,
        key: KeyHash,
    ) -> Result<Option<Handle>, StoreError> {
        self.workers
            .read(move |connection| select_handle(connection, kind, key))
            .await
    }

    async fn remove_handle(&self, kind: HandleKind, key: KeyHash) -> Result<(), StoreError> {
        self.workers
            .write(Touched::Handle(kind, key), move |transaction| {
                transaction
                    .prepare_cached("DELETE FROM handle WHERE kind = ? AND key = ?")?
                    .execute(params![kind as i64, key.as_bytes()])
                    .map(|_| ())
            })
            .await
    }

    async fn acquire_lease(
        &self,
        key: KeyHash,
        holder: &[u8],
        now: i64,
        expires_at: i64,
    ) -> Result<bool, StoreError> {
        let holder = holder.to_vec();
        self.workers.write(Touched::Nothing, move |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO lease (key, holder, expires_at) VALUES (:key, :holder, :expires_at)
                     ON CONFLICT (key) DO UPDATE SET holder = :holder, expires_at = :expires_at
                     WHERE holder = :holder OR expires_at <= :now",
                )?
                .execute(named_params! {
                    ":key": key.as_bytes(), ":holder": holder, ":expires_at": expires_at, ":now": now,
                })
                .map(|changed| changed == 1)
        })
        .await
    }

    async fn release_lease(&self, key: KeyHash, holder: &[u8]) -> Result<(), StoreError> {
        let holder = holder.to_vec();
        self.workers
            .write(Touched::Nothing, move |transaction| {
                transaction
                    .prepare_cached("DELETE FROM lease WHERE key = ? AND holder = ?")?
                    .execute(params![key.as_bytes(), holder])
                    .map(|_| ())
            })
            .await
    }

    async fn count_live(&self, now: i64) -> Result<u64, StoreError> {
        self.workers
            .read(move |connection| {
                connection
                    .prepare_cached(
                        "SELECT count(*) FROM session WHERE ended IS NULL AND expires_at > ?",
                    )?
                    .query_row([now], |row| row.get::<_, i64>(0))
            })
            .await
            .map(i64::unsigned_abs)
    }

    async fn purge(&self, now: i64) -> Result<Purged, StoreError> {
        self.workers
            .write(Touched::Anything, move |transaction| {
                let sessions = transaction
                    .prepare_cached(
                        "DELETE FROM session WHERE rowid IN
                         (SELECT rowid FROM session WHERE purge_at <= ? LIMIT ?)",
                    )?
                    .execute(params![now, PURGE_BATCH])?;
                let handles = transaction
                    .prepare_cached(
                        "DELETE FROM handle WHERE (kind, key) IN
                         (SELECT kind, key FROM handle WHERE purge_at <= ? LIMIT ?)",
                    )?
                    .execute(params![now, PURGE_BATCH])?;
                transaction
                    .prepare_cached("DELETE FROM lease WHERE expires_at <= ?")?
                    .execute([now])?;
                Ok(Purged { sessions, handles })
            })
            .await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        // A row that changes each time: a read would not notice a read-only file, a lock that
        // is taken and given back not a disk that is full.
        self.workers
            .write(Touched::Nothing, |transaction| {
                transaction
                    .prepare_cached(
                        "INSERT INTO lease (key, holder, expires_at) VALUES (x'', x'', 0)
                         ON CONFLICT (key) DO UPDATE SET expires_at = 1 - expires_at",
                    )?
                    .execute([])
                    .map(|_| ())
            })
            .await
    }

    async fn notify(&self, notice: Notice) -> Result<(), StoreError> {
        // Nobody listening is no error.
        let _ = self.notices.send(notice);
        Ok(())
    }

    fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }
}
