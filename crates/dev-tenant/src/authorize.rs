//! `/authorize`: decides between the login page, an answer from the session, and a refusal.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use url::Url;

use crate::authorization_request::{
    self as requests, AuthorizationRequest, Prompt, Refusal, ReplyTo, ResponseMode,
};
use crate::login::{self, CurrentSession};
use crate::pages::{self, ErrorPage};
use crate::parameters::Parameters;
use crate::settings::{Client, GrantType, Settings, User};
use crate::store::{CODE_MEMORY_SECONDS, Code, Grant, digest};
use crate::tenant::DevTenant;

const IDENTITY_SCOPES: [&str; 5] = ["openid", "profile", "email", "address", "phone"];

pub(crate) async fn get(
    State(tenant): State<DevTenant>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    authorize(&tenant, &headers, &query.unwrap_or_default())
}

/// OpenID Connect Core §3.1.2.1: POST must work too.
pub(crate) async fn post(
    State(tenant): State<DevTenant>,
    headers: HeaderMap,
    body: String,
) -> Response {
    authorize(&tenant, &headers, &body)
}

fn authorize(tenant: &DevTenant, headers: &HeaderMap, encoded: &str) -> Response {
    let settings = &tenant.shared.settings;
    let parameters = match Parameters::parse(encoded) {
        Ok(parameters) => parameters,
        Err(malformed) => {
            return ErrorPage::new(StatusCode::BAD_REQUEST, "Malformed authorization request")
                .detail(malformed.0)
                .into_response();
        }
    };
    tenant
        .shared
        .journal
        .authorization_request(parameters.all());
    let (client, reply_to) = match requests::reply_to(settings, &parameters) {
        Ok(parts) => parts,
        Err(page) => return page.into_response(),
    };
    if let Some(refusal) = ordered_refusal(tenant) {
        return refuse(tenant, &reply_to, &refusal);
    }
    match requests::parse(settings, client, reply_to.clone(), &parameters) {
        Ok(mut request) => {
            request.expected_sub = hinted_subject(tenant, &parameters);
            decide(tenant, headers, request)
        }
        Err(refusal) => refuse(tenant, &reply_to, &refusal),
    }
}

fn ordered_refusal(tenant: &DevTenant) -> Option<Refusal> {
    let fault = &tenant.shared.faults.plan().authorize;
    let description = fault
        .error_description
        .as_deref()
        .unwrap_or("switched on by a fault");
    fault
        .error
        .as_deref()
        .map(|error| Refusal::new(error, description))
}

fn hinted_subject(tenant: &DevTenant, parameters: &Parameters) -> Option<String> {
    let claims = tenant
        .shared
        .keys
        .verify(parameters.find("id_token_hint")?)?;
    claims["sub"].as_str().map(str::to_owned)
}

fn decide(tenant: &DevTenant, headers: &HeaderMap, request: AuthorizationRequest) -> Response {
    let session = login::current_session(tenant, headers)
        .filter(|current| fresh_enough(tenant, &request, current));
    match (session, request.prompt) {
        (Some(session), Prompt::Unspecified | Prompt::None) => grant(tenant, &request, &session),
        (None, Prompt::None) => {
            let refusal = Refusal::new("login_required", "Login required");
            refuse(tenant, &request.reply_to, &refusal)
        }
        _ => {
            let transaction = tenant.random();
            let now = tenant.now();
            tenant
                .shared
                .store
                .lock()
                .begin_transaction(&transaction, request, now);
            Redirect::to(&format!("/login?state={transaction}")).into_response()
        }
    }
}

/// Whether the session answers the request without a new password.
pub(crate) fn fresh_enough(
    tenant: &DevTenant,
    request: &AuthorizationRequest,
    current: &CurrentSession,
) -> bool {
    let age = tenant.now() - current.session.auth_time;
    let young = request
        .max_age
        .is_none_or(|max_age| age <= max_age && max_age > 0);
    let expected = request
        .expected_sub
        .as_ref()
        .is_none_or(|sub| *sub == current.session.sub);
    young && expected && request.prompt != Prompt::Login
}

/// Answers with a code for the person of the session.
pub(crate) fn grant(
    tenant: &DevTenant,
    request: &AuthorizationRequest,
    current: &CurrentSession,
) -> Response {
    let settings = &tenant.shared.settings;
    let Some(client) = settings.client(&request.client_id) else {
        return ErrorPage::new(StatusCode::BAD_REQUEST, "Unknown client").into_response();
    };
    let code = tenant.random();
    let record = Code {
        grant: new_grant(tenant, client, request, current),
        redirect_uri: request.reply_to.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        nonce: request.nonce.clone(),
        expires_at: tenant.now() + settings.code_seconds,
        used: false,
    };
    remember(tenant, &code, record, current);
    respond(tenant, &request.reply_to, vec![("code", code)])
}

fn new_grant(
    tenant: &DevTenant,
    client: &Client,
    request: &AuthorizationRequest,
    current: &CurrentSession,
) -> Grant {
    let settings = &tenant.shared.settings;
    let audience = request.audience.as_deref();
    Grant {
        id: tenant.random(),
        client_id: client.client_id.clone(),
        sub: current.user.sub.clone(),
        scopes: granted_scopes(settings, client, &current.user, &request.scopes, audience),
        audience: request.audience.clone(),
        auth_time: current.session.auth_time,
        sid: current.session.sid.clone(),
    }
}

fn remember(tenant: &DevTenant, code: &str, record: Code, current: &CurrentSession) {
    let now = tenant.now();
    let mut store = tenant.shared.store.lock();
    if let Some(session) = store.sessions.find_mut(&current.key, now) {
        session.clients.insert(record.grant.client_id.clone());
    }
    let forgotten_at = record.expires_at + CODE_MEMORY_SECONDS;
    store.codes.insert(digest(code), record, forgotten_at, now);
}

/// Requested scopes that the person, the application and the API allow.
pub(crate) fn granted_scopes(
    settings: &Settings,
    client: &Client,
    user: &User,
    requested: &[String],
    audience: Option<&str>,
) -> Vec<String> {
    let api = audience.and_then(|audience| settings.api(audience));
    let allowed = |scope: &String| match scope.as_str() {
        "offline_access" => {
            client.allows(GrantType::RefreshToken) && api.is_none_or(|api| api.allow_offline_access)
        }
        scope if IDENTITY_SCOPES.contains(&scope) => true,
        scope => api.is_some_and(|api| {
            api.knows(scope)
                && (!api.rbac
                    || user
                        .permissions_on(&api.identifier)
                        .iter()
                        .any(|held| held == scope))
        }),
    };
    requested
        .iter()
        .filter(|scope| allowed(scope))
        .cloned()
        .collect()
}

/// Answers with an error.
pub(crate) fn refuse(tenant: &DevTenant, reply_to: &ReplyTo, refusal: &Refusal) -> Response {
    let parameters = vec![
        ("error", refusal.error.clone()),
        ("error_description", refusal.description.clone()),
    ];
    respond(tenant, reply_to, parameters)
}

fn respond(
    tenant: &DevTenant,
    reply_to: &ReplyTo,
    mut parameters: Vec<(&'static str, String)>,
) -> Response {
    let fault = tenant.shared.faults.take(|plan| &mut plan.authorize);
    let state = fault
        .wrong_state
        .or_else(|| reply_to.state.clone())
        .filter(|_| !fault.omit_state);
    parameters.extend(state.map(|state| ("state", state)));
    if !fault.omit_iss {
        // RFC 9207: stops mix-up of two providers.
        parameters.push((
            "iss",
            fault
                .wrong_iss
                .unwrap_or_else(|| tenant.issuer().to_owned()),
        ));
    }
    match reply_to.mode {
        ResponseMode::FormPost => {
            pages::page(&pages::form_post(&reply_to.redirect_uri, &parameters))
        }
        ResponseMode::Query => match Url::parse(&reply_to.redirect_uri) {
            Ok(mut url) => {
                url.query_pairs_mut().extend_pairs(&parameters);
                Redirect::to(url.as_str()).into_response()
            }
            Err(_) => ErrorPage::new(StatusCode::BAD_REQUEST, "The registered callback is no URL")
                .into_response(),
        },
    }
}
