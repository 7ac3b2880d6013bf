//! Opens the file and brings its tables to the present version.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::fault;
use crate::store::StoreError;

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE session (
        id               BLOB PRIMARY KEY,
        version          INTEGER NOT NULL,
        sealed           BLOB NOT NULL,
        provider_session BLOB,
        subject          BLOB NOT NULL,
        expires_at       INTEGER NOT NULL,
        purge_at         INTEGER NOT NULL,
        ended            TEXT
    );
    CREATE INDEX session_purge ON session (purge_at);
    CREATE INDEX session_provider ON session (provider_session) WHERE ended IS NULL;
    CREATE INDEX session_subject ON session (subject) WHERE ended IS NULL;
    CREATE TABLE handle (
        kind       INTEGER NOT NULL,
        key        BLOB NOT NULL,
        session    BLOB,
        sealed     BLOB NOT NULL,
        expires_at INTEGER NOT NULL,
        purge_at   INTEGER NOT NULL,
        taken      BLOB,
        PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    CREATE INDEX handle_purge ON handle (purge_at);
    CREATE TABLE lease (
        key        BLOB PRIMARY KEY,
        holder     BLOB NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID;
";

/// Without it the count of the live sessions, once a minute, reads every payload: gigabytes
/// where there are a million. An older program keeps it as well, so it is no new version.
const LIVE_INDEX: &str =
    "CREATE INDEX IF NOT EXISTS session_live ON session (expires_at) WHERE ended IS NULL";

/// Makes the file, if there is none, readable by its owner only.
pub(super) fn create_private(path: &Path) -> Result<(), StoreError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(|_| ())
        .map_err(|error| StoreError::Unavailable(error.into()))
}

pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path).map_err(fault)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fault)?;
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(fault)?;
    // In WAL mode NORMAL loses nothing when the process dies; a power cut may cost the
    // last logins, never the file.
    connection
        .pragma_update(None, "synchronous", "NORMAL")
        .map_err(fault)?;
    // Freed pages hold sealed payloads of ended sessions: overwrite them.
    connection
        .pragma_update(None, "secure_delete", true)
        .map_err(fault)?;
    Ok(connection)
}

pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(fault)?;
    match found {
        SCHEMA_VERSION => {
            // A file that cannot take it now is slow to count in, and no worse.
            let _slow = connection.execute_batch(LIVE_INDEX);
            Ok(())
        }
        0 => {
            let transaction = connection.transaction().map_err(fault)?;
            transaction.execute_batch(SCHEMA).map_err(fault)?;
            transaction.execute_batch(LIVE_INDEX).map_err(fault)?;
            transaction
                .pragma_update(None, "user_version", SCHEMA_VERSION)
                .map_err(fault)?;
            transaction.commit().map_err(fault)
        }
        newer => Err(StoreError::Faulty(
            format!("the file has schema version {newer}, this program knows {SCHEMA_VERSION}")
                .into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: &str = "EXPLAIN QUERY PLAN
        SELECT count(*) FROM session WHERE ended IS NULL AND expires_at > ?";

    fn plan(connection: &Connection) -> String {
        connection
            .query_row(COUNT, [0], |row| row.get("detail"))
            .unwrap()
    }

    #[test]
    fn live_sessions_are_counted_in_an_index_and_not_in_their_payloads() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = connect(&folder.path().join("new.db")).unwrap();
        migrate(&mut connection).unwrap();
        assert!(plan(&connection).contains("session_live"));
    }

    #[test]
    fn a_file_of_before_gets_the_index_when_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = connect(&folder.path().join("old.db")).unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        connection
            .pragma_update(None, "user_version", SCHEMA_VERSION)
            .unwrap();
        assert!(!plan(&connection).contains("session_live"));
        migrate(&mut connection).unwrap();
        assert!(plan(&connection).contains("session_live"));
    }
}
