//! `bench-load growth`: what a store's operations cost while it grows from a thousand sessions
//! to a million. One call at a time: this is latency, and what it would hide in a crowd.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use session_store::{HandleKind, KeyHash, Purged, SessionId, SessionStore, StoreError, Updated};
use sha2::{Digest as _, Sha256};

use crate::bulk;
use crate::fill::{Seed, fill, open};
use crate::report::Report;
use crate::values::now;

/// Calls of each operation at each size.
const CALLS: usize = 500;
/// Sessions that are asked for again and again: any cache has them.
const HOT: usize = 50;
/// Sessions of one person who signs out everywhere.
const SESSIONS_OF_SUBJECT: usize = 3;
/// Sessions that have expired long ago: one batch of the purge.
const EXPIRED: usize = 500;
/// Batches that are purged at each size.
const PURGES: usize = 5;
/// Counts at each size.
const COUNTS: usize = 3;
/// Between two loads while it counts: they look on, and make no crowd.
const BETWEEN: Duration = Duration::from_millis(1);
/// A step of the walk over the sessions that meets each: a prime.
const STRIDE: usize = 7_919;
/// A call that the store has no time for is made again so often, with this pause.
const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Args)]
pub(crate) struct Arguments {
    /// `SESSION_STORE` URL of an empty store
    #[arg(long)]
    store: String,
    /// Numbers of sessions at which is measured, growing
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    sizes: Vec<usize>,
    /// Bytes of a sealed session
    #[arg(long, default_value_t = 3_072)]
    payload: usize,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut report = Report::default();
    let mut filled = 0;
    for &size in &arguments.sizes {
        ensure!(
            size > filled && size >= 2 * CALLS,
            "sizes must grow from {}",
            2 * CALLS
        );
        let started = Instant::now();
        let seeds = (filled..size).map(|number| Ok(session(number, arguments.payload)));
        // Opened anew for each size: no cache has anything yet.
        let store = filled_store(&arguments.store, seeds).await?;
        report.add(
            &format!("fill seconds {size}"),
            started.elapsed().as_secs_f64(),
        );
        filled = size;
        let mut measured = Measured {
            store: &store,
            size,
            payload: arguments.payload,
            refused: 0,
        };
        measured.all(&mut report).await?;
    }
    report.print()
}

/// Opened anew for each size: no cache has anything yet.
async fn filled_store(
    url: &str,
    seeds: impl Iterator<Item = anyhow::Result<Seed>>,
) -> anyhow::Result<Arc<dyn SessionStore>> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        bulk::fill(Path::new(path), seeds)?;
        return open(url);
    }
    let store = open(url)?;
    fill(&store, seeds).await?;
    Ok(store)
}

/// The `number`th session: its values follow from its number, and lie as scattered as random ones.
fn session(number: usize, payload: usize) -> Seed {
    let digest = Sha256::digest(number.to_le_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    Seed {
        id: SessionId(id),
        sealed: digest.repeat(payload.div_ceil(digest.len())),
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
    /// Calls that the store had no time for; each was made again.
    refused: u32,
}

impl Measured<'_> {
    async fn all(&mut self, report: &mut Report) -> anyhow::Result<()> {
        // First of all, while no cache has any of them.
        for call in 0..CALLS {
            let elapsed = self.load(self.nth(call)).await?;
            report.took(&self.named("load"), elapsed);
        }
        for call in 0..HOT + CALLS {
            let elapsed = self.load(self.nth(call % HOT)).await?;
            if call >= HOT {
                report.took(&self.named("load again"), elapsed);
            }
        }
        for call in 0..CALLS {
            if let Some(elapsed) = self.refresh(self.nth(call)).await? {
                report.took(&self.named("refresh"), elapsed);
            }
        }
        for _ in 0..PURGES {
            report.took(&self.named("purge"), self.purge().await?);
        }
        self.counts(report).await?;
        self.logins_and_logouts(report).await?;
        report.add(&self.named("refused"), f64::from(self.refused));
        Ok(())
    }

    /// New people come; then they, and no others, sign out everywhere: the store keeps its size.
    async fn logins_and_logouts(&mut self, report: &mut Report) -> anyhow::Result<()> {
        let first = self.first_newcomer();
        for number in first..first + CALLS {
            let seed = session(number, self.payload);
            let refused = self.refused;
            match self.timed(|store| seed.create(store)).await {
                Ok((elapsed, ())) => report.took(&self.named("create"), elapsed),
                // The refused call has been done all the same.
                Err(_) if self.refused > refused => {}
                Err(error) => return Err(error),
            }
        }
        for person in first / SESSIONS_OF_SUBJECT..(first + CALLS) / SESSIONS_OF_SUBJECT {
            let elapsed = self.logout(person).await?;
            report.took(&self.named("logout"), elapsed);
        }
        Ok(())
    }

    /// What counting costs, and what others feel of it.
    async fn counts(&mut self, report: &mut Report) -> anyhow::Result<()> {
        for _ in 0..COUNTS {
            let store = Arc::clone(self.store);
            let counting = tokio::spawn(async move {
                let started = Instant::now();
                store.count_live(now()).await.map(|_| started.elapsed())
            });
            let mut call = 0;
            while !counting.is_finished() {
                // Others than before: these are in no cache yet, as long as there are others.
                let elapsed = self.load(self.nth(CALLS + call)).await?;
                report.took(&self.named("load while counted"), elapsed);
                call += 1;
                tokio::time::sleep(BETWEEN).await;
            }
            match counting.await? {
                Ok(elapsed) => report.took(&self.named("count"), elapsed),
                Err(StoreError::Unavailable(_)) => self.refused += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn named(&self, operation: &str) -> String {
        format!("{operation} {}", self.size)
    }

    /// The sessions by turns, all over the store.
    fn nth(&self, call: usize) -> usize {
        call * STRIDE % self.size
    }

    /// Numbers that no size has, and the first of a person's sessions.
    fn first_newcomer(&self) -> usize {
        (usize::MAX / 4 + self.size).next_multiple_of(SESSIONS_OF_SUBJECT)
    }

    /// From a cookie to its session, as each request does.
    async fn load(&mut self, number: usize) -> anyhow::Result<Duration> {
        let key = KeyHash::of(&cookie(number));
        let (elapsed, found) = self
            .timed(|store| store.find(HandleKind::PageCookie, key, now()))
            .await?;
        ensure!(found.is_some(), "session {number} is not there");
        Ok(elapsed)
    }

    /// The payload anew, as after a refresh of tokens.
    async fn refresh(&mut self, number: usize) -> anyhow::Result<Option<Duration>> {
        let Seed { id, sealed, .. } = session(number, self.payload);
        let stored = self.store.load_session(id).await?;
        let stored = stored.context("a session without its row")?;
        let (version, expires_at) = (stored.version, stored.expires_at);
        let refused = self.refused;
        let (elapsed, updated) = self
            .timed(|store| store.update_session(id, version, sealed.clone(), expires_at))
            .await?;
        if self.refused > refused {
            // The refused call may have been done all the same: this one says nothing.
            return Ok(None);
        }
        ensure!(updated == Updated::Done, "somebody else writes here");
        Ok(Some(elapsed))
    }

    /// One batch of expired sessions among all that live.
    async fn purge(&mut self) -> anyhow::Result<Duration> {
        let long_ago = now() - 86_400;
        let expired = (0..EXPIRED).map(|number| {
            let mut seed = session(usize::MAX - number, self.payload);
            seed.expires_at = long_ago;
            Ok(seed)
        });
        fill(self.store, expired).await?;
        let refused = self.refused;
        let (elapsed, purged) = self.timed(|store| store.purge(now())).await?;
        ensure!(
            purged.sessions == EXPIRED || self.refused > refused,
            "not all of them were purged"
        );
        // The rest of their handles is not measured, and must not lie in the way of the next.
        while self.store.purge(now()).await? != Purged::default() {}
        Ok(elapsed)
    }

    /// All sessions of one person end.
    async fn logout(&mut self, person: usize) -> anyhow::Result<Duration> {
        let remember_until = now() + 3_600;
        let (mut elapsed, ids) = self
            .timed(|store| store.sessions_of_subject(subject(person)))
            .await?;
        for id in &ids {
            elapsed += self
                .timed(|store| store.end_session(*id, "signed_out", remember_until))
                .await?
                .0;
        }
        ensure!(ids.len() == SESSIONS_OF_SUBJECT, "somebody is missing");
        Ok(elapsed)
    }

    /// How long `call` takes. One that the store has no time for is counted and made again: only
    /// the last one's time is told.
    async fn timed<'c, T, F>(
        &mut self,
        call: impl Fn(&'c dyn SessionStore) -> F,
    ) -> anyhow::Result<(Duration, T)>
    where
        Self: 'c,
        F: Future<Output = Result<T, StoreError>>,
    {
        for _ in 0..TRIES {
            let started = Instant::now();
            match call(self.store.as_ref()).await {
                Err(StoreError::Unavailable(_)) => self.refused += 1,
                done => return Ok((started.elapsed(), done?)),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("the store was busy for too long");
    }
}
