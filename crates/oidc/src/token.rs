//! Requests to the token endpoint (RFC 6749 §4.1.3, §4.4, §6) over the `oauth2` crate and
//! our own limited HTTP client. Nothing here retries: a code may be sent once only, and a
//! rotating refresh token is the caller's to guard.

use std::{fmt, time::Duration};

use http::StatusCode;
use oauth2::{
    AuthType, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};
use url::Url;

use crate::{
    discovery::{DiscoveryError, Metadata},
    error::OAuthErrorCode,
    http_client::{HttpClient, HttpError},
    observer::RequestKind,
    provider::Provider,
    time::UnixTime,
    token_response::TokenResponseBody,
    types::{
        AccessToken, Audience, AuthorizationCode, ClientId, ClientSecret, CodeVerifier, RawIdToken,
        RefreshToken, Scope,
    },
};

/// Tokens as the provider issued them. The ID token is unverified.
#[derive(Clone)]
pub struct TokenSet {
    /// Opens the resource server.
    pub access_token: AccessToken,
    /// When the access token ends. A response without `expires_in` counts as five minutes,
    /// an absurd one is cut to thirty days.
    pub expires_at: UnixTime,
    /// What was granted; what was asked for where the response is silent (RFC 6749 §5.1).
    pub scope: Scope,
    /// Present when `offline_access` was granted, or when a refresh rotated it.
    pub refresh_token: Option<RefreshToken>,
    /// Present in answers to a code with scope `openid`, sometimes to a refresh.
    pub id_token: Option<RawIdToken>,
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenSet")
            .field("expires_at", &self.expires_at)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What the caller does next about a token request that gave no tokens.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenRequestError {
    /// The provider refused the grant: begin again.
    #[error("the provider refused the token request: {0}")]
    Refused(OAuthErrorCode),
    /// The provider refuses us, not the person: alarm.
    #[error("the provider does not accept this client's configuration: {0}")]
    ClientMisconfigured(OAuthErrorCode),
    /// No answer, or one that says "later". The code may be spent nevertheless.
    #[error("the token endpoint is unavailable: {0}")]
    Unavailable(String),
    /// An answer that breaks the protocol or our limits.
    #[error("the token response is unacceptable: {0}")]
    Unacceptable(String),
}

/// What the caller does next about a refresh that gave no tokens.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RefreshError {
    /// The refresh token is of no use any more, definitely: end the session.
    #[error("the provider ended the grant")]
    SessionOver,
    /// The provider's policy says no: to the person, or to the audience or scope that was
    /// asked for. Only who knows what was asked for can tell which.
    #[error("the provider denies access")]
    Denied,
    /// The person has to act (a second factor, a consent); the refresh token stays good.
    #[error("the person has to sign in again: {0}")]
    InteractionRequired(OAuthErrorCode),
    /// The provider refuses us or our request, not the person: alarm, keep the session.
    #[error("the provider does not accept this client's configuration: {0}")]
    ClientMisconfigured(OAuthErrorCode),
    /// No answer, or one that says "later": keep the session.
    #[error("the token endpoint is unavailable: {0}")]
    Unavailable(String),
    /// An answer that breaks the protocol or our limits: keep the session, alarm.
    #[error("the token response is unacceptable: {0}")]
    Unacceptable(String),
}

/// What a refresh asks for.
#[derive(Debug, Clone, Copy)]
pub struct RefreshRequest<'a> {
    /// The token to spend; it may be void afterwards, whatever happens.
    pub refresh_token: &'a RefreshToken,
    /// What the session was granted: the answer's scope where the response is silent.
    pub granted_scope: &'a Scope,
    /// A narrower scope than granted.
    pub scope: Option<&'a Scope>,
    /// Another resource server than the default (Auth0: multi-resource refresh tokens).
    pub audience: Option<&'a Audience>,
    /// No answer within this counts as none, so that the caller can still try again while
    /// the provider takes the token once more (E35). Capped by the limit of all requests.
    pub time_limit: Duration,
}

/// Credentials of a machine-to-machine client.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The client's name.
    pub client_id: ClientId,
    /// The client's password.
    pub client_secret: ClientSecret,
}

impl Provider {
    /// Redeems an authorization code, once: it is consumed here whatever comes back.
    ///
    /// # Errors
    /// See [`TokenRequestError`].
    pub async fn request_token(
        &self,
        code: AuthorizationCode,
        code_verifier: &CodeVerifier,
        redirect_uri: &Url,
        requested_scope: &Scope,
    ) -> Result<TokenSet, TokenRequestError> {
        let metadata = self.metadata().await?;
        let settings = &self.0.settings;
        let client = token_client(&metadata, &settings.client_id, &settings.client_secret)?
            .set_redirect_uri(RedirectUrl::from_url(redirect_uri.clone()));
        let body = client
            .exchange_code(oauth2::AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(code_verifier.expose().to_owned()))
            .request_async(&|request| exchange(self.0.http.clone(), RequestKind::Token, request))
            .await?;
        self.token_set(body, requested_scope)
    }

    /// Spends a refresh token.
    ///
    /// # Errors
    /// See [`RefreshError`]: only [`RefreshError::SessionOver`] says anything about the
    /// session.
    pub async fn refresh(&self, request: RefreshRequest<'_>) -> Result<TokenSet, RefreshError> {
        self.request_refresh(request)
            .await
            .map_err(RefreshError::from)
    }

    /// Obtains an access token for a machine-to-machine client (RFC 6749 §4.4).
    ///
    /// # Errors
    /// See [`TokenRequestError`].
    pub async fn client_credentials(
        &self,
        credentials: &ClientCredentials,
        audience: &Audience,
        scope: Option<&Scope>,
    ) -> Result<TokenSet, TokenRequestError> {
        let metadata = self.metadata().await?;
        let client = token_client(
            &metadata,
            &credentials.client_id,
            &credentials.client_secret,
        )?;
        let body = client
            .exchange_client_credentials()
            .add_scopes(scopes(scope))
            .add_extra_param("audience", audience.as_str())
            .request_async(&|request| {
                exchange(self.0.http.clone(), RequestKind::ClientCredentials, request)
            })
            .await?;
        let mut token_set = self.token_set(body, scope.unwrap_or(&Scope::default()))?;
        // RFC 6749 §4.4.3: a client that has its own credentials needs none.
        token_set.refresh_token = None;
        Ok(token_set)
    }

    async fn request_refresh(
        &self,
        request: RefreshRequest<'_>,
    ) -> Result<TokenSet, TokenRequestError> {
        let metadata = self.metadata().await?;
        let settings = &self.0.settings;
        let client = token_client(&metadata, &settings.client_id, &settings.client_secret)?;
        let refresh_token = oauth2::RefreshToken::new(request.refresh_token.expose().to_owned());
        let mut refresh = client
            .exchange_refresh_token(&refresh_token)
            .add_scopes(scopes(request.scope));
        if let Some(audience) = request.audience {
            refresh = refresh.add_extra_param("audience", audience.as_str());
        }
        let body = refresh
            .request_async(&|http_request| {
                let http = self.0.http.clone().within(request.time_limit);
                exchange(http, RequestKind::Refresh, http_request)
            })
            .await?;
        self.token_set(body, request.scope.unwrap_or(request.granted_scope))
    }

    fn token_set(
        &self,
        body: TokenResponseBody,
        requested: &Scope,
    ) -> Result<TokenSet, TokenRequestError> {
        body.into_token_set(self.0.clock.now(), requested)
            .map_err(|reason| TokenRequestError::Unacceptable(reason.to_owned()))
    }
}

/// How this client proves who it is (OpenID Connect Core §9).
pub(crate) fn auth_type(metadata: &Metadata) -> Result<AuthType, TokenRequestError> {
    let Some(methods) = &metadata.token_endpoint_auth_methods_supported else {
        return Ok(AuthType::BasicAuth);
    };
    let offers = |name: &str| methods.iter().any(|method| method == name);
    if offers("client_secret_basic") {
        Ok(AuthType::BasicAuth)
    } else if offers("client_secret_post") {
        Ok(AuthType::RequestBody)
    } else {
        Err(TokenRequestError::Unacceptable(
            "the provider offers no client authentication by secret".to_owned(),
        ))
    }
}

type TokenClient = oauth2::Client<
    BasicErrorResponse,
    TokenResponseBody,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

fn token_client(
    metadata: &Metadata,
    client_id: &ClientId,
    client_secret: &ClientSecret,
) -> Result<TokenClient, TokenRequestError> {
    let client = oauth2::Client::new(oauth2::ClientId::new(client_id.as_str().to_owned()))
        .set_client_secret(oauth2::ClientSecret::new(client_secret.expose().to_owned()))
        .set_auth_type(auth_type(metadata)?)
        .set_token_uri(TokenUrl::from_url(metadata.token_endpoint.clone()));
    Ok(client)
}

fn scopes(scope: Option<&Scope>) -> Vec<oauth2::Scope> {
    scope
        .into_iter()
        .flat_map(Scope::iter)
        .map(|token| oauth2::Scope::new(token.to_owned()))
        .collect()
}

/// An answer whose status alone decides, or none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("status {0}")]
    Later(StatusCode),
    #[error("status {0}")]
    Redirect(StatusCode),
}

/// Sends one request. Whatever body a failing server or a proxy before it sends, a 5xx or
/// 429 is no word about the grant.
pub(crate) async fn exchange(
    http: HttpClient,
    kind: RequestKind,
    request: HttpRequest,
) -> Result<HttpResponse, ExchangeError> {
    let response = http.send(kind, request).await?;
    let status = response.status();
    if status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
    {
        return Err(ExchangeError::Later(status));
    }
    if status.is_redirection() {
        return Err(ExchangeError::Redirect(status));
    }
    Ok(response)
}

impl From<DiscoveryError> for TokenRequestError {
    fn from(error: DiscoveryError) -> Self {
        match error {
            DiscoveryError::Unavailable { reason, .. } => Self::Unavailable(reason),
            DiscoveryError::Unacceptable(reason) => Self::Unacceptable(reason),
        }
    }
}

impl From<ExchangeError> for TokenRequestError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Http(HttpError::Unacceptable(_)) | ExchangeError::Redirect(_) => {
                Self::Unacceptable(error.to_string())
            }
            ExchangeError::Http(HttpError::Unreachable(_)) | ExchangeError::Later(_) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

impl From<RequestTokenError<ExchangeError, BasicErrorResponse>> for TokenRequestError {
    fn from(error: RequestTokenError<ExchangeError, BasicErrorResponse>) -> Self {
        match error {
            RequestTokenError::ServerResponse(response) => {
                Self::from_code(OAuthErrorCode::parse(response.error().as_ref()))
            }
            RequestTokenError::Request(error) => Self::from(error),
            // Neither the text nor the source: both can hold a piece of the body.
            RequestTokenError::Parse(..) => Self::Unacceptable("not a token response".to_owned()),
            RequestTokenError::Other(_) => {
                Self::Unacceptable("empty, or of another content type".to_owned())
            }
        }
    }
}

impl TokenRequestError {
    fn from_code(code: OAuthErrorCode) -> Self {
        match code {
            OAuthErrorCode::InvalidClient
            | OAuthErrorCode::UnauthorizedClient
            | OAuthErrorCode::UnsupportedGrantType => Self::ClientMisconfigured(code),
            OAuthErrorCode::ServerError | OAuthErrorCode::TemporarilyUnavailable => {
                Self::Unavailable(code.to_string())
            }
            code => Self::Refused(code),
        }
    }
}

impl From<TokenRequestError> for RefreshError {
    fn from(error: TokenRequestError) -> Self {
        match error {
            TokenRequestError::Refused(OAuthErrorCode::InvalidGrant) => Self::SessionOver,
            TokenRequestError::Refused(OAuthErrorCode::AccessDenied) => Self::Denied,
            TokenRequestError::Refused(
                code @ (OAuthErrorCode::LoginRequired
                | OAuthErrorCode::ConsentRequired
                | OAuthErrorCode::InteractionRequired
                | OAuthErrorCode::MfaRequired),
            ) => Self::InteractionRequired(code),
            TokenRequestError::Refused(code) | TokenRequestError::ClientMisconfigured(code) => {
                Self::ClientMisconfigured(code)
            }
            TokenRequestError::Unavailable(reason) => Self::Unavailable(reason),
            TokenRequestError::Unacceptable(reason) => Self::Unacceptable(reason),
        }
    }
}

#[cfg(test)]
mod tests;
