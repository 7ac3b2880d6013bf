//! Each authorization response counts once, however often and wherever it is delivered
//! (G14, E31): the first delivery of a `state` does the work, the others see what becomes
//! of it.

use std::time::Duration;

use axum::response::Response;
use http::HeaderMap;
use session_store::{HandleKind, KeyHash, NewHandle, StoreError};
use shared::error::ErrorCode;
use shared::routes;
use tokio::time::Instant;

use super::unknown_login;
use crate::auth::transaction;
use crate::cookies::Caller;
use crate::error::AppError;
use crate::redirect::see_other;
use crate::state::Callback;

/// What the first delivery leaves for the others, once it is done.
const SIGNED_IN: &[u8] = b"signed in";
const FAILED: &[u8] = b"failed";
/// How long the others wait: longer than a login takes at a provider that is slow.
const PATIENCE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

const DID_NOT_SUCCEED: AppError = AppError::refused(
    ErrorCode::LoginRefused,
    "This sign-in did not succeed. You can try again.",
);
const STILL_UNDER_WAY: AppError = AppError::refused(
    ErrorCode::RequestTimeout,
    "This sign-in takes unusually long. Please start again if it does not appear.",
);

impl Callback {
    /// Set-if-absent: `true` for the first delivery only. An error means that the response
    /// was not looked at: it can be delivered again.
    pub(super) async fn mark_spent(&self, state: &str) -> Result<bool, StoreError> {
        let until = self
            .sessions
            .now()
            .saturating_add(transaction::LIFETIME_SECONDS);
        let spent = NewHandle {
            kind: HandleKind::SpentState,
            key: KeyHash::of(state),
            session: None,
            sealed: Vec::new(),
            expires_at: until,
            remember_until: until,
        };
        self.sessions.store().put_handle(spent).await
    }

    /// Tells the other deliveries what became of the login.
    pub(super) async fn note_outcome(&self, state: &str, is_signed_in: bool) {
        let mark = if is_signed_in { SIGNED_IN } else { FAILED };
        let key = KeyHash::of(state);
        let store = self.sessions.store();
        let noted = store
            .take_handle(HandleKind::SpentState, key, mark, self.sessions.now())
            .await;
        if let Err(error) = noted {
            let error = crate::error::causes(&error);
            tracing::warn!(error, "the outcome of a login was not noted");
        }
    }

    /// What became of the login in the delivery that came first.
    pub(super) async fn outcome_elsewhere(&self, state: &str) -> Result<Response, AppError> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let key = KeyHash::of(state);
            let store = self.sessions.store();
            let Some(spent) = store.peek_handle(HandleKind::SpentState, key).await? else {
                return Err(unknown_login());
            };
            match spent.taken {
                Some(mark) if mark == SIGNED_IN => return Ok(see_other(routes::SIGNED_IN)),
                Some(_) => return Err(DID_NOT_SUCCEED),
                None if Instant::now() >= deadline => return Err(STILL_UNDER_WAY),
                None => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A response whose cookie is gone. The browser that finished this very login (a
    /// reload, a double delivery) sees its end again; nobody else learns anything.
    pub(super) async fn without_transaction(
        &self,
        state: &str,
        headers: &HeaderMap,
    ) -> Result<Response, AppError> {
        let key = KeyHash::of(state);
        let store = self.sessions.store();
        let spent = store.peek_handle(HandleKind::SpentState, key).await?;
        let ids = self.cookies.session_ids(headers, Caller::Page);
        let signed_in = self.sessions.by_cookie(Caller::Page, &ids).await?.is_some();
        if spent.is_some() && signed_in {
            Ok(see_other(routes::SIGNED_IN))
        } else {
            Err(unknown_login())
        }
    }
}
