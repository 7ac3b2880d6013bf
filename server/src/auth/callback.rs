//! `/api/auth/callback`: finishes a login (RFC 6749 §4.1.2, OpenID Connect Core §3.1.2.5 to
//! §3.1.3.7). Each step of the way stands in [`finish`] and below it, in order.

mod delivery;

use axum::extract::rejection::RawFormRejection;
use axum::extract::{RawForm, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use oidc::{AuthorizationResponse, Expectations, Occasion, TokenSet, VerifiedIdToken};
use session_store::SessionId;
use shared::error::{EndReason, ErrorCode};
use shared::routes;

use super::refresh::permissions_of;
use super::transaction::Transaction;
use crate::audit::{Event, Who};
use crate::config::ResponseMode;
use crate::cookies::{self, Caller};
use crate::error::{AppError, causes};
use crate::metrics::labels::LoginFailure;
use crate::provider_errors::{discovery, token_request, verification};
use crate::redirect::see_other;
use crate::request_id::of_this_request;
use crate::requests::{body_refusal, is_document_navigation, is_prefetch};
use crate::sessions::{CachedAccessToken, Session};
use crate::state::Callback;
use crate::user::personal_claims;

/// The response in the query of a redirect.
///
/// # Errors
/// If it belongs to no login of this browser, or the login fails.
pub async fn by_redirect(
    State(callback): State<Callback>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if is_prefetch(&headers) {
        return StatusCode::NO_CONTENT.into_response();
    }
    if !is_document_navigation(&headers) {
        return no_navigation();
    }
    callback.receive(&query.unwrap_or_default(), &headers).await
}

/// The response as a form that the provider's page posts (`AUTH0_RESPONSE_MODE=form_post`).
///
/// # Errors
/// As [`by_redirect`]; 405 in the other mode.
pub async fn by_form_post(
    State(callback): State<Callback>,
    headers: HeaderMap,
    form: Result<RawForm, RawFormRejection>,
) -> Response {
    if callback.config.response_mode != ResponseMode::FormPost {
        return callback.only_its_methods();
    }
    if !is_document_navigation(&headers) {
        return no_navigation();
    }
    let form = match form {
        Ok(RawForm(form)) => form,
        Err(rejection) => {
            let refusal = body_refusal(rejection.status(), "The response cannot be read.");
            return callback.failed(refusal).into_response();
        }
    };
    match std::str::from_utf8(&form) {
        Ok(form) => callback.receive(form, &headers).await,
        Err(_) => callback.failed(unknown_login()).into_response(),
    }
}

/// Any other method of the callback. For `HEAD` too (link scanners): answers without looking,
/// since a look would spend the login.
pub async fn no_such_method(State(callback): State<Callback>) -> Response {
    callback.only_its_methods()
}

/// Where there are these methods only (RFC 9110 §15.5.6).
#[must_use]
pub fn only(methods: &'static str) -> Response {
    let allow = [(header::ALLOW, HeaderValue::from_static(methods))];
    (allow, NO_SUCH_METHOD).into_response()
}

/// The router adds the methods that the route has.
pub async fn method_not_allowed() -> Response {
    NO_SUCH_METHOD.into_response()
}

/// Whatever page embeds or fetches this address, no person's login arrives there. Nothing is
/// reported: such a page could do it in a loop.
fn no_navigation() -> Response {
    AppError::refused(
        ErrorCode::InvalidRequest,
        "A sign-in ends with a page of its own, not inside another page.",
    )
    .into_response()
}

const fn unknown_login() -> AppError {
    AppError::refused(
        ErrorCode::InvalidTransaction,
        "This sign-in was not begun in this browser, was finished already, or took too long; or the browser keeps no cookies. Please start again.",
    )
}

const NO_SUCH_METHOD: AppError = AppError::refused(
    ErrorCode::MethodNotAllowed,
    "This address has no such method.",
);

const ENDED_MEANWHILE: AppError = AppError::refused(
    ErrorCode::LoginRefused,
    "The sign-in service has just signed you out. You can try again.",
);

/// Where a login ends that has no place of its own.
const fn signed_in_page(transaction: &Transaction) -> &'static str {
    match transaction.handoff_challenge {
        Some(_) => routes::SIGNED_IN_IN_POPUP,
        None => routes::SIGNED_IN,
    }
}

impl Callback {
    fn only_its_methods(&self) -> Response {
        only(match self.config.response_mode {
            ResponseMode::Query => "GET",
            ResponseMode::FormPost => "GET,POST",
        })
    }

    /// Finds the login that the response belongs to; spends it, whatever comes of it.
    async fn receive(&self, parameters: &str, headers: &HeaderMap) -> Response {
        let now = self.sessions.now();
        let Ok(state) = oidc::returned_state(parameters) else {
            return self.failed(unknown_login()).into_response();
        };
        let Some((transaction, end)) = self.transactions.find(headers, &state, now) else {
            return self
                .without_transaction(&state, headers)
                .await
                .map_err(|error| self.failed(error))
                .into_response();
        };
        let delivered = self
            .to_the_end(state, parameters.to_owned(), transaction, headers.clone())
            .await;
        match delivered {
            Ok(outcome) => {
                let mut response = outcome.into_response();
                // Outside the outcome: the transaction ends on the error path too.
                cookies::append(response.headers_mut(), [end]);
                response
            }
            // Nothing was sent, nothing is spent: this very page can be loaded again.
            Err(untouched) => self.failed(untouched).into_response(),
        }
    }

    /// On a task of its own: the code can be sent once only, so a login whose window is
    /// closed or reloaded in the middle is finished without it.
    ///
    /// # Errors
    /// The outer one if the response was not looked at.
    async fn to_the_end(
        &self,
        state: String,
        parameters: String,
        transaction: Transaction,
        headers: HeaderMap,
    ) -> Result<Result<Response, AppError>, AppError> {
        let callback = self.clone();
        let finishing = async move {
            callback
                .spend_and_finish(&state, &parameters, &transaction, &headers)
                .await
        };
        self.closing
            .to_the_end(of_this_request(finishing))
            .await
            .unwrap_or_else(|_| {
                let panicked = AppError::Internal("finishing a login panicked".into());
                Ok(Err(self.failed(panicked)))
            })
    }

    async fn spend_and_finish(
        &self,
        state: &str,
        parameters: &str,
        transaction: &Transaction,
        headers: &HeaderMap,
    ) -> Result<Result<Response, AppError>, AppError> {
        if let Some(outcome) = self.deliver(state, transaction).await? {
            return Ok(outcome);
        }
        // Here, not where it is answered: it counts also when nobody waits any more.
        let finished = self.finish(parameters, transaction, headers).await;
        let finished = finished.map_err(|error| self.failed(error));
        self.note_outcome(state, finished.is_ok()).await;
        if let (Err(_), Some(challenge)) = (&finished, &transaction.handoff_challenge)
            && let Err(error) = self.waiting.announce(challenge, None).await
        {
            // The frame goes on waiting until its person gives up.
            let error = causes(&error);
            tracing::warn!(error, "a frame does not hear of its failed login");
        }
        Ok(finished)
    }

    async fn finish(
        &self,
        parameters: &str,
        transaction: &Transaction,
        headers: &HeaderMap,
    ) -> Result<Response, AppError> {
        let (tokens, id_token) = self.tokens(parameters, transaction).await?;
        let session = self.session(&tokens, &id_token).await;
        let begun = self
            .begin_session(&session, &id_token, transaction, headers)
            .await;
        let cookie = begun.inspect_err(|_| {
            // Nobody will ever hold that session: what it was for is of no use either.
            if let Some(refresh_token) = tokens.refresh_token {
                self.sign_out.discard(refresh_token);
            }
        })?;
        tracing::info!(event = "login", "a person signed in");
        let place = match (&transaction.handoff_challenge, &transaction.return_to) {
            (None, Some(place)) => place.as_str(),
            _ => signed_in_page(transaction),
        };
        let max_age = session.absolute_expiry - self.sessions.now();
        let mut response = see_other(place);
        cookies::append(
            response.headers_mut(),
            self.cookies.session(Caller::Page, &cookie, max_age),
        );
        Ok(response)
    }

    /// The session and its first cookie; all of it, or nothing.
    async fn begin_session(
        &self,
        session: &Session,
        id_token: &VerifiedIdToken,
        transaction: &Transaction,
        headers: &HeaderMap,
    ) -> Result<String, AppError> {
        let replaced = self.replaced_session(session, transaction, headers).await?;
        let (id, cookie) = self.sessions.create(session, Caller::Page).await?;
        let handed_over = async {
            // Now that it is stored: a logout token that came before saw no session to end.
            if self.sessions.is_logged_out(id_token).await? {
                return Err(ENDED_MEANWHILE);
            }
            self.hand_over(id, replaced, transaction).await
        };
        if let Err(error) = handed_over.await {
            // Nobody holds it, nobody could ever end it.
            let _ = self.sessions.end(id, EndReason::Replaced).await;
            return Err(error);
        }
        self.audit.record(&Event::Login(Who::of(id, session)));
        Ok(cookie)
    }

    /// Reports that a login came to nothing.
    fn failed(&self, error: AppError) -> AppError {
        let reason = LoginFailure::of(&error);
        self.audit.record(&Event::LoginFailed(reason));
        error
    }

    /// The old session ends, the waiting frame hears of the new one.
    async fn hand_over(
        &self,
        id: SessionId,
        replaced: Option<SessionId>,
        transaction: &Transaction,
    ) -> Result<(), AppError> {
        if let Some(replaced) = replaced {
            self.sign_out.end(replaced, EndReason::Replaced).await?;
        }
        if let Some(challenge) = &transaction.handoff_challenge {
            self.waiting.announce(challenge, Some(id)).await?;
        }
        Ok(())
    }

    /// Authorization response → code → token response → verified ID token.
    async fn tokens(
        &self,
        parameters: &str,
        transaction: &Transaction,
    ) -> Result<(TokenSet, VerifiedIdToken), AppError> {
        let unacceptable = |error| AppError::ProviderUnacceptable(Box::new(error));
        let granted = match AuthorizationResponse::parse(parameters).map_err(unacceptable)? {
            AuthorizationResponse::Refused { error, .. } => {
                return Err(AppError::LoginRefused(error));
            }
            AuthorizationResponse::Granted(granted) => granted,
        };
        let metadata = self.provider.metadata().await.map_err(discovery)?;
        let code = granted.into_code(&metadata).map_err(unacceptable)?;
        let redirect_uri = self.config.redirect_uri();
        let tokens = self
            .provider
            .request_token(
                code,
                &transaction.code_verifier,
                &redirect_uri,
                &self.config.scope,
            )
            .await
            .map_err(token_request)?;
        let raw = tokens.id_token.as_ref().ok_or_else(|| {
            AppError::ProviderUnacceptable("the token response has no ID token".into())
        })?;
        let expectations = Expectations {
            occasion: Occasion::Login {
                nonce: &transaction.nonce,
            },
            max_age: transaction.max_age,
            acr_values: &transaction.acr_values,
            access_token: Some(&tokens.access_token),
        };
        let id_token = self
            .provider
            .id_token_verifier()
            .verify(raw, &expectations, self.provider.now())
            .await
            .map_err(verification)?;
        Ok((tokens, id_token))
    }

    async fn session(&self, tokens: &TokenSet, id_token: &VerifiedIdToken) -> Session {
        let keep_id_token = self.config.logout_id_token_hint;
        let raw = tokens.id_token.as_ref().filter(|_| keep_id_token);
        Session {
            issuer: id_token.issuer().as_str().to_owned(),
            subject: id_token.subject().as_str().to_owned(),
            provider_session: id_token.session_id().map(str::to_owned),
            claims: personal_claims(id_token.claims()),
            id_token: raw.map(|raw| raw.expose().to_owned()),
            refresh_token: tokens
                .refresh_token
                .as_ref()
                .map(|token| token.expose().to_owned()),
            is_refresh_token_rotated: false,
            granted_scope: tokens.scope.to_string(),
            access_tokens: vec![CachedAccessToken {
                audience: None,
                requested_scope: None,
                token: tokens.access_token.expose().to_owned(),
                issued_at: self.sessions.now(),
                expires_at: tokens.expires_at.seconds(),
                scope: tokens.scope.to_string(),
                permissions: permissions_of(
                    &self.provider,
                    &self.config,
                    None,
                    &tokens.access_token,
                )
                .await
                .unwrap_or_default(),
            }],
            absolute_expiry: self.sessions.absolute_expiry(),
        }
    }

    /// The first-party cookie's old session ends if it was somebody else's (A18). Signing in
    /// to a second app never signs the first one out.
    async fn replaced_session(
        &self,
        session: &Session,
        transaction: &Transaction,
        headers: &HeaderMap,
    ) -> Result<Option<SessionId>, AppError> {
        let mut ids = self.cookies.session_ids(headers, Caller::Page);
        ids.extend(transaction.page_cookie.clone());

        let old = self.sessions.by_cookie(Caller::Page, &ids).await?;
        Ok(old
            .filter(|(old, _)| {
                (&old.session.issuer, &old.session.subject) != (&session.issuer, &session.subject)
            })
            .map(|(old, _)| old.id))
    }
}
