//! `/userinfo` (OpenID Connect Core §5.3).

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::guard::early_answer;
use crate::issue::person_claims;
use crate::keys::merge;
use crate::store::digest;
use crate::tenant::DevTenant;

pub(crate) async fn endpoint(State(tenant): State<DevTenant>, headers: HeaderMap) -> Response {
    let fault = tenant.shared.faults.take(|plan| &mut plan.userinfo);
    if let Some(answer) = early_answer(&fault).await {
        return answer;
    }
    match claims(&tenant, &headers) {
        Some(mut claims) => {
            merge(&mut claims, &fault.body);
            Json(claims).into_response()
        }
        None => invalid_token(),
    }
}

fn claims(tenant: &DevTenant, headers: &HeaderMap) -> Option<Value> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let now = tenant.now();
    let token = tenant
        .shared
        .store
        .lock()
        .access_tokens
        .find(&digest(token), now)
        .cloned()?;
    if !token.scopes.iter().any(|scope| scope == "openid") {
        return None;
    }
    let user = tenant.user(|user| user.sub == token.sub && !user.blocked)?;
    let mut claims = person_claims(tenant, &user, &token.scopes);
    claims.insert("sub".to_owned(), json!(user.sub));
    Some(Value::Object(claims))
}

fn invalid_token() -> Response {
    let body = json!({ "error": "invalid_token", "error_description": "Missing, unknown, expired or revoked access token" });
    let mut response = (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}
