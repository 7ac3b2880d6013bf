//! `check-api`: obtains the companion's own access token and calls the remote API with it,
//! so that an operator sees whether provider, API and this configuration agree.

use std::sync::Arc;

use oidc::{HttpClient, SystemClock, SystemRandom, TokenSet};

use super::{Outcome, say};
use crate::config::{Problem, Settings};
use crate::remote_api::RemoteApi;
use crate::service_tokens::ServiceTokens;
use crate::state;

/// Enough to see what answered.
const SHOWN_CHARACTERS: usize = 1000;

/// # Errors
/// If the provider gives no token, or the API does not accept it.
pub(super) async fn check_api(settings: Settings) -> anyhow::Result<Outcome> {
    let api = RemoteApi::new(settings.remote_api.clone())?;
    let (Some(client), Some(url)) = (settings.service_client.clone(), api.pong_url()) else {
        return Ok(Outcome::misconfigured(&missing(&settings)));
    };
    let audience = client.audience.clone();
    let provider = state::provider(
        &settings,
        HttpClient::new()?,
        Arc::new(SystemClock),
        Arc::new(SystemRandom),
    );
    let now = provider.now();
    let tokens = ServiceTokens::new(provider, client).fresh().await?;
    say(&format!(
        "access token for {audience}: {} seconds, {}",
        tokens.expires_at.seconds_since(now),
        scope(&tokens)
    ));
    let (status, body) = api
        .get(url.clone(), tokens.access_token.expose())
        .await
        .map_err(|error| anyhow::anyhow!("{url} cannot be reached: {error}"))?;
    say(&format!("GET {url}: {status}"));
    say(&printable(&body));
    anyhow::ensure!(
        status.is_success(),
        "the remote API does not accept this client's token"
    );
    Ok(Outcome::Done)
}

fn missing(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    if settings.service_client.is_none() {
        problems.push(Problem::new(
            "API_CLIENT_ID",
            "is missing: check-api needs it, and API_CLIENT_SECRET, to obtain a token",
        ));
    }
    if settings.remote_api.is_none() {
        problems.push(Problem::new(
            "REMOTE_API_BASE_URL",
            "is missing: check-api calls the API there",
        ));
    }
    problems
}

fn scope(tokens: &TokenSet) -> String {
    match tokens.scope.to_string() {
        scope if scope.is_empty() => "scope not told".to_owned(),
        scope => format!("scope {scope}"),
    }
}

/// What a stranger answers must not steer the operator's terminal.
fn printable(body: &[u8]) -> String {
    String::from_utf8_lossy(body)
        .chars()
        .filter(|character| !character.is_control())
        .take(SHOWN_CHARACTERS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_shown_without_control_characters_and_not_in_full_length() {
        assert_eq!(printable(b"\x1b[31m{\"a\":\n1}"), "[31m{\"a\":1}");
        assert_eq!(printable(&[b'x'; 5000]).len(), SHOWN_CHARACTERS);
    }
}
