//! Rows as records, and the statements that several operations share.

use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use crate::store::{Handle, HandleKind, KeyHash, NewHandle, SessionId, StoredSession};

pub(super) fn insert_handle(connection: &Connection, handle: &NewHandle) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "INSERT INTO handle (kind, key, session, sealed, expires_at, purge_at)
             VALUES (:kind, :key, :session, :sealed, :expires_at, :purge_at)
             ON CONFLICT DO NOTHING",
        )?
        .execute(named_params! {
            ":kind": handle.kind as i64,
            ":key": handle.key.as_bytes(),
            ":session": handle.session.map(|id| id.0),
            ":sealed": handle.sealed,
            ":expires_at": handle.expires_at,
            ":purge_at": handle.remember_until.max(handle.expires_at),
        })
        .map(|inserted| inserted == 1)
}

fn handle_from(row: &Row<'_>) -> rusqlite::Result<Handle> {
    Ok(Handle {
        session: row.get::<_, Option<[u8; 16]>>("session")?.map(SessionId),
        sealed: row.get("sealed")?,
        expires_at: row.get("expires_at")?,
        taken: row.get("taken")?,
    })
}

fn session_from(row: &Row<'_>) -> rusqlite::Result<StoredSession> {
    Ok(StoredSession {
        id: SessionId(row.get("id")?),
        version: row.get("version")?,
        sealed: row.get("sealed")?,
        expires_at: row.get("expires_at")?,
        ended: row.get("ended")?,
    })
}

pub(super) fn select_handle(
    connection: &Connection,
    kind: HandleKind,
    key: KeyHash,
) -> rusqlite::Result<Option<Handle>> {
    connection
        .prepare_cached(
            "SELECT session, sealed, expires_at, taken FROM handle WHERE kind = ? AND key = ?",
        )?
        .query_row(params![kind as i64, key.as_bytes()], handle_from)
        .optional()
}

pub(super) fn select_session(
    connection: &Connection,
    id: SessionId,
) -> rusqlite::Result<Option<StoredSession>> {
    connection
        .prepare_cached("SELECT id, version, sealed, expires_at, ended FROM session WHERE id = ?")?
        .query_row([id.0], session_from)
        .optional()
}

/// A handle, whether it still works or not, and the session it leads to.
pub(super) fn select_with_session(
    connection: &Connection,
    kind: HandleKind,
    key: KeyHash,
) -> rusqlite::Result<Option<(Handle, Option<StoredSession>)>> {
    let Some(handle) = select_handle(connection, kind, key)? else {
        return Ok(None);
    };
    let session = match handle.session {
        Some(id) => select_session(connection, id)?,
        None => None,
    };
    Ok(Some((handle, session)))
}
