//! Fills a SQLite store while nobody has it open: a million sessions in a minute or two, where
//! its own writer, which commits each login for itself, would need ten times as long.
//!
//! It writes rows as `session-store` does, without asking it. Where the two drift apart, the
//! measurement that follows finds no session and says so.

use std::path::Path;

use anyhow::Context as _;
use rusqlite::{Connection, Transaction, params};
use session_store::SqliteStore;

use crate::fill::Seed;

/// Sessions of one transaction: enough that a commit costs nothing beside its rows.
const BATCH: usize = 10_000;
/// What the filling connection may keep of the file, KiB: its indexes, even of a million.
const CACHE_KIBIBYTES: i64 = 1_048_576;

/// Puts all of them into the file, which nobody else may have open.
///
/// # Errors
/// When the file cannot be written, or has other tables than we know.
pub(crate) fn fill(
    path: &Path,
    seeds: impl Iterator<Item = anyhow::Result<Seed>>,
) -> anyhow::Result<()> {
    // Makes the tables.
    drop(SqliteStore::open(path)?);
    let mut connection = exclusive(path)?;
    let mut seeds = seeds.peekable();
    while seeds.peek().is_some() {
        let transaction = connection.transaction()?;
        for seed in seeds.by_ref().take(BATCH) {
            insert(&transaction, &seed?)?;
        }
        transaction.commit()?;
    }
    connection
        .close()
        .map_err(|(_, error)| error)
        .context("the filled store cannot be closed")?;
    // What the system still has to write would slow down what is measured next.
    std::fs::File::open(path)?.sync_all()?;
    Ok(())
}

/// No log, no waiting for the disk: after a crash the benchmark starts anew.
fn exclusive(path: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)?;
    Ok(connection)
}

fn insert(transaction: &Transaction<'_>, seed: &Seed) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO session
                 (id, version, sealed, provider_session, subject, expires_at, purge_at)
             VALUES (?1, 1, ?2, ?3, ?4, ?5, ?5)",
        )?
        .execute(params![
            seed.id.0,
            seed.sealed,
            seed.provider_session.as_bytes(),
            seed.subject.as_bytes(),
            seed.expires_at,
        ])?;
    for handle in seed.handles() {
        transaction
            .prepare_cached(
                "INSERT INTO handle (kind, key, session, sealed, expires_at, purge_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                handle.kind as i64,
                handle.key.as_bytes(),
                seed.id.0,
                handle.sealed,
                handle.expires_at,
                handle.remember_until,
            ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use session_store::{HandleKind, KeyHash, SessionId, SessionStore as _};

    use super::*;

    fn seed(number: u8) -> Seed {
        Seed {
            id: SessionId([number; 16]),
            sealed: vec![number; 64],
            subject: KeyHash::of("somebody"),
            provider_session: KeyHash::of_parts(&["session", &number.to_string()]),
            handles: vec![(HandleKind::PageCookie, format!("cookie {number}"))],
            expires_at: 2_000,
        }
    }

    #[tokio::test]
    async fn what_was_filled_in_is_what_the_store_finds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        fill(&path, (0..3).map(|number| Ok(seed(number)))).unwrap();
        // And again: a store grows.
        fill(&path, (3..5).map(|number| Ok(seed(number)))).unwrap();

        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.count_live(1_000).await.unwrap(), 5);
        let key = KeyHash::of("cookie 4");
        let found = store.find(HandleKind::PageCookie, key, 1_000).await;
        let (_, session) = found.unwrap().expect("the handle was not found");
        let session = session.expect("the session was not found");
        assert_eq!(session.id, SessionId([4; 16]));
        assert_eq!(session.sealed, vec![4; 64]);
        let of_subject = store.sessions_of_subject(KeyHash::of("somebody")).await;
        assert_eq!(of_subject.unwrap().len(), 5);
    }
}
