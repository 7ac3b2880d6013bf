//! `POST /api/auth/watch`: a frame hears of the end of the session that it shows, whoever
//! ends it and on whatever replica, without asking again and again.
//!
//! The answer's head comes at once, its body when there is something to say: one request
//! for as long as the frame is looked at. It tells the end and the reason, no more, and only
//! to who holds the session's frame cookie or sign-out key. It must not prolong a session:
//! an open page is no use of it.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, stream};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use session_store::{HandleKind, KeyHash, Notice, SessionId, StoreError};
use shared::auth::{WatchRequest, Watched};
use shared::error::EndReason;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::room::{Call, Limits, Room, Seat};
use crate::client_address::ClientAddress;
use crate::closing::Closing;
use crate::cookies::{Caller, CookiePolicy};
use crate::error::AppError;
use crate::metrics::Metrics;
use crate::metrics::labels::Limit;
use crate::requests::FrameJson;
use crate::sessions::{Sessions, Standing, reference};
use crate::values::is_random_256;

/// Frames that watch at once. They stay for hours, and an office may be one address; but of
/// one session a browser holds one a page, if it does not let its frames agree on one. Each
/// costs some 40 KiB, connection and all (measured, debug build).
const LIMITS: Limits = Limits {
    of_one_key: 64,
    of_one_client: 2_048,
    in_all: 8_192,
};
/// White space goes out so often: proxies cut what is silent for 30 or 60 s.
const BEAT: Duration = Duration::from_secs(20);
const WHITE_SPACE: Bytes = Bytes::from_static(b" ");
/// Seconds after which a frame that found no seat asks again: it can do without.
const BUSY_RETRY_SECONDS: u32 = 120;
/// nginx passes this answer on as it comes, and so do those that learned from it.
const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// Those who watch. Cheap to clone.
#[derive(Clone)]
pub struct Watching {
    sessions: Sessions,
    room: Room<SessionId>,
    closing: Closing,
}

/// Held until the session ends.
///
/// # Errors
/// 401 if the caller's session is none, another, or over (then with the reason); 503 if the
/// store cannot answer.
pub async fn watch(
    State(watching): State<Watching>,
    State(policy): State<CookiePolicy>,
    client: ClientAddress,
    headers: HeaderMap,
    FrameJson(request): FrameJson<WatchRequest>,
) -> Result<Response, AppError> {
    let cookies = policy.session_ids(&headers, Caller::Frame);
    let id = watching.session_of(&cookies, &request).await?;
    let Some(seat) = watching.room.sit_down(id, client.0) else {
        let again = Json(Watched::Again);
        return Ok(([(header::RETRY_AFTER, BUSY_RETRY_SECONDS)], again).into_response());
    };
    // The seat was taken first: an end that comes after this look rings its bell.
    let expires_at = match watching.look(id).await? {
        Ok(expires_at) => expires_at,
        Err(reason) => return Err(AppError::SessionEnded(reason)),
    };
    let body = Body::from_stream(Watcher::new(watching, seat, id, expires_at).into_stream());
    let json = (
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(([json, UNBUFFERED], body).into_response())
}

impl Watching {
    /// Over these sessions' store. Spawns the task that hears the store's notices.
    #[must_use]
    pub fn new(sessions: Sessions, closing: Closing, metrics: &Metrics) -> Self {
        let room = Room::new(LIMITS, metrics.limit(Limit::Watchers));
        let ended = |notice| match notice {
            Notice::SessionEnded(id) => Some(id),
            Notice::HandoffReady(_) | Notice::Missed => None,
        };
        tokio::spawn(room.clone().listen(sessions.store().subscribe(), ended));
        Self {
            sessions,
            room,
            closing,
        }
    }

    /// How many frames watch, for the operator's metrics.
    #[must_use]
    pub fn count(&self) -> usize {
        self.room.len()
    }

    /// The session of this `ref`, alive or ended, if one of the caller's cookies or its
    /// sign-out key leads to it.
    async fn session_of(
        &self,
        cookies: &[String],
        request: &WatchRequest,
    ) -> Result<SessionId, AppError> {
        let cookies = cookies.iter().map(|id| (HandleKind::FrameCookie, id));
        let key = request.sign_out_key.iter().filter(|key| is_random_256(key));
        let shown = cookies.chain(key.map(|key| (HandleKind::SignOutKey, key)));
        let mut of_another = false;
        for (kind, value) in shown {
            let store = self.sessions.store();
            let key = KeyHash::of(value);
            let found = store.find(kind, key, self.sessions.now()).await?;
            let Some((_, Some(session))) = found else {
                continue;
            };
            if reference(session.id) == request.reference {
                return Ok(session.id);
            }
            of_another |= session.ended.is_none();
        }
        Err(if of_another {
            AppError::SessionEnded(EndReason::Replaced)
        } else {
            AppError::not_authenticated()
        })
    }

    /// When the session expires, or why it has ended.
    async fn look(&self, id: SessionId) -> Result<Result<i64, EndReason>, StoreError> {
        let _one_of_few = self.room.look().await;
        Ok(match self.sessions.by_id(id).await? {
            Standing::Live(live) => Ok(live.expires_at),
            Standing::Ended(reason) => Err(reason),
        })
    }
}

/// One frame that watches; dropped with its connection.
struct Watcher {
    watching: Watching,
    seat: Seat<SessionId>,
    id: SessionId,
    /// `None`: the store did not answer the last look.
    expires_at: Option<i64>,
    beat: Interval,
}

impl Watcher {
    fn new(watching: Watching, seat: Seat<SessionId>, id: SessionId, expires_at: i64) -> Self {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            watching,
            seat,
            id,
            expires_at: Some(expires_at),
            beat,
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        stream::unfold(Some(self), |watcher: Option<Self>| async move {
            let mut watcher = watcher?;
            let Some(last_word) = watcher.next().await else {
                return Some((Ok(WHITE_SPACE), Some(watcher)));
            };
            let end = serde_json::to_vec(&last_word)
                .unwrap_or_else(|_| unreachable!("it has string keys and plain values"));
            Some((Ok(end.into()), None))
        })
    }

    /// What there is to say; `None`: that we are there, no more.
    async fn next(&mut self) -> Option<Watched> {
        loop {
            let expiry = self.expiry();
            let beat = tokio::select! {
                () = self.watching.closing.begun() => return Some(Watched::Again),
                call = self.seat.called() => match call {
                    Call::GiveUp => return Some(Watched::Again),
                    Call::Look => false,
                },
                () = expiry => false,
                _ = self.beat.tick() => true,
            };
            // A look that failed is made up for with the next beat: the store is ill.
            if beat && self.expires_at.is_some() {
                return None;
            }
            let ended = self.looked().await;
            if beat || ended.is_some() {
                return ended;
            }
        }
    }

    /// One timer until the session's end, no polling.
    fn expiry(&self) -> impl Future<Output = ()> + use<> {
        let now = self.watching.sessions.now();
        let left = self
            .expires_at
            .map(|at| Duration::from_secs(u64::try_from(at - now).unwrap_or_default()));
        async move {
            match left {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        }
    }

    async fn looked(&mut self) -> Option<Watched> {
        match self.watching.look(self.id).await {
            Ok(Ok(expires_at)) => {
                self.expires_at = Some(expires_at);
                None
            }
            Ok(Err(reason)) => Some(Watched::Ended { reason }),
            Err(error) => {
                tracing::debug!(
                    error = crate::error::causes(&error),
                    "a watcher could not look"
                );
                self.expires_at = None;
                None
            }
        }
    }
}
