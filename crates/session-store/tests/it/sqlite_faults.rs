//! A file that fails, by name of the failure: what callers hear, how soon, and that the same
//! store works again when the file does.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use session_store::{HandleKind, KeyHash, SessionId, SessionStore, SqliteStore};
use tempfile::TempDir;

use crate::support::{Failure, NOW, PROMPT, create, failure, handle, session};

const ID: SessionId = SessionId([1; 16]);

struct InFile {
    store: Arc<SqliteStore>,
    path: PathBuf,
    directory: TempDir,
}

/// A store with session 1 in it.
async fn in_file() -> InFile {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("sessions.db");
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    create(&*store, 1).await.unwrap();
    InFile {
        store,
        path,
        directory,
    }
}

impl InFile {
    /// Another process that holds the file's only write lock.
    fn locked(&self) -> Connection {
        let other = Connection::open(&self.path).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        other
    }
}

#[tokio::test]
async fn survives_reopening_and_is_private() {
    let file = in_file().await;
    let reopened = SqliteStore::open(&file.path).unwrap();
    assert!(reopened.load_session(ID).await.unwrap().is_some());
    let mut files = 0;
    for file in std::fs::read_dir(file.directory.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files += 1;
    }
    assert_eq!(files, 3, "the file, its log and the log's index");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("sessions.db");
    let text = "not a database, but long enough to be taken for one".repeat(40);
    std::fs::write(&path, text).unwrap();
    assert!(SqliteStore::open(&path).is_err());
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let file = in_file().await;
    let other = Connection::open(&file.path).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    drop(other);
    assert!(SqliteStore::open(&file.path).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn locked_by_another_process() {
    let file = in_file().await;
    let other = file.locked();
    assert_eq!(failure(create(&*file.store, 2)).await, Failure::Unavailable);
    assert_eq!(failure(file.store.probe()).await, Failure::Unavailable);
    let reads_go_on = file.store.load_session(ID).await.unwrap();
    assert!(reads_go_on.is_some());
    other.execute_batch("ROLLBACK").unwrap();
    create(&*file.store, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn locked_under_a_crowd() {
    let file = in_file().await;
    let other = file.locked();
    let threads_before = threads();
    let began = Instant::now();
    let crowd = (0..5000).map(|_| {
        let store = file.store.clone();
        tokio::spawn(async move { failure(create(&*store, 2)).await })
    });
    for caller in crowd.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), Failure::Unavailable);
    }
    assert!(began.elapsed() < PROMPT + PROMPT, "{:?}", began.elapsed());
    // Other tests of this process start threads meanwhile, but not thousands.
    assert!(threads() < threads_before + 100, "{}", threads());
    other.execute_batch("ROLLBACK").unwrap();
    // Nobody is left in the queue: what was refused is not done afterwards either.
    assert!(
        file.store
            .load_session(SessionId([2; 16]))
            .await
            .unwrap()
            .is_none()
    );
    create(&*file.store, 2).await.unwrap();
}

/// Threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_while_open() {
    let file = in_file().await;
    std::fs::remove_file(&file.path).unwrap();
    // Nobody is signed in, which is no error; and what is written now is kept.
    assert!(file.store.load_session(ID).await.unwrap().is_none());
    create(&*file.store, 2).await.unwrap();
    let mode = file.path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let after_restart = SqliteStore::open(&file.path).unwrap();
    let kept = after_restart
        .load_session(SessionId([2; 16]))
        .await
        .unwrap();
    assert!(kept.is_some());
    assert_eq!(after_restart.count_live(NOW).await.unwrap(), 1);
    integrity(&file.path);
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_while_open_by_a_backup() {
    let file = in_file().await;
    let backup = file.directory.path().join("backup.db");
    {
        let other = Connection::open(&file.path).unwrap();
        other.execute("VACUUM INTO ?", [backup.to_str()]).unwrap();
    }
    // In the log of the file that goes away: it must not get into its successor.
    for id in 2..=50 {
        create(&*file.store, id).await.unwrap();
    }
    std::fs::rename(&backup, &file.path).unwrap();
    assert!(file.store.load_session(ID).await.unwrap().is_some());
    assert_eq!(file.store.count_live(NOW).await.unwrap(), 1);
    create(&*file.store, 60).await.unwrap();
    let after_restart = SqliteStore::open(&file.path).unwrap();
    assert_eq!(after_restart.count_live(NOW).await.unwrap(), 2);
    integrity(&file.path);
}

#[tokio::test(flavor = "multi_thread")]
async fn directory_gone_and_back() {
    let file = in_file().await;
    let away = file.directory.path().with_extension("away");
    std::fs::rename(file.directory.path(), &away).unwrap();
    assert_eq!(
        failure(file.store.load_session(ID)).await,
        Failure::Unavailable
    );
    assert_eq!(failure(create(&*file.store, 2)).await, Failure::Unavailable);
    std::fs::rename(&away, file.directory.path()).unwrap();
    assert!(file.store.load_session(ID).await.unwrap().is_some());
    create(&*file.store, 2).await.unwrap();
    integrity(&file.path);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_its_pages() {
    let file = in_file().await;
    let other = Connection::open(&file.path).unwrap();
    other
        .execute("UPDATE session SET expires_at = 'tomorrow'", [])
        .unwrap();
    assert_eq!(failure(file.store.load_session(ID)).await, Failure::Faulty);
    other.execute("DELETE FROM session", []).unwrap();
    create(&*file.store, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_its_middle_leaves_nothing() {
    let file = in_file().await;
    let again = session(1, NOW + 60);
    let grant = handle(HandleKind::Grant, "grant", Some(1));
    assert!(file.store.create_session(again, vec![grant]).await.is_err());
    let left = file
        .store
        .peek_handle(HandleKind::Grant, KeyHash::of("grant"))
        .await;
    assert!(left.unwrap().is_none());
}

pub(crate) fn integrity(path: &std::path::Path) {
    let verdict: String = Connection::open(path)
        .unwrap()
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
}
