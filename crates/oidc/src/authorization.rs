//! The authorization request that a browser is sent away with, and the response that it
//! brings back (RFC 6749 §4.1, OpenID Connect Core §3.1.2). Nothing here talks to anybody.

use std::fmt;

use oauth2::{
    AuthUrl, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, basic::BasicClient,
};
use url::{Url, form_urlencoded};

use crate::{
    discovery::Metadata,
    error::{OAuthErrorCode, sanitized_description},
    random::Random,
    types::{Audience, AuthorizationCode, ClientId, CodeVerifier, Nonce, RequestState, Scope},
};

/// Parameters that decide what the protocol proves: no login option may touch them (A07).
const PROTOCOL_PARAMETERS: [&str; 17] = [
    "response_type",
    "response_mode",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "audience",
    "resource",
    "request",
    "request_uri",
    "claims",
];
/// A state of ours has 43 characters.
const STATE_LIMIT: usize = 512;
/// Codes of the large providers stay well below.
const CODE_LIMIT: usize = 4096;
/// Of the whole response: query or form body.
const RESPONSE_LIMIT: usize = 16 * 1024;
/// Of each login option.
const OPTION_LIMIT: usize = 1024;

/// How the response travels back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of a redirect.
    #[default]
    Query,
    /// In the body of a form that the browser posts.
    FormPost,
}

/// Builds an authorization request.
pub struct AuthorizationRequest<'a> {
    metadata: &'a Metadata,
    client_id: &'a ClientId,
    redirect_uri: &'a Url,
    scope: &'a Scope,
    audience: Option<&'a Audience>,
    response_mode: ResponseMode,
    options: &'a [(String, String)],
}

/// The request cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationRequestError {
    /// Without `openid` there is no ID token, and so no identity.
    #[error("the scope lacks openid")]
    NotOpenId,
    /// A login option would change what the protocol proves.
    #[error("login option {0} is a protocol parameter")]
    ProtocolParameter(String),
    /// A login option is too long, or stands twice.
    #[error("login option {0} is malformed")]
    MalformedOption(String),
}

/// An authorization request: the browser gets the URL, the login transaction the rest.
pub struct PreparedAuthorizationRequest {
    /// Where to send the browser.
    pub url: Url,
    /// To be found again in the response.
    pub state: RequestState,
    /// To be found again in the ID token.
    pub nonce: Nonce,
    /// To be sent with the code.
    pub code_verifier: CodeVerifier,
}

impl fmt::Debug for PreparedAuthorizationRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PreparedAuthorizationRequest([redacted])")
    }
}

impl<'a> AuthorizationRequest<'a> {
    /// A request for a code, by query redirect.
    #[must_use]
    pub fn new(
        metadata: &'a Metadata,
        client_id: &'a ClientId,
        redirect_uri: &'a Url,
        scope: &'a Scope,
    ) -> Self {
        Self {
            metadata,
            client_id,
            redirect_uri,
            scope,
            audience: None,
            response_mode: ResponseMode::Query,
            options: &[],
        }
    }

    /// Asks for an access token of this resource server.
    #[must_use]
    pub fn audience(mut self, audience: Option<&'a Audience>) -> Self {
        self.audience = audience;
        self
    }

    /// Asks for the response by this way.
    #[must_use]
    pub fn response_mode(mut self, mode: ResponseMode) -> Self {
        self.response_mode = mode;
        self
    }

    /// Adds login options (`prompt`, `login_hint`, …) that the caller's allow-list let pass.
    #[must_use]
    pub fn options(mut self, options: &'a [(String, String)]) -> Self {
        self.options = options;
        self
    }

    /// Mints state, nonce and code verifier, and makes the URL.
    ///
    /// # Errors
    /// When the scope lacks `openid`, or an option would override a protocol parameter.
    pub fn build(
        self,
        random: &dyn Random,
    ) -> Result<PreparedAuthorizationRequest, AuthorizationRequestError> {
        if !self.scope.contains("openid") {
            return Err(AuthorizationRequestError::NotOpenId);
        }
        check_options(self.options)?;
        let state = RequestState::generate(random);
        let nonce = Nonce::generate(random);
        let code_verifier = CodeVerifier::generate(random);
        let url = self.url(&state, &nonce, &code_verifier);
        Ok(PreparedAuthorizationRequest {
            url,
            state,
            nonce,
            code_verifier,
        })
    }

    fn url(&self, state: &RequestState, nonce: &Nonce, code_verifier: &CodeVerifier) -> Url {
        let verifier = PkceCodeVerifier::new(code_verifier.expose().to_owned());
        let client = BasicClient::new(oauth2::ClientId::new(self.client_id.as_str().to_owned()))
            .set_auth_uri(AuthUrl::from_url(
                self.metadata.authorization_endpoint.clone(),
            ))
            .set_redirect_uri(RedirectUrl::from_url(self.redirect_uri.clone()));
        let mut request = client
            .authorize_url(|| CsrfToken::new(state.expose().to_owned()))
            .add_scopes(
                self.scope
                    .iter()
                    .map(|token| oauth2::Scope::new(token.to_owned())),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_extra_param("nonce", nonce.expose().to_owned());
        if let Some(audience) = self.audience {
            request = request.add_extra_param("audience", audience.as_str().to_owned());
        }
        if self.response_mode == ResponseMode::FormPost {
            request = request.add_extra_param("response_mode", "form_post");
        }
        for (name, value) in self.options {
            request = request.add_extra_param(name.clone(), value.clone());
        }
        request.url().0
    }
}

fn check_options(options: &[(String, String)]) -> Result<(), AuthorizationRequestError> {
    for (index, (name, value)) in options.iter().enumerate() {
        if PROTOCOL_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(AuthorizationRequestError::ProtocolParameter(name.clone()));
        }
        let is_repeated = options[..index].iter().any(|(earlier, _)| earlier == name);
        if is_repeated || name.is_empty() || name.len() + value.len() > OPTION_LIMIT {
            return Err(AuthorizationRequestError::MalformedOption(
                name.chars().take(64).collect(),
            ));
        }
    }
    Ok(())
}

/// What the provider answered.
#[derive(Debug)]
pub enum AuthorizationResponse {
    /// No. Tried first: a response with both an error and a code is a refusal. Its issuer is
    /// not checked, since a refusal gives nothing to anybody.
    Refused {
        /// Why.
        error: OAuthErrorCode,
        /// The provider's words for people: cleaned, bounded, still untrusted text.
        description: Option<String>,
    },
    /// Yes, if the issuer is the right one.
    Granted(GrantedResponse),
}

/// A response with a code, whose issuer is still to be checked.
#[derive(Debug)]
pub struct GrantedResponse {
    code: AuthorizationCode,
    issuer: Option<String>,
}

/// The response is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationResponseError {
    /// Longer than any honest one.
    #[error("the authorization response is too large")]
    TooLarge,
    /// A parameter stands twice: two readers could understand two responses (B67, B72).
    #[error("parameter {0} stands twice in the authorization response")]
    Repeated(&'static str),
    /// A parameter is missing or empty.
    #[error("parameter {0} is missing in the authorization response")]
    Missing(&'static str),
    /// The response comes from another provider, or does not say from whom although the
    /// provider promises to (RFC 9207 §2.4: the mix-up attack).
    #[error("the authorization response comes from another issuer")]
    WrongIssuer,
}

impl AuthorizationResponse {
    /// Reads a response from a query or a form body.
    ///
    /// # Errors
    /// When it is too large, ambiguous, or neither a refusal nor a grant.
    pub fn parse(parameters: &str) -> Result<Self, AuthorizationResponseError> {
        let parameters = Parameters::parse(parameters)?;
        if let Some(error) = parameters.error {
            return Ok(Self::Refused {
                error: OAuthErrorCode::parse(&error),
                description: parameters
                    .error_description
                    .as_deref()
                    .map(sanitized_description),
            });
        }
        let code = non_empty(parameters.code, "code")?;
        if code.len() > CODE_LIMIT {
            return Err(AuthorizationResponseError::TooLarge);
        }
        Ok(Self::Granted(GrantedResponse {
            code: AuthorizationCode::new(code),
            issuer: parameters.issuer,
        }))
    }
}

impl GrantedResponse {
    /// The code, once the response is known to come from the right provider (RFC 9207).
    ///
    /// # Errors
    /// When `iss` names another issuer, or is missing though the provider promises it.
    pub fn into_code(
        self,
        metadata: &Metadata,
    ) -> Result<AuthorizationCode, AuthorizationResponseError> {
        let is_promised = metadata.authorization_response_iss_parameter_supported;
        match self.issuer {
            Some(issuer) if issuer == metadata.issuer.as_str() => Ok(self.code),
            None if !is_promised => Ok(self.code),
            _ => Err(AuthorizationResponseError::WrongIssuer),
        }
    }
}

/// The `state` of a response, by which its login transaction is found. Compare it with
/// [`RequestState::matches`] before believing that it is the one.
///
/// # Errors
/// When it is missing, stands twice, or the response is too large.
pub fn returned_state(parameters: &str) -> Result<String, AuthorizationResponseError> {
    let state = non_empty(Parameters::parse(parameters)?.state, "state")?;
    if state.len() > STATE_LIMIT {
        return Err(AuthorizationResponseError::TooLarge);
    }
    Ok(state)
}

#[derive(Default)]
struct Parameters {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    issuer: Option<String>,
}

impl Parameters {
    /// Unknown parameters are ignored (RFC 6749 §4.1.2), known ones must not repeat (§3.1).
    fn parse(text: &str) -> Result<Self, AuthorizationResponseError> {
        if text.len() > RESPONSE_LIMIT {
            return Err(AuthorizationResponseError::TooLarge);
        }
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let (name, slot) = match name.as_ref() {
                "state" => ("state", &mut parameters.state),
                "code" => ("code", &mut parameters.code),
                "error" => ("error", &mut parameters.error),
                "error_description" => ("error_description", &mut parameters.error_description),
                "iss" => ("iss", &mut parameters.issuer),
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(AuthorizationResponseError::Repeated(name));
            }
        }
        Ok(parameters)
    }
}

fn non_empty(
    value: Option<String>,
    name: &'static str,
) -> Result<String, AuthorizationResponseError> {
    value
        .filter(|value| !value.is_empty())
        .ok_or(AuthorizationResponseError::Missing(name))
}

#[cfg(test)]
mod tests;
