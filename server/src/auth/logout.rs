//! `/api/auth/logout`: ends the session here first, then revokes its refresh token, then
//! (for whoever asked) names the provider's end-session page (OpenID Connect RP-Initiated
//! Logout 1.0). A `GET` ends nothing: links, images and prefetches cannot sign anyone out.

use std::future::Future;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, header};
use oidc::{Provider, RefreshToken};
use session_store::{HandleKind, SessionId};
use shared::auth::{LoggedOut, LogoutRequest};
use shared::error::EndReason;
use shared::routes;
use url::Url;

use super::patience::Patience;
use super::refresh::AccessTokens;
use crate::audit::{Audit, Event, Who};
use crate::closing::Closing;
use crate::cookies::{self, Caller, CookiePolicy};
use crate::error::{AppError, causes};
use crate::metrics::labels::LogoutBy;
use crate::redirect::see_other;
use crate::request_id::of_this_request;
use crate::requests::OwnOrigin;
use crate::sessions::{Ending, LiveSession, Session, Sessions, cookie_kind};
use crate::state::Config;
use crate::values::{is_random_256, random_256};

/// Ends sessions, in the right order. Cheap to clone.
#[derive(Clone)]
pub struct SignOut {
    sessions: Sessions,
    tokens: AccessTokens,
    provider: Provider,
    config: Config,
    audit: Audit,
    closing: Closing,
}

impl SignOut {
    /// Of these sessions at this provider.
    #[must_use]
    pub const fn new(
        sessions: Sessions,
        tokens: AccessTokens,
        provider: Provider,
        config: Config,
        audit: Audit,
        closing: Closing,
    ) -> Self {
        Self {
            sessions,
            tokens,
            provider,
            config,
            audit,
            closing,
        }
    }

    /// Runs what must not stop half-way (see [`Closing::to_the_end`]).
    ///
    /// # Errors
    /// Those of the work.
    pub(super) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, AppError>> + Send + 'static,
    ) -> Result<T, AppError> {
        self.closing
            .to_the_end(of_this_request(work))
            .await
            .unwrap_or_else(|_| Err(AppError::Internal("ending a session panicked".into())))
    }

    /// Ends one session: here at once, its refresh token at the provider soon after.
    ///
    /// # Errors
    /// If the store cannot answer: the session may live then, and can be ended again.
    pub async fn end(&self, id: SessionId, reason: EndReason) -> Result<(), AppError> {
        let ending = self.sessions.ending(id, reason);
        self.end_by(id, ending, by(reason)).await
    }

    /// The same by the Streamlit host.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn end_by_host(&self, id: SessionId) -> Result<(), AppError> {
        let ending = self.sessions.ending_by_host(id);
        self.end_by(id, ending, Some(LogoutBy::Host)).await
    }

    async fn end_by(
        &self,
        id: SessionId,
        ending: Ending,
        by: Option<LogoutBy>,
    ) -> Result<(), AppError> {
        // Looked at first: the end erases it, and its answer may be lost. A logout must not fail
        // for want of this look.
        let held = self.sessions.held(id).await.ok().flatten();
        match self.sessions.end_by(&ending).await {
            Ok(ended) => {
                self.ended(id, ended, by);
                Ok(())
            }
            Err(error) => {
                if let Some(held) = held {
                    self.settle(id, ending, held, by);
                }
                Err(error.into())
            }
        }
    }

    /// The store may have obeyed, or may yet, although it did not say so: then nobody else
    /// would ever revoke the refresh token. Nobody waits for this.
    fn settle(&self, id: SessionId, ending: Ending, held: Session, by: Option<LogoutBy>) {
        let sign_out = self.clone();
        let settling = async move {
            let mut patience = Patience::with_an_outage();
            loop {
                match sign_out.sessions.was_obeyed(&ending).await {
                    Ok(Some(true)) => return sign_out.ended(id, Some(held), by),
                    Ok(None) | Err(_) if patience.lasts().await => {}
                    Ok(_) | Err(_) => return,
                }
            }
        };
        self.closing.finish(of_this_request(settling));
    }

    /// The same where nobody can try again: a store that fails now is asked on for a while.
    pub async fn end_in_the_end(&self, id: SessionId, reason: EndReason) {
        let Err(error) = self.end(id, reason).await else {
            return;
        };
        tracing::warn!(error = causes(&error), "a session is not ended yet");
        let sign_out = self.clone();
        let ending = async move {
            let mut patience = Patience::with_an_outage();
            while patience.lasts().await {
                if sign_out.end(id, reason).await.is_ok() {
                    return;
                }
            }
            tracing::error!("a session that was replaced lives on until it expires");
        };
        self.closing.finish(of_this_request(ending));
    }

    /// `ended` is what the session held when it ended: a refresh just before may have rotated
    /// the token (E38).
    fn ended(&self, id: SessionId, ended: Option<Session>, by: Option<LogoutBy>) {
        let Some(session) = ended else { return };
        tracing::info!(event = "logout", ?by, "a session ended");
        if let Some(by) = by {
            let who = Who::of(id, &session);
            self.audit.record(&Event::Logout(by, who));
        }
        if let Some(refresh_token) = session.refresh_token.map(RefreshToken::new) {
            self.tokens.revoke_soon(refresh_token);
        }
    }

    /// Revokes the refresh token of a login that came to nothing, soon.
    pub fn discard(&self, refresh_token: RefreshToken) {
        self.tokens.revoke_soon(refresh_token);
    }

    /// What a person's logout ends; gives `live` back.
    async fn end_of_person(
        self,
        sealed: Vec<SessionId>,
        live: Option<LiveSession>,
    ) -> Result<Option<LiveSession>, AppError> {
        for id in sealed {
            self.end(id, EndReason::SignedOut).await?;
        }
        if let Some(live) = &live {
            self.end_federated(live.id, &live.session).await?;
        }
        Ok(live)
    }

    /// Ends a session, and with `FEDERATED_LOGOUT` all of the same provider session. Its own
    /// comes last: as long as it lives, a logout that failed half-way can be tried again.
    async fn end_federated(&self, id: SessionId, session: &Session) -> Result<(), AppError> {
        if self.config.federated_logout {
            for other in self.sessions.of_same_provider_session(session).await? {
                if other != id {
                    self.end(other, EndReason::SignedOut).await?;
                }
            }
        }
        self.end(id, EndReason::SignedOut).await
    }

    /// The provider's end-session page for this login; `None` if it has none, is not to be
    /// used, or cannot be reached now: our session has ended all the same.
    async fn end_session_url(&self, session: &Session, with_hint: bool) -> Option<Url> {
        if !self.config.federated_logout {
            return None;
        }
        let metadata = self.provider.metadata().await.ok()?;
        let back = self.config.post_logout_redirect_uri();
        let Some(mut url) = metadata.end_session_endpoint.clone() else {
            return auth0_logout_url(
                metadata.issuer.url(),
                self.provider.client_id().as_str(),
                &back,
            );
        };
        let state = random_256(self.sessions.random());
        url.query_pairs_mut()
            .append_pair("client_id", self.provider.client_id().as_str())
            .append_pair(
                "logout_hint",
                session
                    .provider_session
                    .as_ref()
                    .unwrap_or(&session.subject),
            )
            .append_pair("post_logout_redirect_uri", back.as_str())
            .append_pair("state", &state);
        if let Some(id_token) = session.id_token.as_ref().filter(|_| with_hint) {
            url.query_pairs_mut().append_pair("id_token_hint", id_token);
        }
        Some(url)
    }
}

/// Who ends a session for this reason; `None` where it ends by itself.
const fn by(reason: EndReason) -> Option<LogoutBy> {
    match reason {
        EndReason::SignedOut => Some(LogoutBy::Person),
        EndReason::ProviderLogout => Some(LogoutBy::Provider),
        EndReason::Replaced => Some(LogoutBy::Replaced),
        EndReason::RefreshRefused => Some(LogoutBy::Refresh),
        EndReason::Expired | EndReason::Unknown => None,
    }
}

/// Older Auth0 tenants advertise no end-session endpoint; theirs is `/v2/logout`.
fn auth0_logout_url(issuer: &Url, client_id: &str, back: &Url) -> Option<Url> {
    issuer.host_str()?.ends_with(".auth0.com").then(|| {
        let mut url = issuer.clone();
        url.set_path("/v2/logout");
        url.query_pairs_mut()
            .append_pair("client_id", client_id)
            .append_pair("returnTo", back.as_str());
        url
    })
}

/// Signs out whoever is signed in by the caller's cookie, or the session that the frame
/// claimed, where the browser refuses every cookie in the frame.
///
/// # Errors
/// 403 from another origin; 503 if the store cannot write, and then it can be tried again.
pub async fn logout(
    State(sign_out): State<SignOut>,
    State(sessions): State<Sessions>,
    State(policy): State<CookiePolicy>,
    headers: HeaderMap,
    _own: OwnOrigin,
    body: Bytes,
) -> Result<Response, AppError> {
    let caller = Caller::of(&headers);
    let is_fetch = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let request: LogoutRequest = serde_json::from_slice(&body).unwrap_or_default();
    let ids = policy.session_ids(&headers, caller);
    let key = request.sign_out_key.as_deref();
    let live = match sessions.by_cookie(caller, &ids).await? {
        Some((live, _)) => Some(live),
        None => by_sign_out_key(key, &sessions).await?,
    };
    let sealed = sealed_to_us(caller, &ids, key, &sessions).await?;
    let ending = sign_out.clone().end_of_person(sealed, live);
    let logout_url = match sign_out.to_the_end(ending).await? {
        Some(live) => sign_out.end_session_url(&live.session, !is_fetch).await,
        None => None,
    };
    let mut response = if is_fetch {
        let logout_url = logout_url.map(Into::into);
        Json(LoggedOut { logout_url }).into_response()
    } else {
        see_other(logout_url.as_ref().map_or(routes::SIGNED_OUT, Url::as_str))
    };
    cookies::append(response.headers_mut(), policy.clear_session(caller));
    Ok(response)
}

async fn by_sign_out_key(
    key: Option<&str>,
    sessions: &Sessions,
) -> Result<Option<LiveSession>, AppError> {
    match key.filter(|key| is_random_256(key)) {
        Some(key) => Ok(sessions.by_sign_out_key(key).await?),
        None => Ok(None),
    }
}

/// A logout holds also where only another replica can open the session (E66).
async fn sealed_to_us(
    caller: Caller,
    cookies: &[String],
    key: Option<&str>,
    sessions: &Sessions,
) -> Result<Vec<SessionId>, AppError> {
    let cookies: Vec<_> = cookies.iter().map(String::as_str).collect();
    let key: Vec<_> = key.into_iter().filter(|key| is_random_256(key)).collect();
    let mut sealed = sessions.sealed_to_us(cookie_kind(caller), &cookies).await?;
    sealed.extend(sessions.sealed_to_us(HandleKind::SignOutKey, &key).await?);
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(issuer: &str) -> Option<String> {
        let issuer = Url::parse(issuer).unwrap();
        let back = Url::parse("https://login.example.org/").unwrap();
        auth0_logout_url(&issuer, "client", &back).map(Into::into)
    }

    #[test]
    fn the_logout_page_of_older_auth0_tenants_is_auth0s_only() {
        assert_eq!(
            at("https://tenant.eu.auth0.com/").as_deref(),
            Some(
                "https://tenant.eu.auth0.com/v2/logout?client_id=client&returnTo=https%3A%2F%2Flogin.example.org%2F"
            )
        );
        for other in [
            "https://idp.example.org/",
            "https://eu-auth0.com/",
            "https://auth0.com.example.org/",
        ] {
            assert_eq!(at(other), None, "{other}");
        }
    }
}
