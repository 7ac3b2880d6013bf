//! Reads the answers of the scripts into records.

use super::fault::garbled;
use super::scripts::from_hex;
use crate::store::{Handle, SessionId, StoreError, StoredSession, Taken};

/// A field of a record, absent or as bytes.
pub(super) type Field = Option<Vec<u8>>;
/// Version, payload, expiry, reason of its end.
pub(super) type SessionFields = (Field, Field, Field, Field);
/// Session, payload, expiry, taker's mark.
pub(super) type HandleFields = (Field, Field, Field, Field);

/// `None`: there is none of that id.
pub(super) fn session(
    id: SessionId,
    (version, sealed, expires_at, ended): SessionFields,
) -> Result<Option<StoredSession>, StoreError> {
    let Some(version) = version else {
        return Ok(None);
    };
    Ok(Some(StoredSession {
        id,
        version: number(&version)?,
        sealed: sealed.unwrap_or_default(),
        expires_at: number(&expires_at.ok_or_else(no_expiry)?)?,
        ended: ended.map(text).transpose()?,
    }))
}

pub(super) fn handle(
    (session, sealed, expires_at, taken): HandleFields,
) -> Result<Handle, StoreError> {
    let session = session.unwrap_or_default();
    Ok(Handle {
        session: if session.is_empty() {
            None
        } else {
            Some(session_id(&session)?)
        },
        sealed: sealed.unwrap_or_default(),
        expires_at: number(&expires_at.ok_or_else(no_expiry)?)?,
        taken,
    })
}

/// The answer of `take_handle.lua`, a number and, for some, a handle.
pub(super) fn taken(outcome: i64, fields: HandleFields) -> Result<Taken, StoreError> {
    match outcome {
        0 => Ok(Taken::Unknown),
        1 => handle(fields).map(Taken::Now),
        2 => handle(fields).map(Taken::Before),
        3 => Ok(Taken::Lapsed),
        _ => Err(garbled("a script answered a number it does not have")),
    }
}

pub(super) fn session_id(hex: &[u8]) -> Result<SessionId, StoreError> {
    from_hex(hex)
        .and_then(|bytes| bytes.try_into().ok())
        .map(SessionId)
        .ok_or_else(|| garbled("a session's id in Redis is not one of ours"))
}

fn number(digits: &[u8]) -> Result<i64, StoreError> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| garbled("a number in Redis is not one of ours"))
}

fn text(bytes: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| garbled("a text in Redis is not one of ours"))
}

fn no_expiry() -> StoreError {
    garbled("a record in Redis has no expiry")
}
