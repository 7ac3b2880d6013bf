//! `POST /api/auth/handoff`: the frame waits for the login that it began, and claims it.
//!
//! Whoever knows the verifier is the frame that made it: it never left that frame's memory
//! but to come here. A claim succeeds once; it gives the frame a cookie of its own and the
//! first ticket, so that login works where the browser refuses every cookie in the frame.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use session_store::{HandleKind, KeyHash, SessionId};
use shared::auth::{HandoffRequest, Pending, SignedIn};
use shared::error::{EndReason, ErrorCode};
use tokio_util::sync::CancellationToken;

use super::ticket::{Binding, mint_ticket};
use super::waiting::{Answer, HOLD};
use crate::client_address::ClientAddress;
use crate::cookies::{self, Caller};
use crate::error::{AppError, causes};
use crate::requests::FrameJson;
use crate::sessions::{LiveSession, Sessions, Standing, cookie_kind};
use crate::state::Handoff;
use crate::user::display;
use crate::values::{is_random_256, s256};

/// Seconds after which a frame that found no seat asks again.
const BUSY_RETRY_SECONDS: u32 = 3;
/// The same where the process ends: another answers, or this one is soon back.
const CLOSING_RETRY_SECONDS: u32 = 1;

const GONE: AppError = AppError::refused(
    ErrorCode::HandoffGone,
    "This sign-in was finished elsewhere or has lapsed. Please sign in again.",
);

/// Long poll, held up to 25 s, or as long as the frame wishes: a frame that gave up by
/// hanging up could lose the login that arrives in that moment.
///
/// # Errors
/// 400 for malformed values, 403 for a page that is no Streamlit page of ours, 409 and 410
/// as the contract says.
pub async fn handoff(
    State(handoff): State<Handoff>,
    client: ClientAddress,
    headers: HeaderMap,
    FrameJson(request): FrameJson<HandoffRequest>,
) -> Result<Response, AppError> {
    if !is_random_256(&request.verifier) {
        return Err(AppError::refused(
            ErrorCode::InvalidRequest,
            "The verifier is malformed.",
        ));
    }
    let binding = Binding::optional(request.challenge, request.host_origin, &handoff.config)?;
    let challenge = s256(&request.verifier);
    let hold = request
        .hold
        .map_or(HOLD, |ms| Duration::from_millis(ms.into()));
    let cookies = handoff.cookies.session_ids(&headers, Caller::Frame);
    // Thousands wait here: headers would keep the connection's whole buffer, and a claim, which
    // few come to, would be laid out in each one's future.
    drop(headers);
    match handoff.waiting.wait(&challenge, client.0, hold).await? {
        Answer::Ready(id) => Box::pin(handoff.claimed(challenge, id, binding, cookies)).await,
        Answer::Refused => Err(AppError::refused(
            ErrorCode::LoginRefused,
            "The sign-in was refused or did not succeed. You can try again.",
        )),
        Answer::Gone => Err(GONE),
        Answer::Pending => Ok(pending(None)),
        Answer::Busy => Ok(pending(Some(BUSY_RETRY_SECONDS))),
        Answer::Closing => Ok(pending(Some(CLOSING_RETRY_SECONDS))),
    }
}

fn pending(retry_after: Option<u32>) -> Response {
    let body = Json(Pending {
        status: "pending".into(),
    });
    let mut response = (StatusCode::ACCEPTED, body).into_response();
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// What a claim gives its frame.
struct Minted {
    cookie: String,
    ticket: Option<String>,
    sign_out_key: String,
}

impl Minted {
    async fn on(
        live: &LiveSession,
        binding: Option<Binding>,
        sessions: &Sessions,
    ) -> Result<Self, AppError> {
        Ok(Self {
            cookie: sessions
                .add_handle(cookie_kind(Caller::Frame), live)
                .await?,
            ticket: match binding {
                Some(binding) => Some(mint_ticket(live, &binding, sessions).await?),
                None => None,
            },
            sign_out_key: sessions.add_handle(HandleKind::SignOutKey, live).await?,
        })
    }

    /// Nobody was told of it: what cannot be removed does no harm until it expires.
    async fn remove(self, sessions: &Sessions) {
        let of_frame = (cookie_kind(Caller::Frame), Some(self.cookie));
        let ticket = (HandleKind::Ticket, self.ticket);
        let key = (HandleKind::SignOutKey, Some(self.sign_out_key));
        for (kind, value) in [of_frame, ticket, key] {
            let Some(value) = value else { continue };
            let removed = sessions.store().remove_handle(kind, KeyHash::of(&value));
            if let Err(error) = removed.await {
                let error = causes(&error);
                tracing::debug!(error, "what a claim did not give is not removed");
                return;
            }
        }
    }
}

impl Handoff {
    /// On a task of its own: a frame that hangs up between two steps must not leave the
    /// replaced session alive, nor handles that nobody holds.
    async fn claimed(
        &self,
        challenge: String,
        id: SessionId,
        binding: Option<Binding>,
        cookies: Vec<String>,
    ) -> Result<Response, AppError> {
        let gone = CancellationToken::new();
        let _still_here = gone.clone().drop_guard();
        let handoff = self.clone();
        let claiming = async move {
            handoff
                .claim(&challenge, id, binding, &cookies, &gone)
                .await
        };
        self.sign_out.to_the_end(claiming).await
    }

    /// All that it gives is stored before the result is taken: a fault of the store costs the
    /// frame a poll, not its login. Nor does hanging up, until it is taken.
    async fn claim(
        &self,
        challenge: &str,
        id: SessionId,
        binding: Option<Binding>,
        cookies: &[String],
        gone: &CancellationToken,
    ) -> Result<Response, AppError> {
        let sessions = &self.sessions;
        let Standing::Live(live) = sessions.by_id(id).await? else {
            return Err(GONE);
        };
        let replaced = self.replaced(&live, cookies).await?;
        let minted = Minted::on(&live, binding, sessions).await?;
        if gone.is_cancelled() {
            minted.remove(sessions).await;
            // Nobody hears it: the next poll finds the login as it was.
            return Err(GONE);
        }
        match self.waiting.take(challenge).await {
            Ok(true) => {}
            Ok(false) => {
                minted.remove(sessions).await;
                return Err(GONE);
            }
            Err(error) => {
                minted.remove(sessions).await;
                return Err(error.into());
            }
        }
        if let Some(replaced) = replaced {
            self.sign_out
                .end_in_the_end(replaced, EndReason::Replaced)
                .await;
        }
        Ok(self.response(&live, minted))
    }

    fn response(&self, live: &LiveSession, minted: Minted) -> Response {
        let max_age = live.session.absolute_expiry - self.sessions.now();
        let cookies = self.cookies.session(Caller::Frame, &minted.cookie, max_age);
        let body = Json(SignedIn {
            user: display(&live.session),
            expires_at: live.expires_at,
            reference: live.reference(),
            ticket: minted.ticket,
            sign_out_key: Some(minted.sign_out_key),
        });
        let mut response = body.into_response();
        cookies::append(response.headers_mut(), cookies);
        response
    }

    /// The frame cookie that this claim replaces leads to a session that nobody can see any
    /// more in this frame: it ends, so that no old login lives on unseen (A08, A18).
    async fn replaced(
        &self,
        live: &LiveSession,
        cookies: &[String],
    ) -> Result<Option<SessionId>, AppError> {
        let old = self.sessions.by_cookie(Caller::Frame, cookies).await?;
        Ok(old.map(|(old, _)| old.id).filter(|old| *old != live.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what an asynchronous function returns.
    fn size<State, Client, Headers, Body, Future>(
        _: fn(State, Client, Headers, Body) -> Future,
    ) -> usize {
        size_of::<Future>()
    }

    #[test]
    fn a_frame_that_waits_is_small() {
        let bytes = size(handoff);
        assert!(bytes <= 1_600, "{bytes}");
    }
}
