//! Authorization requests: which mistakes a person must see, and which may be sent back.
//!
//! Nothing is ever sent to a redirect URI that is not registered exactly (RFC 9700 §4.1):
//! until client and redirect URI are known good, a mistake is a page.

use axum::http::StatusCode;

use crate::pages::ErrorPage;
use crate::parameters::{Parameters, words};
use crate::settings::{Client, GrantType, Settings};

/// How the response travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    Query,
    FormPost,
}

/// Where the response goes; only made for registered redirect URIs.
#[derive(Debug, Clone)]
pub(crate) struct ReplyTo {
    pub(crate) redirect_uri: String,
    pub(crate) mode: ResponseMode,
    pub(crate) state: Option<String>,
}

/// What the relying party wants the person to do (OpenID Connect Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompt {
    Unspecified,
    None,
    Login,
    SelectAccount,
}

/// A request that may be answered.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) client_name: String,
    pub(crate) reply_to: ReplyTo,
    pub(crate) scopes: Vec<String>,
    pub(crate) audience: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) prompt: Prompt,
    pub(crate) max_age: Option<i64>,
    pub(crate) login_hint: Option<String>,
    pub(crate) sign_up: bool,
    /// Subject of the `id_token_hint`, when we signed it.
    pub(crate) expected_sub: Option<String>,
}

/// An error for the redirect URI.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) error: String,
    pub(crate) description: String,
}

impl Refusal {
    pub(crate) fn new(error: &str, description: impl Into<String>) -> Self {
        Self {
            error: error.to_owned(),
            description: description.into(),
        }
    }
}

/// First stage: whom to answer. Every mistake here is a page.
pub(crate) fn reply_to<'s>(
    settings: &'s Settings,
    parameters: &Parameters,
) -> Result<(&'s Client, ReplyTo), ErrorPage> {
    let client = client(settings, parameters)?;
    let redirect_uri = required(parameters, "redirect_uri")?;
    let mut callbacks = client.callbacks.iter();
    if !callbacks.any(|allowed| allowed == redirect_uri) {
        return Err(callback_mismatch(client, redirect_uri));
    }
    let mode = match parameters.find("response_mode") {
        None | Some("query") => ResponseMode::Query,
        Some("form_post") => ResponseMode::FormPost,
        Some(other) => {
            let page = ErrorPage::new(StatusCode::BAD_REQUEST, "Unsupported response_mode");
            return Err(page.detail(format!("“{other}” is not one of query, form_post.")));
        }
    };
    let reply_to = ReplyTo {
        redirect_uri: redirect_uri.to_owned(),
        mode,
        state: parameters.owned("state"),
    };
    Ok((client, reply_to))
}

fn client<'s>(settings: &'s Settings, parameters: &Parameters) -> Result<&'s Client, ErrorPage> {
    let client_id = required(parameters, "client_id")?;
    settings.client(client_id).ok_or_else(|| {
        ErrorPage::new(StatusCode::BAD_REQUEST, "Unknown client")
            .detail(format!("No application has the client_id “{client_id}”."))
            .hint("Compare AUTH0_CLIENT_ID with the applications on the tenant's start page.")
    })
}

fn required<'p>(parameters: &'p Parameters, name: &str) -> Result<&'p str, ErrorPage> {
    parameters.find(name).ok_or_else(|| {
        let title = format!("Missing required parameter: {name}");
        ErrorPage::new(StatusCode::BAD_REQUEST, &title)
    })
}

fn callback_mismatch(client: &Client, redirect_uri: &str) -> ErrorPage {
    ErrorPage::new(StatusCode::FORBIDDEN, "Callback URL mismatch")
        .detail(format!(
            "The redirect_uri “{redirect_uri}” is not in the list of allowed callback URLs of {}.",
            client.name
        ))
        .hint("URLs are compared exactly: scheme, host (localhost is not 127.0.0.1), port, path, trailing slash.")
        .hint("Add it to “callbacks” of the application, or its base URL to “allowed_base_urls”, in the tenant's settings.")
        .list("Allowed callback URLs", &client.callbacks)
}

/// Second stage: what is asked. Every mistake here goes to the redirect URI.
pub(crate) fn parse(
    settings: &Settings,
    client: &Client,
    reply_to: ReplyTo,
    parameters: &Parameters,
) -> Result<AuthorizationRequest, Refusal> {
    supported(parameters)?;
    if !client.allows(GrantType::AuthorizationCode) {
        return Err(Refusal::new(
            "unauthorized_client",
            "Grant type 'authorization_code' not allowed for the client.",
        ));
    }
    Ok(AuthorizationRequest {
        client_id: client.client_id.clone(),
        client_name: client.name.clone(),
        reply_to,
        scopes: words(parameters.find("scope")),
        audience: audience(settings, parameters)?,
        nonce: parameters.owned("nonce"),
        challenge: challenge(client, parameters)?,
        prompt: prompt(parameters)?,
        max_age: max_age(parameters)?,
        login_hint: parameters.owned("login_hint"),
        sign_up: parameters.find("screen_hint") == Some("signup"),
        expected_sub: None,
    })
}

/// Only the code flow, and no request objects.
fn supported(parameters: &Parameters) -> Result<(), Refusal> {
    if let Some(name) = ["request", "request_uri"]
        .into_iter()
        .find(|name| parameters.find(name).is_some())
    {
        return Err(Refusal::new(
            &format!("{name}_not_supported"),
            format!("{name} is not supported"),
        ));
    }
    match parameters.find("response_type") {
        Some("code") => Ok(()),
        None => Err(Refusal::new(
            "invalid_request",
            "Missing required parameter: response_type",
        )),
        Some(other) => Err(Refusal::new(
            "unsupported_response_type",
            format!("Unsupported response type: {other}"),
        )),
    }
}

fn audience(settings: &Settings, parameters: &Parameters) -> Result<Option<String>, Refusal> {
    let audience = parameters
        .owned("audience")
        .or_else(|| settings.default_audience.clone());
    // Auth0 accepts its own userinfo address as audience: an opaque token then.
    let audience = audience.filter(|audience| *audience != settings.url("userinfo"));
    match audience {
        Some(audience) if settings.api(&audience).is_none() => Err(Refusal::new(
            "access_denied",
            format!("Service not found: {audience}"),
        )),
        audience => Ok(audience),
    }
}

fn challenge(client: &Client, parameters: &Parameters) -> Result<Option<String>, Refusal> {
    let Some(challenge) = parameters.find("code_challenge") else {
        if parameters.find("code_challenge_method").is_some() {
            return Err(Refusal::new(
                "invalid_request",
                "Missing required parameter: code_challenge",
            ));
        }
        if client.must_use_pkce() {
            return Err(Refusal::new(
                "invalid_request",
                "PKCE is required for this application: code_challenge is missing",
            ));
        }
        return Ok(None);
    };
    // RFC 7636 §4.3: absent means `plain`, which protects nobody and is refused.
    if parameters.find("code_challenge_method") != Some("S256") {
        return Err(Refusal::new(
            "invalid_request",
            "code_challenge_method must be S256",
        ));
    }
    let well_formed = challenge.len() == 43
        && challenge
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !well_formed {
        return Err(Refusal::new(
            "invalid_request",
            "code_challenge must be BASE64URL(SHA-256(code_verifier))",
        ));
    }
    Ok(Some(challenge.to_owned()))
}

fn prompt(parameters: &Parameters) -> Result<Prompt, Refusal> {
    let prompts = words(parameters.find("prompt"));
    let mut wanted = Prompt::Unspecified;
    for prompt in &prompts {
        match prompt.as_str() {
            "none" if prompts.len() > 1 => {
                return Err(Refusal::new(
                    "invalid_request",
                    "prompt=none must stand alone",
                ));
            }
            "none" => wanted = Prompt::None,
            "login" => wanted = Prompt::Login,
            "select_account" if wanted != Prompt::Login => wanted = Prompt::SelectAccount,
            // Consent is implicit in a development tenant.
            "select_account" | "consent" => {}
            other => {
                return Err(Refusal::new(
                    "invalid_request",
                    format!("Unsupported prompt: {other}"),
                ));
            }
        }
    }
    Ok(wanted)
}

fn max_age(parameters: &Parameters) -> Result<Option<i64>, Refusal> {
    parameters
        .find("max_age")
        .map(|text| match text.parse::<u32>() {
            Ok(seconds) => Ok(i64::from(seconds)),
            Err(_) => Err(Refusal::new(
                "invalid_request",
                "max_age must be a whole number of seconds",
            )),
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::APP_CLIENT_ID;

    const CALLBACK: &str = "http://localhost:3001/api/auth/callback";

    fn parsed(query: &str) -> Result<AuthorizationRequest, Refusal> {
        let settings = Settings::default();
        let parameters = Parameters::parse(&format!(
            "client_id={APP_CLIENT_ID}&redirect_uri={CALLBACK}&{query}"
        ))
        .unwrap();
        let (client, to) = reply_to(&settings, &parameters).unwrap();
        parse(&settings, client, to, &parameters)
    }

    #[test]
    fn a_redirect_uri_must_be_registered_exactly() {
        let settings = Settings::default();
        for wrong in [
            "http://localhost:3001/api/auth/callback/",
            "http://localhost:3001/api/auth/callback?x=1",
            "http://127.0.0.1:3001/api/auth/callback",
            "https://localhost:3001/api/auth/callback",
            "http://localhost:3001/api/auth/../auth/callback",
            "http://LOCALHOST:3001/api/auth/callback",
        ] {
            let query = serde_urlencoded::to_string([
                ("client_id", APP_CLIENT_ID),
                ("redirect_uri", wrong),
            ])
            .unwrap();
            let parameters = Parameters::parse(&query).unwrap();
            assert!(
                reply_to(&settings, &parameters).is_err(),
                "{wrong} was accepted"
            );
        }
    }

    #[test]
    fn mistakes_after_the_redirect_uri_are_named() {
        let challenge = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        for (query, error) in [
            (String::new(), "invalid_request"),
            (
                "response_type=token".to_owned(),
                "unsupported_response_type",
            ),
            (
                "response_type=code&audience=http://nowhere".to_owned(),
                "access_denied",
            ),
            (
                "response_type=code&prompt=none+login".to_owned(),
                "invalid_request",
            ),
            (
                "response_type=code&max_age=soon".to_owned(),
                "invalid_request",
            ),
            (
                "response_type=code&request=x".to_owned(),
                "request_not_supported",
            ),
            (format!("response_type=code&{challenge}"), "invalid_request"),
            (
                format!("response_type=code&{challenge}&code_challenge_method=plain"),
                "invalid_request",
            ),
            (
                "response_type=code&code_challenge=short&code_challenge_method=S256".to_owned(),
                "invalid_request",
            ),
        ] {
            assert_eq!(parsed(&query).unwrap_err().error, error, "{query}");
        }
        assert!(
            parsed(&format!(
                "response_type=code&{challenge}&code_challenge_method=S256"
            ))
            .is_ok()
        );
    }

    #[test]
    fn prompt_login_is_stronger_than_select_account() {
        for order in ["login+select_account", "select_account+login"] {
            let request = parsed(&format!("response_type=code&prompt={order}")).unwrap();
            assert_eq!(request.prompt, Prompt::Login);
        }
    }
}
