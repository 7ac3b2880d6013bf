//! The meeting point of popup and frame (invariant 5): results of logins lie here for a
//! short while, and frames wait here for them, without polling the store.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use session_store::{HandleKind, KeyHash, NewHandle, Notice, SessionId, StoreError, Taken};
use tokio::sync::{broadcast, watch};

use crate::sessions::Sessions;

/// A result that nobody claims is void after this.
const RESULT_SECONDS: i64 = 120;
/// A refusal tells nothing worth keeping longer.
const REFUSAL_SECONDS: i64 = 60;
/// So long is it remembered that a result was claimed or lapsed.
const REMEMBER_SECONDS: i64 = 600;
/// An answer is held this long at most: below the usual 30 s of proxies.
pub const HOLD: Duration = Duration::from_secs(25);
/// Frames that wait at once, of one client address and in all.
const MOST_OF_ONE_CLIENT: usize = 256;
const MOST_IN_ALL: usize = 20_000;

/// What a frame hears.
pub enum Answer {
    /// The login succeeded: this caller, and no other ever, has its session.
    Claimed(SessionId),
    /// The login was refused.
    Refused,
    /// Claimed before, or lapsed.
    Gone,
    /// Nothing yet: ask again.
    Pending,
    /// Too many wait: ask again later.
    Busy,
}

/// Results and waiters. Cheap to clone.
#[derive(Clone)]
pub struct Waiting {
    sessions: Sessions,
    waiters: Arc<Mutex<Waiters>>,
}

#[derive(Default)]
struct Waiters {
    /// The newest poll of each handoff; an older one of the same is told to give up.
    by_handoff: HashMap<KeyHash, Waiter>,
    by_client: HashMap<IpAddr, usize>,
    generation: u64,
}

struct Waiter {
    generation: u64,
    signal: watch::Sender<Signal>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    Wait,
    Look,
    GiveUp,
}

/// A place in the waiting room; leaving it gives the place back.
struct Seat {
    waiting: Waiting,
    key: KeyHash,
    client: IpAddr,
    generation: u64,
    signal: watch::Receiver<Signal>,
}

impl Waiting {
    /// Over these sessions' store. Spawns the task that hears the store's notices.
    #[must_use]
    pub fn new(sessions: Sessions) -> Self {
        let waiting = Self {
            sessions,
            waiters: Arc::default(),
        };
        tokio::spawn(waiting.clone().listen(waiting.sessions.store().subscribe()));
        waiting
    }

    async fn listen(self, mut notices: broadcast::Receiver<Notice>) {
        loop {
            match notices.recv().await {
                Ok(Notice::HandoffReady(key)) => self.signal(Some(key)),
                Ok(Notice::SessionEnded(_)) => {}
                // Some notices are lost: everybody looks for themselves.
                Ok(Notice::Missed) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.signal(None);
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn signal(&self, key: Option<KeyHash>) {
        let waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let look = |waiter: &Waiter| waiter.signal.send_replace(Signal::Look);
        match key {
            Some(key) => waiters.by_handoff.get(&key).into_iter().for_each(|waiter| {
                look(waiter);
            }),
            None => waiters.by_handoff.values().for_each(|waiter| {
                look(waiter);
            }),
        }
    }

    /// Lays down the result of the login that `challenge` began: a session, or a refusal.
    ///
    /// # Errors
    /// If the store cannot write.
    pub async fn announce(
        &self,
        challenge: &str,
        session: Option<SessionId>,
    ) -> Result<(), StoreError> {
        let key = KeyHash::of(challenge);
        let seconds = if session.is_some() {
            RESULT_SECONDS
        } else {
            REFUSAL_SECONDS
        };
        let expires_at = self.sessions.now().saturating_add(seconds);
        let result = NewHandle {
            kind: HandleKind::Handoff,
            key,
            session,
            sealed: Vec::new(),
            expires_at,
            remember_until: expires_at.saturating_add(REMEMBER_SECONDS),
        };
        if !self.sessions.store().put_handle(result).await? {
            // A second login with the same challenge: the first result stands.
            tracing::debug!("a handoff had a result already");
        }
        self.sessions
            .store()
            .notify(Notice::HandoffReady(key))
            .await
    }

    /// Waits for the result of the login that `challenge` began, and claims it.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn claim(&self, challenge: &str, client: IpAddr) -> Result<Answer, StoreError> {
        let key = KeyHash::of(challenge);
        let Some(mut seat) = self.take_seat(key, fair_share(client)) else {
            // No seat, but never an answer withheld: whoever fills the room delays others'
            // logins a little, and denies none.
            return Ok(match self.look(key).await? {
                Answer::Pending => Answer::Busy,
                answer => answer,
            });
        };
        let deadline = tokio::time::sleep(HOLD);
        tokio::pin!(deadline);
        loop {
            // The seat was taken first: a result laid down after this look signals it.
            let answer = self.look(key).await?;
            if !matches!(answer, Answer::Pending) {
                return Ok(answer);
            }
            tokio::select! {
                () = &mut deadline => return Ok(Answer::Pending),
                heard = seat.signal.changed() => {
                    let signal = *seat.signal.borrow_and_update();
                    if heard.is_err() || signal == Signal::GiveUp {
                        return Ok(Answer::Pending);
                    }
                }
            }
        }
    }

    async fn look(&self, key: KeyHash) -> Result<Answer, StoreError> {
        let store = self.sessions.store();
        let now = self.sessions.now();
        let Some(found) = store.peek_handle(HandleKind::Handoff, key).await? else {
            return Ok(Answer::Pending);
        };
        if found.taken.is_some() || found.expires_at <= now {
            return Ok(Answer::Gone);
        }
        // A refusal is told to every poll of the frame; only a session is claimed once.
        let Some(session) = found.session else {
            return Ok(Answer::Refused);
        };
        Ok(
            match store
                .take_handle(HandleKind::Handoff, key, b"claimed", now)
                .await?
            {
                Taken::Now(_) => Answer::Claimed(session),
                Taken::Before(_) | Taken::Lapsed | Taken::Unknown => Answer::Gone,
            },
        )
    }

    fn take_seat(&self, key: KeyHash, client: IpAddr) -> Option<Seat> {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let replaces = waiters.by_handoff.contains_key(&key);
        let of_client = waiters.by_client.get(&client).copied().unwrap_or_default();
        if !replaces && (waiters.by_handoff.len() >= MOST_IN_ALL || of_client >= MOST_OF_ONE_CLIENT)
        {
            return None;
        }
        waiters.generation += 1;
        let generation = waiters.generation;
        let (sender, signal) = watch::channel(Signal::Wait);
        if let Some(older) = waiters.by_handoff.insert(
            key,
            Waiter {
                generation,
                signal: sender,
            },
        ) {
            older.signal.send_replace(Signal::GiveUp);
        }
        *waiters.by_client.entry(client).or_default() += 1;
        Some(Seat {
            waiting: self.clone(),
            key,
            client,
            generation,
            signal,
        })
    }
}

/// What counts as one client: an IPv6 network of /64 is commonly one household.
fn fair_share(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut waiters = self
            .waiting
            .waiters
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if waiters
            .by_handoff
            .get(&self.key)
            .is_some_and(|waiter| waiter.generation == self.generation)
        {
            waiters.by_handoff.remove(&self.key);
        }
        if let Some(count) = waiters.by_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                waiters.by_client.remove(&self.client);
            }
        }
    }
}
