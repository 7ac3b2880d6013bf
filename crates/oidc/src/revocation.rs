//! Token revocation (RFC 7009): at logout the refresh token dies at the provider, too. By
//! hand, since the `oauth2` crate refuses the loopback `http` of development.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    Request,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use oauth2::AuthType;
use serde::Deserialize;
use url::form_urlencoded;

use crate::{
    error::OAuthErrorCode,
    observer::RequestKind,
    provider::Provider,
    token::{TokenRequestError, auth_type, exchange},
    types::RefreshToken,
};

/// What the caller does next about a revocation that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RevocationError {
    /// The provider has no such endpoint: nothing.
    #[error("the provider cannot revoke tokens")]
    Unsupported,
    /// The provider said no: alarm.
    #[error("the provider refused the revocation: {0}")]
    Refused(OAuthErrorCode),
    /// No answer, or one that says "later": try again.
    #[error("the revocation endpoint is unavailable: {0}")]
    Unavailable(String),
    /// An answer that breaks the protocol or our limits: alarm.
    #[error("the revocation response is unacceptable: {0}")]
    Unacceptable(String),
}

impl Provider {
    /// Revokes a refresh token. A token that the provider no longer knows is a success
    /// (RFC 7009 §2.2).
    ///
    /// # Errors
    /// See [`RevocationError`].
    pub async fn revoke(&self, refresh_token: &RefreshToken) -> Result<(), RevocationError> {
        let metadata = self.metadata().await.map_err(TokenRequestError::from)?;
        let endpoint = metadata
            .revocation_endpoint
            .as_ref()
            .ok_or(RevocationError::Unsupported)?;
        let auth_type = auth_type(&metadata)?;
        let request = self
            .revocation_request(endpoint.as_str(), &auth_type, refresh_token)
            .map_err(|_| RevocationError::Unacceptable("the request cannot be made".to_owned()))?;
        let response = exchange(self.0.http.clone(), RequestKind::Revocation, request)
            .await
            .map_err(TokenRequestError::from)?;
        if response.status().is_success() {
            return Ok(());
        }
        match serde_json::from_slice::<ErrorBody>(response.body()) {
            Ok(body) => Err(RevocationError::Refused(OAuthErrorCode::parse(&body.error))),
            Err(_) => Err(RevocationError::Unacceptable(format!(
                "status {}",
                response.status()
            ))),
        }
    }

    fn revocation_request(
        &self,
        endpoint: &str,
        auth_type: &AuthType,
        refresh_token: &RefreshToken,
    ) -> Result<Request<Vec<u8>>, http::Error> {
        let id = self.0.settings.client_id.as_str();
        let secret = self.0.settings.client_secret.expose();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", refresh_token.expose())
            .append_pair("token_type_hint", "refresh_token");
        let mut request = Request::post(endpoint)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        match auth_type {
            AuthType::RequestBody => {
                form.append_pair("client_id", id)
                    .append_pair("client_secret", secret);
            }
            _ => request = request.header(AUTHORIZATION, basic_credentials(id, secret)),
        }
        request.body(form.finish().into_bytes())
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

/// RFC 6749 §2.3.1: both are form-encoded before RFC 7617 applies.
fn basic_credentials(id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret));
    format!("Basic {}", STANDARD.encode(pair))
}

impl From<TokenRequestError> for RevocationError {
    fn from(error: TokenRequestError) -> Self {
        match error {
            TokenRequestError::Refused(code) | TokenRequestError::ClientMisconfigured(code) => {
                Self::Refused(code)
            }
            TokenRequestError::Unavailable(reason) => Self::Unavailable(reason),
            TokenRequestError::Unacceptable(reason) => Self::Unacceptable(reason),
        }
    }
}
