//! The meeting point of popup and frame (invariant 5): results of logins lie here for a
//! short while, and frames wait here for them, without polling the store.

use std::net::IpAddr;
use std::time::Duration;

use session_store::{HandleKind, KeyHash, NewHandle, Notice, SessionId, StoreError, Taken};

use super::room::{Call, Limits, Room};
use crate::closing::Closing;
use crate::error::causes;
use crate::metrics::Metrics;
use crate::metrics::labels::Limit;
use crate::sessions::Sessions;

/// A result that nobody claims is void after this.
const RESULT_SECONDS: i64 = 120;
/// A refusal tells nothing worth keeping longer.
const REFUSAL_SECONDS: i64 = 60;
/// So long is it remembered that a result was claimed or lapsed.
const REMEMBER_SECONDS: i64 = 600;
/// An answer is held this long at most: below the usual 30 s of proxies.
pub const HOLD: Duration = Duration::from_secs(25);
/// Frames that wait at once. The newest poll of a handoff supersedes the older one.
const LIMITS: Limits = Limits {
    of_one_key: 1,
    of_one_client: 256,
    in_all: 20_000,
};

/// What a frame hears.
pub enum Answer {
    /// The login succeeded; its session is for who takes it first ([`Waiting::take`]).
    Ready(SessionId),
    /// The login was refused.
    Refused,
    /// Claimed before, or lapsed.
    Gone,
    /// Nothing yet: ask again.
    Pending,
    /// Too many wait: ask again later.
    Busy,
    /// This process ends: ask the next.
    Closing,
}

/// Results and waiters. Cheap to clone.
#[derive(Clone)]
pub struct Waiting {
    sessions: Sessions,
    room: Room<KeyHash>,
    closing: Closing,
}

impl Waiting {
    /// Over these sessions' store. Spawns the task that hears the store's notices.
    #[must_use]
    pub fn new(sessions: Sessions, closing: Closing, metrics: &Metrics) -> Self {
        let room = Room::new(LIMITS, metrics.limit(Limit::HandoffsWaiting));
        let ready = |notice| match notice {
            Notice::HandoffReady(key) => Some(key),
            Notice::SessionEnded(_) | Notice::Missed => None,
        };
        tokio::spawn(room.clone().listen(sessions.store().subscribe(), ready));
        Self {
            sessions,
            room,
            closing,
        }
    }

    /// How many frames wait, for the operator's metrics.
    #[must_use]
    pub fn count(&self) -> usize {
        self.room.len()
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
        let noticed = Notice::HandoffReady(key);
        if let Err(error) = self.sessions.store().notify(noticed).await {
            // The result is there: frames that are not woken find it with their next poll.
            let error = causes(&error);
            tracing::warn!(error, "waiting frames are not told of a result");
        }
        Ok(())
    }

    /// Waits for the result of the login that `challenge` began, `hold` at most.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn wait(
        &self,
        challenge: &str,
        client: IpAddr,
        hold: Duration,
    ) -> Result<Answer, StoreError> {
        let key = KeyHash::of(challenge);
        let Some(seat) = self.room.supersede(key, client) else {
            // No seat, but never an answer withheld: whoever fills the room delays others'
            // logins a little, and denies none.
            return Ok(match self.look(key).await? {
                Answer::Pending => Answer::Busy,
                answer => answer,
            });
        };
        let deadline = tokio::time::sleep(hold.min(HOLD));
        tokio::pin!(deadline);
        let mut _one_of_few = None;
        loop {
            // The seat was taken first: a result laid down after this look rings its bell.
            let answer = self.look(key).await?;
            if !matches!(answer, Answer::Pending) {
                return Ok(answer);
            }
            tokio::select! {
                () = &mut deadline => return Ok(Answer::Pending),
                () = self.closing.begun() => return Ok(Answer::Closing),
                call = seat.called() => if call == Call::GiveUp {
                    return Ok(Answer::Pending);
                }
            }
            // Where all are woken, few look at a time.
            _one_of_few = tokio::select! {
                () = &mut deadline => return Ok(Answer::Pending),
                permit = self.room.look() => permit,
            };
        }
    }

    /// Takes the session that [`wait`](Self::wait) found: `true` for one caller only, ever.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn take(&self, challenge: &str) -> Result<bool, StoreError> {
        let key = KeyHash::of(challenge);
        let mut mark = [0; 16];
        self.sessions.random().fill(&mut mark);
        let store = self.sessions.store();
        let taken = store
            .take_handle(HandleKind::Handoff, key, &mark, self.sessions.now())
            .await;
        match taken {
            Ok(Taken::Now(_)) => Ok(true),
            Ok(Taken::Before(_) | Taken::Lapsed | Taken::Unknown) => Ok(false),
            // It may have been done, its answer lost.
            Err(error) => match store.peek_handle(HandleKind::Handoff, key).await {
                Ok(Some(found)) if found.taken.as_deref() == Some(&mark) => Ok(true),
                _ => Err(error),
            },
        }
    }

    async fn look(&self, key: KeyHash) -> Result<Answer, StoreError> {
        let store = self.sessions.store();
        let Some(found) = store.peek_handle(HandleKind::Handoff, key).await? else {
            return Ok(Answer::Pending);
        };
        if found.taken.is_some() || found.expires_at <= self.sessions.now() {
            return Ok(Answer::Gone);
        }
        // A refusal is told to every poll of the frame; only a session is claimed once.
        Ok(found.session.map_or(Answer::Refused, Answer::Ready))
    }
}
