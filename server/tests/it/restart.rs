//! The process is killed and started again: nobody is signed out by it (E62, E63). With
//! `FULL_SIZE=1` ten thousand are.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use oidc::{Clock, SystemClock, SystemRandom, UnixTime};
use reqwest::header::{COOKIE, HOST};
use secrecy::SecretString;
use serde_json::Value;
use server::closing::Closing;
use server::config::Lifetimes;
use server::sessions::Sessions;
use session_store::{KeyRing, SqliteStore};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::commands::{Started, command};
use crate::harness::{Member, crowd, sized};

const SECRET: &str = "the-session-secret-that-outlives-the-process";
/// Those whose next request writes.
const EARLY: usize = 500;
const CONNECTIONS: usize = 32;

/// Two hours ago: whoever comes back now moves their expiry, so that each request writes.
struct TwoHoursAgo;

impl Clock for TwoHoursAgo {
    fn now(&self) -> UnixTime {
        UnixTime(SystemClock.now().seconds() - 2 * 3600)
    }
}

/// The first of them began two hours ago.
async fn many_sessions(file: &Path, number: usize) -> Vec<Member> {
    let store = Arc::new(SqliteStore::open(file).unwrap());
    let sessions = |clock: Arc<dyn Clock>| {
        let secrets = [SecretString::from(SECRET)];
        let keys = KeyRing::derive(&secrets, "session").unwrap();
        let lifetimes = Lifetimes {
            rolling: 86_400,
            absolute: 604_800,
        };
        Sessions::new(
            store.clone(),
            keys,
            clock,
            Arc::new(SystemRandom),
            lifetimes,
            Closing::new(),
        )
    };
    let mut members = crowd(&sessions(Arc::new(TwoHoursAgo)), "early", EARLY).await;
    let late = sessions(Arc::new(SystemClock));
    members.extend(crowd(&late, "late", number - EARLY).await);
    members
}

fn companion(directory: &Path) -> Command {
    let mut command = command(directory, &["serve"]);
    command
        .env("PORT", "0")
        .env("AUTH0_BASE_URL", "http://localhost:3001")
        // Nobody is there: who is signed in needs no provider.
        .env("AUTH0_ISSUER_BASE_URL", "http://localhost:1/")
        .env("AUTH0_SECRET", SECRET)
        .env("AUTH0_CLIENT_ID", "client")
        .env("AUTH0_CLIENT_SECRET", "client-secret")
        .env("SESSION_STORE", "sqlite:sessions.db")
        .env("AUDIT_LOG", "off")
        .env("RUST_LOG", "info");
    command
}

/// Who is signed in by this cookie, as told over a kept-alive connection; `None` when the
/// process is gone.
async fn me(client: &reqwest::Client, address: &str, member: &Member) -> Option<Value> {
    let request = client
        .get(format!("http://{address}/api/auth/me"))
        .header(HOST, "localhost:3001")
        .header(COOKIE, format!("component-auth0={}", member.cookie));
    let answer = request.send().await.ok()?;
    assert_eq!(answer.status(), 200, "{}", member.subject);
    answer.json().await.ok()
}

/// Asks for all of them; how many were answered, each with their own person.
async fn all_ask(address: &str, members: &Arc<Vec<Member>>) -> usize {
    let client = reqwest::Client::new();
    let mut asking = JoinSet::new();
    for first in 0..CONNECTIONS {
        let (client, address) = (client.clone(), address.to_owned());
        let members = Arc::clone(members);
        asking.spawn(async move {
            let mut answered = 0;
            for member in members.iter().skip(first).step_by(CONNECTIONS) {
                let Some(told) = me(&client, &address, member).await else {
                    break;
                };
                assert_eq!(told["user"]["sub"], member.subject.as_str());
                answered += 1;
            }
            answered
        });
    }
    asking.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_sessions_live_on_after_the_process_is_killed() {
    let directory = TempDir::new().unwrap();
    let began = Instant::now();
    let sessions = sized(2_000, 10_000);
    let members = many_sessions(&directory.path().join("sessions.db"), sessions).await;
    let members = Arc::new(members);
    let made = began.elapsed();

    let mut killed = Started::by(&mut companion(directory.path()));
    let address = killed.address();
    let asking = {
        let (address, members) = (address.clone(), Arc::clone(&members));
        tokio::spawn(async move { all_ask(&address, &members).await })
    };
    // In the middle of its work: it writes with each request of the first.
    let client = reqwest::Client::new();
    for member in members.iter().rev().take(20) {
        me(&client, &address, member).await.unwrap();
    }
    killed.process.kill().unwrap();
    killed.process.wait().unwrap();
    let answered = asking.await.unwrap();
    assert!(answered < sessions, "it was to be killed before the end");

    let restarted = Instant::now();
    let mut companion = Started::by(&mut companion(directory.path()));
    let address = companion.address();
    let ready = restarted.elapsed();
    let asked = Instant::now();
    assert_eq!(all_ask(&address, &members).await, sessions);
    println!(
        "{sessions} sessions made in {made:?}; killed after {answered} more answers; started \
         again in {ready:?}; all {sessions} answered in {:?}",
        asked.elapsed()
    );
}
