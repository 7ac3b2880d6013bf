//! `bench-load growth`: what a store's operations cost while it grows from a thousand sessions
//! to a million. One call at a time: this is latency, and what it would hide in a crowd.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use session_store::{HandleKind, KeyHash, Purged, SessionId, SessionStore, Updated};
use sha2::{Digest as _, Sha256};

use crate::fill::{Seed, fill, open};
use crate::report::Report;
use crate::values::now;

/// Calls of each operation at each size.
const CALLS: usize = 500;
/// Sessions of one person who signs out everywhere.
const SESSIONS_OF_SUBJECT: usize = 3;
/// Sessions that have expired long ago: one batch of the purge.
const EXPIRED: usize = 500;
/// Batches that are purged at each size.
const PURGES: usize = 5;
/// A step of the walk over the sessions that meets each: a prime.
const STRIDE: usize = 7_919;

#[derive(Args)]
pub(crate) struct Arguments {
    /// `SESSION_STORE` URL of an empty store
    #[arg(long)]
    store: String,
    /// Numbers of sessions at which is measured, growing
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    sizes: Vec<usize>,
    /// Bytes of a sealed session
    #[arg(long, default_value_t = 4_096)]
    payload: usize,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let store = open(&arguments.store)?;
    let mut report = Report::default();
    let mut filled = 0;
    for &size in &arguments.sizes {
        ensure!(size > filled, "sizes must grow");
        let seeds = (filled..size).map(|number| Ok(session(number, arguments.payload)));
        let started = Instant::now();
        fill(&store, seeds).await?;
        let each = started.elapsed() / u32::try_from(size - filled)?;
        filled = size;
        let measured = Measured {
            store: &store,
            size,
            payload: arguments.payload,
        };
        report.took(&format!("create {size}"), each);
        measured.all(&mut report).await?;
    }
    report.print()
}

/// The `number`th session: its values follow from its number, and lie as scattered as random ones.
fn session(number: usize, payload: usize) -> Seed {
    let digest = Sha256::digest(number.to_le_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    Seed {
        id: SessionId(id),
        sealed: digest.iter().copied().cycle().take(payload).collect(),
        subject: subject(number / SESSIONS_OF_SUBJECT),
        provider_session: KeyHash::of_parts(&["session", &number.to_string()]),
        handles: vec![
            (HandleKind::PageCookie, cookie(number)),
            (HandleKind::FrameCookie, format!("frame {number}")),
            (HandleKind::Grant, format!("grant {number}")),
            (HandleKind::SignOutKey, format!("key {number}")),
        ],
        expires_at: Seed::rolling(now()),
    }
}

fn cookie(number: usize) -> String {
    format!("cookie {number}")
}

fn subject(number: usize) -> KeyHash {
    KeyHash::of_parts(&["subject", &number.to_string()])
}

struct Measured<'a> {
    store: &'a Arc<dyn SessionStore>,
    size: usize,
    payload: usize,
}

impl Measured<'_> {
    async fn all(&self, report: &mut Report) -> anyhow::Result<()> {
        for call in 0..CALLS {
            let number = call * STRIDE % self.size;
            report.took(&self.named("load"), self.load(number).await?);
            if let Some(elapsed) = self.refresh(number).await? {
                report.took(&self.named("refresh"), elapsed);
            }
        }
        for _ in 0..PURGES {
            report.took(&self.named("purge"), self.purge().await?);
        }
        let started = Instant::now();
        self.store.count_live(now()).await?;
        report.took(&self.named("count"), started.elapsed());
        // Last: these sessions are gone then, from the newest on, of which each size has more.
        for call in 0..CALLS.min(self.size / SESSIONS_OF_SUBJECT / 10) {
            let person = self.size / SESSIONS_OF_SUBJECT - 1 - call;
            report.took(&self.named("logout"), self.logout(person).await?);
        }
        Ok(())
    }

    fn named(&self, operation: &str) -> String {
        format!("{operation} {}", self.size)
    }

    /// From a cookie to its session, as each request does.
    async fn load(&self, number: usize) -> anyhow::Result<Duration> {
        let key = KeyHash::of(&cookie(number));
        let started = Instant::now();
        let found = self.store.find(HandleKind::PageCookie, key, now()).await?;
        let elapsed = started.elapsed();
        ensure!(found.is_some(), "session {number} is not there");
        Ok(elapsed)
    }

    /// The payload anew, as after a refresh of tokens; `None` for one that signed out before.
    async fn refresh(&self, number: usize) -> anyhow::Result<Option<Duration>> {
        let Seed { id, sealed, .. } = session(number, self.payload);
        let stored = self.store.load_session(id).await?;
        let stored = stored.context("a session without its row")?;
        if stored.ended.is_some() {
            return Ok(None);
        }
        let started = Instant::now();
        let updated = self
            .store
            .update_session(id, stored.version, sealed, stored.expires_at)
            .await?;
        let elapsed = started.elapsed();
        ensure!(updated == Updated::Done, "somebody else writes here");
        Ok(Some(elapsed))
    }

    /// One batch of expired sessions among all that live.
    async fn purge(&self) -> anyhow::Result<Duration> {
        let long_ago = now() - 86_400;
        let expired = (0..EXPIRED).map(|number| {
            let mut seed = session(usize::MAX - number, self.payload);
            seed.expires_at = long_ago;
            Ok(seed)
        });
        fill(self.store, expired).await?;
        let started = Instant::now();
        let purged = self.store.purge(now()).await?;
        let elapsed = started.elapsed();
        ensure!(purged.sessions == EXPIRED, "not all of them were purged");
        // The rest of their handles is not measured, and must not lie in the way of the next.
        while self.store.purge(now()).await? != Purged::default() {}
        Ok(elapsed)
    }

    /// All sessions of one person end.
    async fn logout(&self, person: usize) -> anyhow::Result<Duration> {
        let remember_until = now() + 3_600;
        let started = Instant::now();
        let ids = self.store.sessions_of_subject(subject(person)).await?;
        for id in &ids {
            self.store
                .end_session(*id, "signed_out", remember_until)
                .await?;
        }
        let elapsed = started.elapsed();
        ensure!(ids.len() == SESSIONS_OF_SUBJECT, "somebody is missing");
        Ok(elapsed)
    }
}
