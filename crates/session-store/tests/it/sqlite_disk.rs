//! A disk that is full or read-only, and a process that is killed: each needs a process of
//! its own, so these tests run this test binary again for one of the `child` cases below.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use session_store::{SessionId, SessionStore as _, SqliteStore};
use tempfile::TempDir;

use crate::sqlite_faults::integrity;
use crate::support::{Failure, NOW, create, failure, session};

/// Runs a child case in a directory with one megabyte, which only that process sees.
fn on_small_disk(case: &str) {
    let directory = TempDir::new().unwrap();
    let script = r#"mount -t tmpfs -o size=1m none "$1" && cd "$1" && shift && exec "$@""#;
    let output = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", case])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{case}: {told}{}\n(does this machine forbid `unshare --user --mount`?)",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn disk_full() {
    on_small_disk("sqlite_disk::child_fills_its_disk");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "fills the disk it runs on: `disk_full` gives it a small one"]
async fn child_fills_its_disk() {
    let store = SqliteStore::open(Path::new("sessions.db")).unwrap();
    create(&store, 1).await.unwrap();
    let ballast = Path::new("ballast");
    let mut file = std::fs::File::create(ballast).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    drop(file);
    let mut big = session(2, NOW + 60);
    big.sealed = vec![7; 100_000];
    let refused = failure(store.create_session(big, vec![])).await;
    assert_eq!(refused, Failure::Unavailable);
    let still_read = store.load_session(SessionId([1; 16])).await.unwrap();
    assert_eq!(still_read.unwrap().sealed, b"sealed");
    std::fs::remove_file(ballast).unwrap();
    create(&store, 2).await.unwrap();
    assert_eq!(store.count_live(NOW).await.unwrap(), 2);
    integrity(Path::new("sessions.db"));
}

#[test]
fn disk_read_only() {
    on_small_disk("sqlite_disk::child_writes_on_a_read_only_disk");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "remounts the disk it runs on: `disk_read_only` gives it a small one"]
async fn child_writes_on_a_read_only_disk() {
    let remount = |how: &str| {
        let status = Command::new("mount").args(["-o", how, "."]).status();
        assert!(status.unwrap().success());
    };
    // A file that is open for writing keeps a disk from being read-only, so the store opens
    // it anew there: as after a restart on a disk that an error has made read-only.
    drop(in_child().await);
    remount("remount,ro");
    assert!(SqliteStore::open(Path::new("sessions.db")).is_err());
    remount("remount,rw");
    let store = SqliteStore::open(Path::new("sessions.db")).unwrap();
    let kept = store.load_session(SessionId([1; 16])).await.unwrap();
    assert!(kept.is_some());
}

async fn in_child() -> SqliteStore {
    let store = SqliteStore::open(Path::new("sessions.db")).unwrap();
    create(&store, 1).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_writes() {
    let directory = TempDir::new().unwrap();
    for round in 0..3 {
        let acknowledged = write_until_killed(directory.path(), 300);
        let path = directory.path().join("sessions.db");
        let store = SqliteStore::open(&path).unwrap();
        for id in &acknowledged {
            let found = store.load_session(SessionId(*id)).await.unwrap();
            assert!(
                found.is_some(),
                "round {round}: an acknowledged login is gone"
            );
        }
        integrity(&path);
    }
}

/// Ids that the child was told to be stored before it was killed (`kill -9`).
fn write_until_killed(directory: &Path, enough: usize) -> Vec<[u8; 16]> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("sqlite_disk::child_writes_for_ever")
        .current_dir(directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let stored = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("stored ").map(str::parse::<u128>))
        .map(|number| number.unwrap().to_be_bytes())
        .take(enough)
        .collect::<Vec<_>>();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stored.len(), enough, "the child ended by itself");
    stored
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "never ends: `killed_while_it_writes` kills it"]
async fn child_writes_for_ever() {
    let store = SqliteStore::open(Path::new("sessions.db")).unwrap();
    let begin = u128::from(store.count_live(0).await.unwrap()) * 1_000_000;
    for number in begin.. {
        let mut new = session(0, NOW + 60);
        new.id = SessionId(number.to_be_bytes());
        store.create_session(new, vec![]).await.unwrap();
        // One write, so that no half a line is taken for a whole one.
        let mut out = std::io::stdout().lock();
        out.write_all(format!("stored {number}\n").as_bytes())
            .unwrap();
        out.flush().unwrap();
    }
}
