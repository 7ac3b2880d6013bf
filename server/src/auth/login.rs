//! `GET` and `POST /api/auth/login`: begins a login (RFC 6749 §4.1.1, OpenID Connect Core
//! §3.1.2.1). Nothing is stored here; all there is goes into the transaction cookie.
//!
//! Only the `POST`, which no foreign page can send with our origin, may bind the login to
//! a handoff (invariant 3): a link with somebody's challenge starts a login at most.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use shared::error::ErrorCode;
use url::form_urlencoded;

use super::return_to::ReturnTo;
use super::transaction::Wanted;
use crate::audit::Event;
use crate::config::{ResponseMode, Settings};
use crate::cookies::{self, Caller};
use crate::error::AppError;
use crate::metrics::labels::LoginFailure;
use crate::provider_errors::discovery;
use crate::redirect::see_other;
use crate::requests::{OwnForm, is_document_navigation, is_prefetch};
use crate::state::Login;
use crate::values::is_random_256;

/// Longest value of a login option.
const LONGEST_OPTION: usize = 256;

/// A person follows a link or a button of our own pages.
///
/// # Errors
/// If this is no navigation of a person, or the provider cannot be reached.
pub async fn by_navigation(
    State(login): State<Login>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, AppError> {
    if is_prefetch(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if !is_document_navigation(&headers) {
        return Err(AppError::refused(
            ErrorCode::InvalidRequest,
            "A sign-in begins with a page of its own, not inside another page.",
        ));
    }
    let parameters = parameters(query.as_deref().unwrap_or_default());
    let asked = Asked {
        handoff_challenge: None,
        ..Asked::of(&parameters, &login.config)
    };
    login.begun(asked, &headers).await
}

/// The frame submits its form into the popup.
///
/// # Errors
/// If the challenge has another shape, or the provider cannot be reached.
pub async fn by_frame(
    State(login): State<Login>,
    headers: HeaderMap,
    OwnForm(parameters): OwnForm<Vec<(String, String)>>,
) -> Result<Response, AppError> {
    let asked = Asked::of(&parameters, &login.config);
    if !asked.handoff_challenge.as_deref().is_none_or(is_random_256) {
        return Err(AppError::refused(
            ErrorCode::InvalidRequest,
            "The handoff challenge is malformed.",
        ));
    }
    login.begun(asked, &headers).await
}

impl Login {
    async fn begun(&self, asked: Asked, headers: &HeaderMap) -> Result<Response, AppError> {
        let begun = self.begin(asked, headers).await;
        match &begun {
            Ok(_) => self.audit.metrics().login_started(),
            Err(error) => self
                .audit
                .record(&Event::LoginFailed(LoginFailure::of(error))),
        }
        begun
    }

    async fn begin(&self, mut asked: Asked, headers: &HeaderMap) -> Result<Response, AppError> {
        let page_cookies = self.cookies.session_ids(headers, Caller::Page);
        if self.sessions.was_ended_by_host(&page_cookies).await? {
            asked.for_the_person_anew();
        }
        let metadata = self.provider.metadata().await.map_err(discovery)?;
        let random = self.sessions.random();
        let request = self
            .provider
            .authorization_request(&metadata, &self.config.redirect_uri(), &self.config.scope)
            .audience(self.config.audience.as_ref())
            .response_mode(match self.config.response_mode {
                ResponseMode::Query => oidc::ResponseMode::Query,
                ResponseMode::FormPost => oidc::ResponseMode::FormPost,
            })
            .options(&asked.options)
            .build(random)
            .map_err(|error| AppError::Internal(error.into()))?;
        let wanted = Wanted {
            page_cookie: self.lost_page_cookie(page_cookies),
            ..asked.wanted()
        };
        let now = self.sessions.now();
        let set = self
            .transactions
            .begin(&request, wanted, headers, random, now);
        let mut response = see_other(request.url.as_str());
        cookies::append(response.headers_mut(), set);
        Ok(response)
    }

    /// The page cookie that the provider's cross-site form post will not bring along (`Lax`):
    /// the callback needs it to end another person's old session (A18).
    fn lost_page_cookie(&self, page_cookies: Vec<String>) -> Option<String> {
        match self.config.response_mode {
            ResponseMode::Query => None,
            ResponseMode::FormPost => page_cookies.into_iter().next(),
        }
    }
}

/// What a login asks for, after the allow-list.
struct Asked {
    handoff_challenge: Option<String>,
    return_to: Option<ReturnTo>,
    options: Vec<(String, String)>,
}

impl Asked {
    fn of(parameters: &[(String, String)], settings: &Settings) -> Self {
        let value = |wanted: &str| {
            let mut found = parameters.iter().filter(|(name, _)| name == wanted);
            // Given twice, it is not clear which one is meant: none.
            match (found.next(), found.next()) {
                (Some((_, value)), None) if !value.is_empty() => Some(value.as_str()),
                _ => None,
            }
        };
        let options = settings
            .login_options
            .iter()
            .filter_map(|name| Some((name.clone(), value(name)?.to_owned())))
            .filter(|(name, value)| value.len() <= LONGEST_OPTION && is_sound(name, value))
            .collect();
        Self {
            handoff_challenge: value("handoff_challenge").map(str::to_owned),
            return_to: value("returnTo").and_then(|place| ReturnTo::parse(place, settings)),
            options,
        }
    }

    /// Asks the provider for the person, whatever session it has (`prompt=login`, OpenID
    /// Connect Core §3.1.2.1), unless the login asks itself in a way that shows the person
    /// who signs in. Any page may link here with `prompt=none`.
    fn for_the_person_anew(&mut self) {
        let asks = |(name, value): &(String, String)| name == "prompt" && asks_who_it_is(value);
        if !self.options.iter().any(asks) {
            self.options.retain(|(name, _)| name != "prompt");
            self.options.push(("prompt".into(), "login".into()));
        }
    }

    fn wanted(self) -> Wanted {
        let option = |wanted: &str| {
            self.options
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.as_str())
        };
        Wanted {
            max_age: option("max_age").and_then(|value| value.parse().ok()),
            acr_values: option("acr_values")
                .map(|values| values.split(' ').map(str::to_owned).collect())
                .unwrap_or_default(),
            handoff_challenge: self.handoff_challenge,
            return_to: self.return_to,
            page_cookie: None,
        }
    }
}

/// Whether a provider that is asked so lets the person say who they are (`create`: Initiating
/// User Registration via OpenID Connect 1.0); `consent` alone goes by the session it has.
fn asks_who_it_is(prompt: &str) -> bool {
    let mut values = prompt.split(' ');
    values.clone().all(|value| value != "none")
        && values.any(|value| matches!(value, "login" | "select_account" | "create"))
}

/// An unreadable `max_age` could not be verified later.
fn is_sound(name: &str, value: &str) -> bool {
    match name {
        "max_age" => value.parse::<u32>().is_ok(),
        _ => !value.chars().any(char::is_control),
    }
}

fn parameters(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Lookup;

    fn options(parameters: &[(&str, &str)], anew: bool) -> Vec<(String, String)> {
        let settings = Lookup::of([
            ("AUTH0_BASE_URL", "http://localhost:3001"),
            ("AUTH0_ISSUER_BASE_URL", "https://tenant.eu.auth0.com"),
            ("AUTH0_SECRET", "0123456789abcdef0123456789abcdef"),
            ("AUTH0_CLIENT_ID", "client"),
            ("AUTH0_CLIENT_SECRET", "client-secret"),
            ("LOGIN_OPTIONS", "prompt,max_age"),
        ]);
        let settings = Settings::parse(&settings).unwrap();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let parameters: Vec<_> = parameters.iter().map(owned).collect();
        let mut asked = Asked::of(&parameters, &settings);
        if anew {
            asked.for_the_person_anew();
        }
        asked.options
    }

    // B70: the provider might obey it in a way of its own, and we could not verify it.
    #[test]
    fn a_max_age_that_is_no_number_is_not_sent() {
        for unreadable in ["soon", "-1", "1.5", "4294967296"] {
            assert!(options(&[("max_age", unreadable)], false).is_empty());
        }
        let sent = options(&[("max_age", "0")], false);
        assert_eq!(sent, [("max_age".to_owned(), "0".to_owned())]);
    }

    // Given twice, the provider would have to choose (OpenID Connect Core §3.1.2.1).
    #[test]
    fn after_the_hosts_logout_the_person_is_asked_for_once() {
        let anew = ("prompt".to_owned(), "login".to_owned());
        assert_eq!(options(&[], true), [anew]);
        let own = ("prompt".to_owned(), "select_account".to_owned());
        assert_eq!(options(&[("prompt", "select_account")], true), [own]);
    }

    // A link on any page can say so: the provider's session would sign the person in again.
    #[test]
    fn after_the_hosts_logout_no_link_keeps_the_provider_from_asking() {
        for silent in ["none", "consent", "none login", "None", "login none"] {
            let anew = ("prompt".to_owned(), "login".to_owned());
            assert_eq!(options(&[("prompt", silent)], true), [anew], "{silent}");
            let as_asked = ("prompt".to_owned(), silent.to_owned());
            assert_eq!(options(&[("prompt", silent)], false), [as_asked]);
        }
        let both = ("prompt".to_owned(), "login consent".to_owned());
        assert_eq!(options(&[("prompt", "login consent")], true), [both]);
    }
}
