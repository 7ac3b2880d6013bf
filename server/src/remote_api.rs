//! The one call that the companion makes to the remote API.

use std::time::Duration;

use axum::body::Bytes;
use reqwest::{Client, StatusCode};
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST_BODY: usize = 1024 * 1024;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Client of the remote API. Cheap to clone.
#[derive(Clone)]
pub struct RemoteApi {
    client: Client,
    base: Option<Url>,
}

impl RemoteApi {
    /// For the API at `base`, if there is one. Follows no redirects: a token goes nowhere
    /// but where it was sent.
    ///
    /// # Errors
    /// If the TLS stack cannot be set up.
    pub fn new(base: Option<Url>) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .no_proxy()
            .build()?;
        Ok(Self { client, base })
    }

    /// Where its `/api/pong` is.
    #[must_use]
    pub fn pong_url(&self) -> Option<Url> {
        let mut url = self.base.clone()?;
        url.set_path("/api/pong");
        Some(url)
    }

    /// `GET` with the token; status and bounded body.
    ///
    /// # Errors
    /// If it cannot be reached, or answers too much.
    pub async fn get(&self, url: Url, access_token: &str) -> Result<(StatusCode, Bytes), Fault> {
        let mut response = self
            .client
            .get(url)
            .bearer_auth(access_token)
            .send()
            .await?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err("the answer is too large".into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body.into()))
    }
}
