//! What a read of the embedded store costs, on one thread of callers:
//! `cargo run --release -p session-store --example reads`
//!
//! `SESSIONS` sessions of `SEALED` bytes (arguments 1 and 2) with a cookie each are asked for by
//! turns: as many as fit in memory (hits), a write before each read (of another session: still
//! hits; by another connection: misses), and all of them (misses, once they do not fit).
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints what it measured, and a failed step ends it"
)]

use std::time::{Duration, Instant};

use session_store::{
    HandleKind, KeyHash, NewHandle, NewSession, SessionId, SessionStore as _, SqliteStore,
};

const NOW: i64 = 1_700_000_000;
const READS: usize = 20_000;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|number| number.parse());
    let sessions: usize = arguments.next().map_or(20_000, Result::unwrap);
    let sealed: usize = arguments.next().map_or(3_000, Result::unwrap);
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("sessions.db");
    let store = SqliteStore::open(&path).unwrap();
    for number in 0..sessions {
        create(&store, number, sealed).await;
    }
    println!(
        "{sessions} sessions of {sealed} bytes, resident {} KiB",
        resident()
    );
    let few = |turn: usize| turn % 200;
    reads(&store, "200 of them, by turns", few).await;
    reads(&store, "200 of them again", few).await;
    let all = |turn: usize| turn * 7919 % sessions;
    reads(&store, "all of them", all).await;
    reads(&store, "all of them again", all).await;
    println!("resident {} KiB", resident());
    writes_between(&store).await;
}

async fn reads(store: &SqliteStore, what: &str, which: impl Fn(usize) -> usize) {
    let began = Instant::now();
    for turn in 0..READS {
        find(store, which(turn)).await;
    }
    told(what, began.elapsed(), READS as u64);
}

async fn writes_between(store: &SqliteStore) {
    let rounds: i64 = 2_000;
    let mut spent = [Duration::ZERO; 2];
    for round in 0..rounds {
        let began = Instant::now();
        let id = SessionId((200 + u128::from(round.unsigned_abs())).to_be_bytes());
        store.touch_session(id, NOW + 100 + round).await.unwrap();
        spent[0] += began.elapsed();
        let began = Instant::now();
        find(store, usize::try_from(round % 200).unwrap()).await;
        spent[1] += began.elapsed();
    }
    told(
        "a write of another session",
        spent[0],
        rounds.unsigned_abs(),
    );
    told("and a read after it", spent[1], rounds.unsigned_abs());
}

fn told(what: &str, spent: Duration, times: u64) {
    let each = spent.as_nanos() / u128::from(times);
    println!("{what:32} {each:8} ns");
}

async fn find(store: &SqliteStore, number: usize) {
    let found = store
        .find(HandleKind::FrameCookie, key(number), NOW)
        .await
        .unwrap();
    assert!(found.is_some_and(|(_, session)| session.is_some()));
}

fn key(number: usize) -> KeyHash {
    KeyHash::of(&number.to_string())
}

async fn create(store: &SqliteStore, number: usize, sealed: usize) {
    let id = SessionId((number as u128).to_be_bytes());
    let session = NewSession {
        id,
        sealed: vec![7; sealed],
        provider_session: None,
        subject: key(number),
        expires_at: NOW + 60,
    };
    let cookie = NewHandle {
        kind: HandleKind::FrameCookie,
        key: key(number),
        session: Some(id),
        sealed: Vec::new(),
        expires_at: NOW + 60,
        remember_until: NOW + 60,
    };
    store.create_session(session, vec![cookie]).await.unwrap();
}

/// Memory of this process that is in use, from `/proc`.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
