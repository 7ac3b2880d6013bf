//! Each authorization response counts once, however often and wherever it is delivered
//! (G14, E31): the first delivery of a `state` does the work, the others see what becomes
//! of it.

use std::sync::Arc;

use axum::response::Response;
use http::HeaderMap;
use session_store::{HandleKind, KeyHash, NewHandle, StoreError};
use shared::error::ErrorCode;
use shared::routes;

use super::{signed_in_page, unknown_login};
use crate::auth::patience::Patience;
use crate::auth::transaction::{self, Transaction};
use crate::cookies::Caller;
use crate::error::{AppError, causes};
use crate::redirect::see_other;
use crate::state::Callback;

/// What the first delivery leaves for the others, once it is done.
const SIGNED_IN: &[u8] = b"signed in";
const FAILED: &[u8] = b"failed";

const DID_NOT_SUCCEED: AppError = AppError::refused(
    ErrorCode::LoginRefused,
    "This sign-in did not succeed. You can try again.",
);
const STILL_UNDER_WAY: AppError = AppError::refused(
    ErrorCode::RequestTimeout,
    "This sign-in takes unusually long. Please start again if it does not appear.",
);

/// Names one delivery, so that it can take back its own mark and nobody else's.
type DeliveryId = [u8; 16];

impl Callback {
    /// `None` for the first delivery of this `state`, which has to do the work; for the
    /// others what became of it.
    ///
    /// # Errors
    /// If the store cannot answer. The response was not looked at then, and can be delivered
    /// again.
    pub(super) async fn deliver(
        &self,
        state: &str,
        transaction: &Transaction,
    ) -> Result<Option<Result<Response, AppError>>, StoreError> {
        let mut delivery = DeliveryId::default();
        self.sessions.random().fill(&mut delivery);
        loop {
            match self.mark_spent(state, delivery).await {
                Ok(true) => return Ok(None),
                Ok(false) => {
                    if let Some(outcome) = self.outcome_elsewhere(state, transaction).await? {
                        return Ok(Some(outcome));
                    }
                }
                Err(error) => {
                    self.take_back(state.to_owned(), delivery);
                    return Err(error);
                }
            }
        }
    }

    /// Set-if-absent.
    async fn mark_spent(&self, state: &str, delivery: DeliveryId) -> Result<bool, StoreError> {
        let until = self
            .sessions
            .now()
            .saturating_add(transaction::LIFETIME_SECONDS);
        let spent = NewHandle {
            kind: HandleKind::SpentState,
            key: KeyHash::of(state),
            session: None,
            sealed: delivery.to_vec(),
            expires_at: until,
            remember_until: until,
        };
        self.sessions.store().put_handle(spent).await
    }

    /// The mark may have been written although the store did not say so: then nobody would
    /// ever finish this login. Nobody waits for this.
    fn take_back(&self, state: String, delivery: DeliveryId) {
        let store = Arc::clone(self.sessions.store());
        let taking_back = async move {
            let key = KeyHash::of(&state);
            let mut patience = Patience::with_an_outage();
            loop {
                let removed = match store.peek_handle(HandleKind::SpentState, key).await {
                    Ok(Some(spent)) if spent.sealed == delivery => {
                        store.remove_handle(HandleKind::SpentState, key).await
                    }
                    Ok(_) => return,
                    Err(error) => Err(error),
                };
                if removed.is_ok() || !patience.lasts().await {
                    return;
                }
            }
        };
        self.closing.finish(taking_back);
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
            let error = causes(&error);
            tracing::warn!(error, "the outcome of a login was not noted");
        }
    }

    /// What became of the login in the delivery that came first; `None` if that one took its
    /// mark back.
    async fn outcome_elsewhere(
        &self,
        state: &str,
        transaction: &Transaction,
    ) -> Result<Option<Result<Response, AppError>>, StoreError> {
        let mut patience = Patience::new();
        loop {
            let key = KeyHash::of(state);
            let store = self.sessions.store();
            let Some(spent) = store.peek_handle(HandleKind::SpentState, key).await? else {
                return Ok(None);
            };
            match spent.taken {
                Some(mark) if mark == SIGNED_IN => {
                    return Ok(Some(Ok(see_other(signed_in_page(transaction)))));
                }
                Some(_) => return Ok(Some(Err(DID_NOT_SUCCEED))),
                None if patience.lasts().await => {}
                None => return Ok(Some(Err(STILL_UNDER_WAY))),
            }
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
