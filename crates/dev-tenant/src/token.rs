//! `/oauth/token`: authorization code with PKCE, refresh token with rotation, client credentials.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::client_authentication::authenticate;
use crate::faults::TokenFault;
use crate::keys::merge;
use crate::oauth_error::OAuthError;
use crate::parameters::{Parameters, words};
use crate::refresh::{Family, Use};
use crate::settings::{Client, GrantType, User};
use crate::store::{Code, Grant, digest};
use crate::tenant::DevTenant;
use crate::{authorize, guard, issue};

pub(crate) async fn endpoint(
    State(tenant): State<DevTenant>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let form = match token_form(&headers, &body) {
        Ok(form) => form,
        Err(error) => return error.into_response(),
    };
    let grant_type = form.find("grant_type").unwrap_or_default();
    tenant.shared.journal.token_request(grant_type);
    let fault = tenant.shared.faults.take_token(grant_type);
    if let Some(answer) = early_answer(&fault).await {
        return answer;
    }
    match token_response(&tenant, &headers, &form) {
        Ok(mut answer) => {
            spoil(&mut answer, &fault);
            Json(answer).into_response()
        }
        Err(error) => {
            tenant.shared.journal.token_error(error.code);
            error.into_response()
        }
    }
}

fn token_form(headers: &HeaderMap, body: &str) -> Result<Parameters, OAuthError> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // Auth0 takes JSON as well, and its own examples use it.
    if content_type.starts_with("application/json") {
        let fields: std::collections::BTreeMap<String, String> = serde_json::from_str(body)
            .map_err(|_| OAuthError::invalid_request("The body is no JSON object of strings"))?;
        let encoded = serde_urlencoded::to_string(fields).unwrap_or_default();
        return Parameters::parse(&encoded)
            .map_err(|malformed| OAuthError::invalid_request(malformed.0));
    }
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return Err(OAuthError::invalid_request(
            "Content-Type must be application/x-www-form-urlencoded",
        ));
    }
    Parameters::parse(body).map_err(|malformed| OAuthError::invalid_request(malformed.0))
}

async fn early_answer(fault: &TokenFault) -> Option<Response> {
    if fault.hang {
        std::future::pending::<()>().await;
    }
    if fault.html {
        return Some(guard::html_instead());
    }
    if fault.error.is_none() && fault.status.is_none() {
        return None;
    }
    let status = fault
        .status
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::FORBIDDEN);
    let error = fault.error.as_deref().unwrap_or("server_error");
    let mut answer = (
        status,
        Json(json!({ "error": error, "error_description": "switched on by a fault" })),
    )
        .into_response();
    if let Some(seconds) = fault.retry_after {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Some(answer)
}

fn spoil(answer: &mut Value, fault: &TokenFault) {
    let Some(members) = answer.as_object_mut() else {
        return;
    };
    if fault.omit_id_token {
        members.remove("id_token");
    }
    if fault.omit_refresh_token {
        members.remove("refresh_token");
    }
    if let Some(token_type) = &fault.token_type {
        members.insert("token_type".to_owned(), json!(token_type));
    }
    if let Some(expires_in) = &fault.expires_in {
        members.insert("expires_in".to_owned(), expires_in.clone());
    }
    merge(answer, &fault.body);
}

fn token_response(
    tenant: &DevTenant,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<Value, OAuthError> {
    let client = authenticate(tenant, headers, form)?;
    let grant_type = match form.find("grant_type") {
        Some("authorization_code") => GrantType::AuthorizationCode,
        Some("refresh_token") => GrantType::RefreshToken,
        Some("client_credentials") => GrantType::ClientCredentials,
        Some(other) => {
            let description = format!("Unsupported grant type: {other}");
            return Err(OAuthError::new(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                description,
            ));
        }
        None => {
            return Err(OAuthError::invalid_request(
                "Missing required parameter: grant_type",
            ));
        }
    };
    if !client.allows(grant_type) {
        let name = grant_type.name();
        return Err(OAuthError::unauthorized_client(format!(
            "Grant type '{name}' not allowed for the client."
        )));
    }
    match grant_type {
        GrantType::AuthorizationCode => authorization_code(tenant, client, form),
        GrantType::RefreshToken => refresh_token(tenant, client, form),
        GrantType::ClientCredentials => client_credentials(tenant, client, form),
    }
}

fn authorization_code(
    tenant: &DevTenant,
    client: &Client,
    form: &Parameters,
) -> Result<Value, OAuthError> {
    let code = form
        .find("code")
        .ok_or_else(|| OAuthError::invalid_request("Missing required parameter: code"))?;
    let code = spend_code(tenant, client, form, code)?;
    let user = person(tenant, &code.grant.sub)?;
    let refresh = code
        .grant
        .has_scope("offline_access")
        .then(|| begin_family(tenant, client, &code.grant));
    Ok(person_response(
        tenant,
        client,
        &user,
        &code.grant,
        code.nonce.as_deref(),
        refresh,
    ))
}

/// One use: a second one revokes what the first obtained (RFC 6749 §4.1.2).
fn spend_code(
    tenant: &DevTenant,
    client: &Client,
    form: &Parameters,
    code: &str,
) -> Result<Code, OAuthError> {
    let now = tenant.now();
    let invalid = || OAuthError::invalid_grant("Invalid authorization code");
    let mut store = tenant.shared.store.lock();
    let Some(record) = store.codes.find_mut(&digest(code), now) else {
        return Err(invalid());
    };
    // Another client's attempt must not spend the code of this one.
    if record.grant.client_id != client.client_id {
        return Err(invalid());
    }
    let again = std::mem::replace(&mut record.used, true);
    let record = record.clone();
    if again {
        store.revoke_grant(&record.grant.id);
        return Err(invalid());
    }
    drop(store);
    if now >= record.expires_at {
        return Err(OAuthError::invalid_grant(
            "The authorization code has expired",
        ));
    }
    if form.find("redirect_uri") != Some(record.redirect_uri.as_str()) {
        return Err(OAuthError::invalid_grant(
            "The redirect URI is wrong. You sent one that differs from the authorization request's",
        ));
    }
    verify_challenge(record.challenge.as_deref(), form.find("code_verifier"))?;
    Ok(record)
}

fn verify_challenge(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), OAuthError> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        // RFC 9700 §4.8.2: a verifier without a challenge is a PKCE downgrade.
        (None, Some(_)) => Err(OAuthError::invalid_grant(
            "code_verifier was sent, but the authorization request had no code_challenge",
        )),
        (Some(_), None) => Err(OAuthError::invalid_grant("Missing code_verifier")),
        (Some(challenge), Some(verifier)) => {
            let computed = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
            let well_formed = (43..=128).contains(&verifier.len());
            if well_formed && bool::from(computed.as_bytes().ct_eq(challenge.as_bytes())) {
                Ok(())
            } else {
                Err(OAuthError::invalid_grant("Failed to verify code verifier"))
            }
        }
    }
}

fn begin_family(tenant: &DevTenant, client: &Client, grant: &Grant) -> String {
    let now = tenant.now();
    let policy = &client.refresh_tokens;
    let token = tenant.random();
    let family = Family::begin(grant.clone(), &token, policy, now);
    let expires_at = now + policy.absolute_seconds;
    tenant
        .shared
        .store
        .lock()
        .families
        .insert(grant.id.clone(), family, expires_at, now);
    token
}

fn refresh_token(
    tenant: &DevTenant,
    client: &Client,
    form: &Parameters,
) -> Result<Value, OAuthError> {
    let token = form
        .find("refresh_token")
        .ok_or_else(|| OAuthError::invalid_request("Missing required parameter: refresh_token"))?;
    let family = family_of(tenant, client, token)?;
    let user = person(tenant, &family.sub)?;
    // Before the rotation: a request that asks too much must not spend the token.
    let grant = refreshed_grant(tenant, client, &user, family, form)?;
    let successor = rotate(tenant, client, token)?;
    Ok(person_response(
        tenant,
        client,
        &user,
        &grant,
        None,
        Some(successor),
    ))
}

/// What this refresh is for: the login's grant, or less, or another allowed API.
fn refreshed_grant(
    tenant: &DevTenant,
    client: &Client,
    user: &User,
    mut grant: Grant,
    form: &Parameters,
) -> Result<Grant, OAuthError> {
    let settings = &tenant.shared.settings;
    let requested = form.find("scope").map(|scope| words(Some(scope)));
    let other_audience = form
        .owned("audience")
        .filter(|audience| grant.audience.as_ref() != Some(audience));
    if let Some(audience) = other_audience {
        let allowed = &client.refresh_tokens.extra_audiences;
        if !allowed.contains(&audience) || settings.api(&audience).is_none() {
            return Err(OAuthError::invalid_request(format!(
                "This application may not refresh for the audience {audience}"
            )));
        }
        grant.audience = Some(audience);
        grant.scopes.extend(requested.clone().unwrap_or_default());
    }
    // Permissions may have been taken away since the login.
    let audience = grant.audience.as_deref();
    let still = authorize::granted_scopes(settings, client, user, &grant.scopes, audience);
    grant.scopes = match requested {
        Some(requested) => narrowed(&still, &requested)?,
        None => still,
    };
    Ok(grant)
}

/// RFC 6749 §6: a refresh may ask for less, never for more.
fn narrowed(granted: &[String], requested: &[String]) -> Result<Vec<String>, OAuthError> {
    match requested.iter().find(|scope| !granted.contains(scope)) {
        Some(scope) => Err(OAuthError::new(
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            format!("Scope {scope} was not granted"),
        )),
        None => Ok(requested.to_vec()),
    }
}

fn unknown_refresh_token() -> OAuthError {
    OAuthError::invalid_grant("Unknown or invalid refresh token.")
}

/// The grant behind a refresh token of this client, spent or not.
fn family_of(tenant: &DevTenant, client: &Client, token: &str) -> Result<Grant, OAuthError> {
    let now = tenant.now();
    let mut store = tenant.shared.store.lock();
    let family = store.families.search(now, |family| family.knows(token));
    family
        .filter(|(_, family)| family.grant.client_id == client.client_id)
        .map(|(_, family)| family.grant.clone())
        .ok_or_else(unknown_refresh_token)
}

fn rotate(tenant: &DevTenant, client: &Client, token: &str) -> Result<String, OAuthError> {
    let now = tenant.now();
    let successor = tenant.random();
    let mut store = tenant.shared.store.lock();
    let (grant_id, family) = store
        .families
        .search(now, |family| family.knows(token))
        .ok_or_else(unknown_refresh_token)?;
    match family.use_token(token, successor, &client.refresh_tokens, now) {
        Use::Rotated(successor) => Ok(successor),
        Use::Idle => Err(unknown_refresh_token()),
        Use::Reused => {
            tracing::warn!(client_id = %client.client_id, "refresh token reuse: the family is revoked");
            store.revoke_grant(&grant_id);
            Err(unknown_refresh_token())
        }
    }
}

fn client_credentials(
    tenant: &DevTenant,
    client: &Client,
    form: &Parameters,
) -> Result<Value, OAuthError> {
    let settings = &tenant.shared.settings;
    let audience = form
        .find("audience")
        .or(settings.default_audience.as_deref())
        .ok_or_else(|| OAuthError::invalid_request("Missing required parameter: audience"))?;
    let api = settings.api(audience).ok_or_else(|| {
        OAuthError::new(
            StatusCode::FORBIDDEN,
            "access_denied",
            format!("Service not enabled within domain: {audience}"),
        )
    })?;
    let allowed = client.client_grants.get(audience).ok_or_else(|| {
        OAuthError::new(
            StatusCode::FORBIDDEN,
            "access_denied",
            format!("Client is not authorized to access \"{audience}\". You need to create a \"client-grant\" associated to this API."),
        )
    })?;
    let requested = words(form.find("scope"));
    let scopes = if requested.is_empty() {
        allowed.clone()
    } else {
        narrowed_machine(allowed, requested)?
    };
    let issued = issue::machine_token(tenant, client, api, &scopes);
    Ok(json!({
        "access_token": issued.value, "expires_in": issued.expires_in, "token_type": "Bearer",
        "scope": scopes.join(" "),
    }))
}

fn narrowed_machine(allowed: &[String], requested: Vec<String>) -> Result<Vec<String>, OAuthError> {
    match requested.iter().find(|scope| !allowed.contains(scope)) {
        Some(scope) => Err(OAuthError::new(
            StatusCode::FORBIDDEN,
            "access_denied",
            format!("Client has not been granted scopes: {scope}"),
        )),
        None => Ok(requested),
    }
}

fn person(tenant: &DevTenant, sub: &str) -> Result<User, OAuthError> {
    tenant
        .user(|user| user.sub == sub && !user.blocked)
        .ok_or_else(|| OAuthError::invalid_grant("user is blocked"))
}

fn person_response(
    tenant: &DevTenant,
    client: &Client,
    user: &User,
    grant: &Grant,
    nonce: Option<&str>,
    refresh_token: Option<String>,
) -> Value {
    let issued = issue::access_token(tenant, client, user, grant);
    let mut answer = json!({
        "access_token": issued.value, "expires_in": issued.expires_in, "token_type": "Bearer",
        "scope": grant.scopes.join(" "),
    });
    if grant.has_scope("openid") {
        answer["id_token"] = json!(issue::id_token(
            tenant,
            client,
            user,
            grant,
            nonce,
            &issued.value
        ));
    }
    if let Some(refresh_token) = refresh_token {
        answer["refresh_token"] = json!(refresh_token);
    }
    answer
}
