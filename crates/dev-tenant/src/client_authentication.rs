//! Client authentication at the token and revocation endpoints (RFC 6749 §2.3).

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::oauth_error::OAuthError;
use crate::parameters::Parameters;
use crate::settings::Client;
use crate::tenant::DevTenant;

/// The application that sent the request, proven by its secret unless it is public.
pub(crate) fn authenticate<'t>(
    tenant: &'t DevTenant,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<&'t Client, OAuthError> {
    let basic = basic_credentials(headers)?;
    let posted = form.find("client_secret");
    if basic.is_some() && posted.is_some() {
        return Err(OAuthError::invalid_request(
            "Only one way of client authentication per request",
        ));
    }
    let (method, client_id, secret) = match (&basic, posted) {
        (Some((id, secret)), _) => (
            "client_secret_basic",
            Some(id.as_str()),
            Some(secret.as_str()),
        ),
        (None, Some(secret)) => ("client_secret_post", form.find("client_id"), Some(secret)),
        (None, None) => ("none", form.find("client_id"), None),
    };
    tenant.shared.journal.client_authentication(method);
    let client = client_id
        .and_then(|id| tenant.shared.settings.client(id))
        .ok_or_else(OAuthError::invalid_client)?;
    if form
        .find("client_id")
        .is_some_and(|posted| posted != client.client_id)
    {
        return Err(OAuthError::invalid_request(
            "client_id differs from the Authorization header's",
        ));
    }
    if proven(client, secret) {
        Ok(client)
    } else {
        Err(OAuthError::invalid_client())
    }
}

fn proven(client: &Client, secret: Option<&str>) -> bool {
    match (&client.client_secret, secret) {
        (Some(expected), Some(sent)) => expected.matches(sent),
        (None, None) => true,
        _ => false,
    }
}

fn basic_credentials(headers: &HeaderMap) -> Result<Option<(String, String)>, OAuthError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let credentials = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|pair| {
            let (id, secret) = pair.split_once(':')?;
            // RFC 6749 §2.3.1: both halves are form-urlencoded before they are joined.
            Some((form_decoded(id)?, form_decoded(secret)?))
        });
    credentials.map(Some).ok_or_else(OAuthError::invalid_client)
}

fn form_decoded(text: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("v={text}")).ok()?;
    pairs.into_iter().next().map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(pair: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode(pair));
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        headers
    }

    #[test]
    fn basic_credentials_are_form_decoded() {
        let parsed = basic_credentials(&basic("a%3Ab:s%2Bt+u")).unwrap();
        assert_eq!(parsed, Some(("a:b".to_owned(), "s+t u".to_owned())));
    }

    #[test]
    fn a_header_that_is_no_basic_header_is_refused() {
        assert!(basic_credentials(&basic("without colon")).is_err());
        assert_eq!(basic_credentials(&HeaderMap::new()).unwrap(), None);
    }
}
