//! Reads from memory: whatever was written, by us, by another process or by who replaced the
//! file, the next read gives it. Each case fills the memory first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use futures::FutureExt as _;
use proptest::prelude::*;
use rusqlite::{Connection, OptionalExtension as _, params};
use session_store::{
    HandleKind, KeyHash, SessionId, SessionStore, SqliteStore, StoreError, StoredSession, Updated,
};
use tempfile::TempDir;

use crate::support::{Failure, NOW, PATIENCE, create, failure, handle, session};

const COOKIE: HandleKind = HandleKind::FrameCookie;
const ID: SessionId = SessionId([1; 16]);

struct Filled {
    store: Arc<SqliteStore>,
    path: PathBuf,
    directory: TempDir,
}

/// A store with sessions 1 and 2, a cookie for each, and all of that in memory.
async fn filled() -> Filled {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("sessions.db");
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    for id in [1, 2] {
        let cookie = handle(COOKIE, &id.to_string(), Some(id));
        let new = session(id, NOW + 60);
        store.create_session(new, vec![cookie]).await.unwrap();
        found(&store, id).await.unwrap();
        assert!(at_once(&store, id), "it was just read");
    }
    Filled {
        store,
        path,
        directory,
    }
}

/// The session that cookie `id` leads to.
async fn found(store: &SqliteStore, id: u8) -> Option<StoredSession> {
    let key = KeyHash::of(&id.to_string());
    let found = store.find(COOKIE, key, NOW).await.unwrap();
    found.and_then(|(_, session)| session)
}

/// Whether it is answered without waiting for any thread.
fn at_once(store: &SqliteStore, id: u8) -> bool {
    found(store, id).now_or_never().flatten().is_some()
}

#[tokio::test]
async fn a_write_leaves_other_sessions_in_memory() {
    let file = filled().await;
    file.store.touch_session(ID, NOW + 70).await.unwrap();
    create(&*file.store, 3).await.unwrap();
    file.store.probe().await.unwrap();
    assert!(at_once(&file.store, 2));
}

#[tokio::test]
async fn the_expiry_of_what_is_in_memory_is_judged_at_each_read() {
    let file = filled().await;
    let key = KeyHash::of("1");
    assert!(
        file.store
            .find(COOKIE, key, NOW + 59)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        file.store
            .find(COOKIE, key, NOW + 60)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn what_another_connection_deletes_is_gone_at_once() {
    let file = filled().await;
    let operator = Connection::open(&file.path).unwrap();
    operator.execute("DELETE FROM session", []).unwrap();
    assert!(found(&file.store, 1).await.is_none());
    assert!(file.store.load_session(ID).await.unwrap().is_none());
    operator.execute("DELETE FROM handle", []).unwrap();
    let key = KeyHash::of("1");
    assert!(file.store.find(COOKIE, key, NOW).await.unwrap().is_none());
}

#[tokio::test]
async fn what_another_process_ends_has_ended_at_once() {
    let file = filled().await;
    for reason in ["first", "second"] {
        let ended = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "sqlite_cache::child_ends_all"])
            .env("REASON", reason)
            .current_dir(file.directory.path())
            .output()
            .unwrap();
        assert!(ended.status.success(), "{ended:?}");
        let session = found(&file.store, 1).await.unwrap();
        assert_eq!(session.ended.as_deref(), Some(reason));
        assert!(at_once(&file.store, 1));
    }
}

#[test]
#[ignore = "needs a database in its directory: `what_another_process_ends…` gives it one"]
#[expect(
    clippy::disallowed_methods,
    reason = "its caller's way to tell it something"
)]
fn child_ends_all() {
    let reason = std::env::var("REASON").unwrap();
    let operator = Connection::open(Path::new("sessions.db")).unwrap();
    let ended = operator.execute("UPDATE session SET ended = ?", [reason]);
    assert_eq!(ended.unwrap(), 2);
}

#[tokio::test]
async fn an_own_write_between_those_of_another_connection_hides_none() {
    let file = filled().await;
    let operator = Connection::open(&file.path).unwrap();
    for round in 1..=50 {
        let ended = format!("round {round}");
        operator
            .execute(
                "UPDATE session SET ended = ? WHERE id = ?",
                params![ended, [2_u8; 16]],
            )
            .unwrap();
        file.store.touch_session(ID, NOW + round).await.unwrap();
        assert_eq!(found(&file.store, 2).await.unwrap().ended, Some(ended));
        assert_eq!(found(&file.store, 1).await.unwrap().expires_at, NOW + round);
        assert!(at_once(&file.store, 1) && at_once(&file.store, 2));
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_or_replaced_takes_what_is_in_memory_with_it() {
    let file = filled().await;
    let backup = file.directory.path().join("backup.db");
    {
        let other = Connection::open(&file.path).unwrap();
        other.execute("VACUUM INTO ?", [backup.to_str()]).unwrap();
        let other = Connection::open(&backup).unwrap();
        other
            .execute("UPDATE session SET expires_at = 5", [])
            .unwrap();
    }
    std::fs::rename(&backup, &file.path).unwrap();
    assert_eq!(found(&file.store, 1).await.unwrap().expires_at, 5);
    assert!(at_once(&file.store, 1));
    std::fs::remove_file(&file.path).unwrap();
    assert!(found(&file.store, 1).await.is_none());
}

#[tokio::test]
async fn a_directory_that_is_away_answers_nothing_from_memory() {
    let file = filled().await;
    let away = file.directory.path().with_extension("away");
    for _ in 0..3 {
        std::fs::rename(file.directory.path(), &away).unwrap();
        assert_eq!(
            failure(file.store.load_session(ID)).await,
            Failure::Unavailable
        );
        let other = Connection::open(away.join("sessions.db")).unwrap();
        other
            .execute("UPDATE session SET expires_at = expires_at + 1", [])
            .unwrap();
        drop(other);
        std::fs::rename(&away, file.directory.path()).unwrap();
        let session = found(&file.store, 1).await.unwrap();
        let told = file.store.load_session(ID).await.unwrap().unwrap();
        assert_eq!(session.expires_at, told.expires_at);
    }
    assert_eq!(found(&file.store, 1).await.unwrap().expires_at, NOW + 63);
}

/// Whatever may be asked of a store of a few sessions and cookies.
#[derive(Debug, Clone, Copy)]
enum Call {
    Create(u8),
    Update(u8),
    Touch(u8),
    End(u8),
    Put(u8),
    Take(u8),
    Remove(u8),
    Lease,
    Purge(i64),
    Foreign(u8),
    Given { up: u8 },
}

fn call() -> impl Strategy<Value = Call> {
    let id = 1..4u8;
    prop_oneof![
        2 => id.clone().prop_map(Call::Create),
        2 => id.clone().prop_map(Call::Update),
        2 => id.clone().prop_map(Call::Touch),
        1 => id.clone().prop_map(Call::End),
        2 => id.clone().prop_map(Call::Put),
        1 => id.clone().prop_map(Call::Take),
        1 => id.clone().prop_map(Call::Remove),
        1 => Just(Call::Lease),
        1 => (NOW..NOW + 200_000).prop_map(Call::Purge),
        1 => id.clone().prop_map(Call::Foreign),
        1 => id.prop_map(|up| Call::Given { up }),
    ]
}

/// Makes the call. `turn` makes what it writes unlike all that was written before.
async fn made(store: &SqliteStore, other: &Connection, call: Call, turn: i64) {
    let of = |id: u8| (SessionId([id; 16]), KeyHash::of(&id.to_string()));
    match call {
        Call::Create(id) => {
            let cookie = handle(COOKIE, &id.to_string(), Some(id));
            // Refused if one of them is there.
            let _ = store
                .create_session(session(id, NOW + turn), vec![cookie])
                .await;
        }
        Call::Update(id) => {
            let before = store.load_session(of(id).0).await.unwrap();
            let version = before.map_or(1, |session| session.version);
            let sealed = turn.to_be_bytes().to_vec();
            let update = store.update_session(of(id).0, version, sealed, NOW + turn);
            update.await.unwrap();
        }
        Call::Touch(id) => store.touch_session(of(id).0, NOW + turn).await.unwrap(),
        Call::End(id) => {
            store.end_session(of(id).0, "over", NOW + 60).await.unwrap();
        }
        Call::Put(id) => {
            let next = id % 3 + 1;
            let put = store.put_handle(handle(COOKIE, &id.to_string(), Some(next)));
            put.await.unwrap();
        }
        Call::Take(id) => {
            store
                .take_handle(COOKIE, of(id).1, b"mark", NOW)
                .await
                .unwrap();
        }
        Call::Remove(id) => store.remove_handle(COOKIE, of(id).1).await.unwrap(),
        Call::Lease => {
            store
                .acquire_lease(KeyHash::of("lease"), b"", NOW, NOW + turn)
                .await
                .unwrap();
        }
        Call::Purge(now) => {
            store.purge(now).await.unwrap();
        }
        Call::Foreign(id) => {
            let sql = "UPDATE session SET expires_at = ? WHERE id = ?";
            other.execute(sql, params![NOW + turn, [id; 16]]).unwrap();
        }
        // Begun, and its answer not waited for: the next call comes after it.
        Call::Given { up } => {
            let given_up = store.touch_session(of(up).0, NOW + turn);
            let _ = given_up.now_or_never();
            store.probe().await.unwrap();
        }
    }
}

/// Version, payload, expiry and end of a session, as the file has them.
type Row = (i64, Vec<u8>, i64, Option<String>);

fn row_of(session: StoredSession) -> Row {
    (
        session.version,
        session.sealed,
        session.expires_at,
        session.ended,
    )
}

fn session_in_file(file: &Connection, id: &[u8]) -> Option<Row> {
    file.query_row(
        "SELECT version, sealed, expires_at, ended FROM session WHERE id = ?",
        [id],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )
    .optional()
    .unwrap()
}

/// Whether a cookie works, and the session that it leads to.
fn found_in_file(file: &Connection, id: u8) -> (bool, Option<Row>) {
    let leads_to: Option<Vec<u8>> = file
        .query_row(
            "SELECT session FROM handle
             WHERE kind = ? AND key = ? AND taken IS NULL AND expires_at > ?",
            params![COOKIE as i64, KeyHash::of(&id.to_string()).as_bytes(), NOW],
            |row| row.get(0),
        )
        .optional()
        .unwrap();
    let session = leads_to.as_ref().and_then(|id| session_in_file(file, id));
    (leads_to.is_some(), session)
}

async fn follow(calls: Vec<Call>) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("sessions.db");
    let store = SqliteStore::open(&path).unwrap();
    let file = Connection::open(&path).unwrap();
    for (turn, call) in (1..).zip(calls) {
        made(&store, &file, call, turn).await;
        for id in 1..4 {
            let loaded = store.load_session(SessionId([id; 16])).await.unwrap();
            assert_eq!(loaded.map(row_of), session_in_file(&file, &[id; 16]));
            let key = KeyHash::of(&id.to_string());
            let found = store.find(COOKIE, key, NOW).await.unwrap();
            let works = found.is_some();
            let session = found.and_then(|(_, session)| session).map(row_of);
            assert_eq!(
                (works, session),
                found_in_file(&file, id),
                "{call:?} of session {id}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn after_each_call_the_store_says_what_the_file_holds(
        calls in prop::collection::vec(call(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(follow(calls));
    }
}

/// What was answered or seen of one session: no later read may know less.
#[derive(Default)]
struct Known {
    version: AtomicI64,
    expires_at: AtomicI64,
    ended: AtomicI64,
}

const CROWD: u8 = 4;

impl Known {
    fn now(&self) -> [i64; 3] {
        let all = [&self.version, &self.expires_at, &self.ended];
        all.map(|one| one.load(Ordering::SeqCst))
    }

    fn learn(&self, seen: [i64; 3]) {
        for (known, seen) in [&self.version, &self.expires_at, &self.ended]
            .iter()
            .zip(seen)
        {
            known.fetch_max(seen, Ordering::SeqCst);
        }
    }
}

fn seen(session: &StoredSession) -> [i64; 3] {
    let ended = i64::from(session.ended.is_some());
    [session.version, session.expires_at, ended]
}

/// Reads all sessions by turns until `until` reads were made; gives how many were at once.
fn reader(store: &SqliteStore, known: &[Known], reads: usize) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut at_once = 0;
    for turn in 0..reads {
        let id = u8::try_from(turn % usize::from(CROWD)).unwrap();
        let before = known[usize::from(id)].now();
        let mut reading = Box::pin(found(store, id));
        let session = if let Some(session) = reading.as_mut().now_or_never() {
            at_once += 1;
            session
        } else {
            runtime.block_on(reading)
        };
        let after = seen(&session.unwrap());
        assert!(
            before
                .iter()
                .zip(after)
                .all(|(before, after)| *before <= after),
            "session {id}: {before:?} was known, {after:?} was read"
        );
        known[usize::from(id)].learn(after);
    }
    at_once
}

/// Makes the call until the operator leaves it a turn.
async fn done<T, Call>(call: impl Fn() -> Call) -> T
where
    Call: Future<Output = Result<T, StoreError>>,
{
    let give_up = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < give_up, "{error:?}"),
        }
    }
}

/// Changes its session again and again, sometimes without waiting for the answer.
async fn writer(store: Arc<SqliteStore>, known: Arc<Vec<Known>>, id: u8) {
    let key = SessionId([id; 16]);
    let known = &known[usize::from(id)];
    for round in 1..150 {
        let expires_at = NOW + 100 + 2 * round;
        if round % 5 == 0 {
            let _ = store.touch_session(key, expires_at).now_or_never();
        } else {
            done(|| store.touch_session(key, expires_at)).await;
            known.learn([0, expires_at, 0]);
        }
        let version = known.now()[0].max(1);
        let update = || store.update_session(key, version, vec![id; 99], expires_at + 1);
        if done(update).await == Updated::Done {
            known.learn([version + 1, expires_at + 1, 0]);
        }
    }
    done(|| store.end_session(key, "over", NOW + 999)).await;
    known.learn([0, 0, 1]);
}

/// The operator, with a connection of their own; the last session is theirs.
fn operator(path: &Path, known: &[Known]) {
    let id = CROWD - 1;
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    for round in 1..200 {
        let sql = "UPDATE session SET version = ?, expires_at = ? WHERE id = ?";
        connection
            .execute(sql, params![round, NOW + 100 + round, [id; 16]])
            .unwrap();
        known[usize::from(id)].learn([round, NOW + 100 + round, 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_crowd_no_read_gives_less_than_was_answered_or_seen_before_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("sessions.db");
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let known = Arc::new((0..CROWD).map(|_| Known::default()).collect::<Vec<_>>());
    for id in 0..CROWD {
        let cookie = handle(COOKIE, &id.to_string(), Some(id));
        store
            .create_session(session(id, NOW + 60), vec![cookie])
            .await
            .unwrap();
    }
    let readers = [0, 1].map(|_| {
        let (store, known) = (store.clone(), known.clone());
        tokio::task::spawn_blocking(move || reader(&store, &known, 20_000))
    });
    let writers = (0..CROWD - 1).map(|id| tokio::spawn(writer(store.clone(), known.clone(), id)));
    let writers = writers.collect::<Vec<_>>();
    let others = {
        let (path, known) = (path.clone(), known.clone());
        tokio::task::spawn_blocking(move || operator(&path, &known))
    };
    for writer in writers {
        writer.await.unwrap();
    }
    others.await.unwrap();
    for reader in readers {
        assert!(reader.await.unwrap() > 1_000, "so few were from memory");
    }
}
