//! What holds for every answer: whose it is, journal, delays and outages by fault, security headers, CORS.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::faults::{EndpointFault, FaultPlan};
use crate::hosts;
use crate::tenant::DevTenant;

/// No `form-action`: Chromium applies it to every redirect after the login form, and those
/// lead to the applications.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

pub(crate) async fn guard(
    State(tenant): State<DevTenant>,
    request: Request,
    next: Next,
) -> Response {
    if !hosts::is_for(&tenant, &request) {
        let mut refusal = hosts::misdirected();
        secure(refusal.headers_mut());
        return refusal;
    }
    let endpoint = endpoint(request.uri().path());
    if endpoint == "dev" {
        return next.run(request).await;
    }
    tenant.shared.journal.request(endpoint);
    let plan = tenant.shared.faults.plan();
    if let Some(delay) = plan.slow_ms.get(endpoint).or_else(|| plan.slow_ms.get("*")) {
        tokio::time::sleep(Duration::from_millis(*delay)).await;
    }
    let mut response = if plan.down {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "The dev tenant is switched to be down.\n",
        )
            .into_response()
    } else {
        next.run(request).await
    };
    secure(response.headers_mut());
    sever_opener(&plan, endpoint, response.headers_mut());
    response
}

fn secure(headers: &mut HeaderMap) {
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    // `no-referrer` would make the login form's `Origin` null, which the login refuses.
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    );
}

/// Real providers do this; it takes the popup's `opener` away for good.
fn sever_opener(plan: &FaultPlan, endpoint: &str, headers: &mut HeaderMap) {
    let navigated = if plan.pages.coop_one_hop {
        endpoint == "authorize"
    } else {
        matches!(endpoint, "authorize" | "login" | "logout")
    };
    let value = plan
        .pages
        .coop
        .as_deref()
        .and_then(|value| HeaderValue::from_str(value).ok());
    if let (true, Some(value)) = (navigated, value) {
        headers.insert(HeaderName::from_static("cross-origin-opener-policy"), value);
    }
}

fn endpoint(path: &str) -> &'static str {
    match path {
        "/.well-known/openid-configuration" => "discovery",
        "/.well-known/jwks.json" => "jwks",
        "/authorize" => "authorize",
        "/login" => "login",
        "/oauth/token" => "token",
        "/oauth/revoke" => "revoke",
        "/userinfo" => "userinfo",
        "/oidc/logout" | "/v2/logout" => "logout",
        path if path.starts_with("/dev/") => "dev",
        _ => "other",
    }
}

/// The parts of a fault that replace an answer altogether.
pub(crate) async fn early_answer(fault: &EndpointFault) -> Option<Response> {
    if fault.hang {
        std::future::pending::<()>().await;
    }
    if let Some(status) = fault.status {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return Some((status, axum::Json(serde_json::json!({ "error": "fault" }))).into_response());
    }
    if fault.html {
        return Some(html_instead());
    }
    let truncated = (
        [(header::CONTENT_TYPE, "application/json")],
        "{\"issuer\": \"http",
    );
    fault.malformed.then(|| truncated.into_response())
}

/// What a captive portal or a broken proxy answers.
pub(crate) fn html_instead() -> Response {
    axum::response::Html("<!doctype html><title>Maintenance</title><h1>Be right back</h1>")
        .into_response()
}

/// Key set and metadata are public.
pub(crate) fn any_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET])
}

/// Only origins that some application registered, compared exactly.
pub(crate) fn registered_origins(tenant: &DevTenant) -> CorsLayer {
    let settings = &tenant.shared.settings;
    let origins: Vec<HeaderValue> = settings
        .clients
        .iter()
        .flat_map(|client| client.cors_origins.iter().chain(&client.web_origins))
        .filter_map(|origin| HeaderValue::from_str(origin).ok())
        .collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
}
