//! The login page, its form, and the session cookie.

use std::collections::BTreeSet;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cookie::{Cookie, SameSite};

use crate::authorization_request::{AuthorizationRequest, Prompt, Refusal};
use crate::authorize;
use crate::pages::{self, ErrorPage, LoginPage};
use crate::parameters::Parameters;
use crate::settings::User;
use crate::store::{Session, digest};
use crate::tenant::DevTenant;

/// Cookies ignore ports: the name must not meet another program's on localhost.
const COOKIE: &str = "dev-tenant-session";

/// A live session, with its person and its place in the store.
pub(crate) struct CurrentSession {
    pub(crate) key: String,
    pub(crate) session: Session,
    pub(crate) user: User,
}

pub(crate) fn current_session(tenant: &DevTenant, headers: &HeaderMap) -> Option<CurrentSession> {
    let now = tenant.now();
    cookie_values(headers).find_map(|value| {
        let key = digest(&value);
        let session = tenant
            .shared
            .store
            .lock()
            .sessions
            .find(&key, now)
            .cloned()?;
        let user = tenant.user(|user| user.sub == session.sub && !user.blocked)?;
        Some(CurrentSession { key, session, user })
    })
}

/// `GET /login?state=…`; `user=…` fills the form.
pub(crate) async fn page(
    State(tenant): State<DevTenant>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = Parameters::parse(&query.unwrap_or_default()).unwrap_or_default();
    let id = parameters.find("state").unwrap_or_default();
    match transaction(&tenant, id) {
        Some(request) => {
            let chosen = parameters.find("user");
            let hint = request.login_hint.clone();
            let current = current_session(&tenant, &headers);
            render(
                &tenant,
                id,
                &request,
                current.as_ref(),
                chosen,
                hint.as_deref(),
                None,
            )
        }
        None => lapsed().into_response(),
    }
}

/// `POST /login`.
pub(crate) async fn submit(
    State(tenant): State<DevTenant>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if !own_origin(&tenant, &headers) {
        return ErrorPage::new(StatusCode::FORBIDDEN, "Sign-in from another site refused")
            .detail("The login form was sent from a page that is not this tenant's.")
            .into_response();
    }
    let Ok(form) = Parameters::parse(&body) else {
        return ErrorPage::new(StatusCode::BAD_REQUEST, "Malformed login form").into_response();
    };
    let id = form.find("state").unwrap_or_default();
    let Some(request) = transaction(&tenant, id) else {
        return lapsed().into_response();
    };
    match form.find("action") {
        Some("decline") => {
            end_transaction(&tenant, id);
            let refusal = Refusal::new("access_denied", "User did not authorize the request");
            authorize::refuse(&tenant, &request.reply_to, &refusal)
        }
        Some("continue") => continue_session(&tenant, &headers, id, &request),
        _ => password(&tenant, &headers, id, &request, &form),
    }
}

fn continue_session(
    tenant: &DevTenant,
    headers: &HeaderMap,
    id: &str,
    request: &AuthorizationRequest,
) -> Response {
    let current = current_session(tenant, headers);
    match current.filter(|current| authorize::fresh_enough(tenant, request, current)) {
        Some(current) => {
            end_transaction(tenant, id);
            authorize::grant(tenant, request, &current)
        }
        None => render(
            tenant,
            id,
            request,
            None,
            None,
            None,
            Some("Please enter your password."),
        ),
    }
}

fn password(
    tenant: &DevTenant,
    headers: &HeaderMap,
    id: &str,
    request: &AuthorizationRequest,
    form: &Parameters,
) -> Response {
    let username = form.find("username").unwrap_or_default().trim();
    let password = form.find("password").unwrap_or_default();
    let named =
        tenant.user(|user| user.username == username || user.email.eq_ignore_ascii_case(username));
    let previous = current_session(tenant, headers);
    let message = match named.filter(|user| user.password.matches(password)) {
        Some(user) if !user.blocked => {
            end_transaction(tenant, id);
            let (current, cookie) = begin_session(tenant, user, previous);
            let mut response = authorize::grant(tenant, request, &current);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            return response;
        }
        Some(_) => "This user is blocked.",
        None => "Wrong username or password.",
    };
    let mut response = render(
        tenant,
        id,
        request,
        previous.as_ref(),
        None,
        Some(username),
        Some(message),
    );
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// A new cookie for every password entered (session fixation); the same person keeps `sid`,
/// so that a later logout still ends what this browser signed in to.
fn begin_session(
    tenant: &DevTenant,
    user: User,
    previous: Option<CurrentSession>,
) -> (CurrentSession, HeaderValue) {
    let now = tenant.now();
    let lifetime = tenant.shared.settings.session_seconds;
    let secret = tenant.random();
    let key = digest(&secret);
    let mut store = tenant.shared.store.lock();
    let kept = previous.and_then(|previous| {
        let session = store.sessions.take(&previous.key, now)?;
        (session.sub == user.sub).then_some((session.sid, session.clients))
    });
    let (sid, clients) = kept.unwrap_or_else(|| (tenant.random(), BTreeSet::new()));
    let session = Session {
        sid,
        sub: user.sub.clone(),
        auth_time: now,
        clients,
    };
    store
        .sessions
        .insert(key.clone(), session.clone(), now + lifetime, now);
    drop(store);
    (
        CurrentSession { key, session, user },
        set_cookie(tenant, &secret, lifetime),
    )
}

fn render(
    tenant: &DevTenant,
    id: &str,
    request: &AuthorizationRequest,
    current: Option<&CurrentSession>,
    chosen: Option<&str>,
    username: Option<&str>,
    error: Option<&str>,
) -> Response {
    let users = tenant.users();
    let offered = current.filter(|current| {
        request.prompt == Prompt::SelectAccount && authorize::fresh_enough(tenant, request, current)
    });
    let page = LoginPage {
        transaction: id,
        request,
        users: &users,
        chosen: chosen.and_then(|chosen| users.iter().find(|user| user.username == chosen)),
        username,
        signed_in: offered.map(|current| &current.user),
        error,
    };
    pages::page(&page.render())
}

/// Login CSRF: another site must not sign this browser in as its own user. Programs
/// without a browser send neither header.
pub(crate) fn own_origin(tenant: &DevTenant, headers: &HeaderMap) -> bool {
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok());
    let fetch_site = headers
        .get("sec-fetch-site")
        .and_then(|site| site.to_str().ok());
    let own = tenant.issuer();
    let own = url::Url::parse(own)
        .map_or_else(|_| own.to_owned(), |url| url.origin().ascii_serialization());
    origin.is_none_or(|origin| origin == own) && fetch_site.is_none_or(|site| site == "same-origin")
}

fn transaction(tenant: &DevTenant, id: &str) -> Option<AuthorizationRequest> {
    let now = tenant.now();
    tenant
        .shared
        .store
        .lock()
        .transactions
        .find(&digest(id), now)
        .cloned()
}

fn end_transaction(tenant: &DevTenant, id: &str) {
    let now = tenant.now();
    tenant
        .shared
        .store
        .lock()
        .transactions
        .take(&digest(id), now);
}

fn lapsed() -> ErrorPage {
    ErrorPage::new(StatusCode::BAD_REQUEST, "This sign-in is over")
        .detail("It was already used, or it was left open for too long.")
        .hint("Go back to the application and sign in again.")
}

pub(crate) fn clear_cookie(tenant: &DevTenant) -> HeaderValue {
    set_cookie(tenant, "", 0)
}

fn set_cookie(tenant: &DevTenant, value: &str, seconds: i64) -> HeaderValue {
    let cookie = Cookie::build((COOKIE, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(tenant.issuer().starts_with("https://"))
        .max_age(cookie::time::Duration::seconds(seconds))
        .build();
    HeaderValue::from_str(&cookie.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn cookie_values(headers: &HeaderMap) -> impl Iterator<Item = String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .filter(|cookie| cookie.name() == COOKIE)
        .map(|cookie| cookie.value().to_owned())
}
