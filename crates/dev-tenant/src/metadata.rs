//! Provider metadata (OpenID Connect Discovery 1.0) and the key set.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::guard::early_answer;
use crate::keys::merge;
use crate::settings::Settings;
use crate::tenant::DevTenant;

pub(crate) async fn discovery(State(tenant): State<DevTenant>) -> Response {
    let fault = tenant.shared.faults.take(|plan| &mut plan.discovery);
    if let Some(answer) = early_answer(&fault).await {
        return answer;
    }
    let mut document = document(&tenant.shared.settings);
    if fault.wrong_issuer {
        document["issuer"] = json!("http://wrong-issuer.example/");
    }
    merge(&mut document, &fault.body);
    Json(document).into_response()
}

pub(crate) async fn jwks(State(tenant): State<DevTenant>) -> Response {
    let fault = tenant.shared.faults.take(|plan| &mut plan.jwks);
    if let Some(answer) = early_answer(&fault).await {
        return answer;
    }
    let mut set = if fault.empty {
        json!({ "keys": [] })
    } else {
        tenant.shared.keys.jwks()
    };
    merge(&mut set, &fault.body);
    Json(set).into_response()
}

fn document(settings: &Settings) -> Value {
    json!({
        "issuer": settings.issuer,
        "authorization_endpoint": settings.url("authorize"),
        "token_endpoint": settings.url("oauth/token"),
        "revocation_endpoint": settings.url("oauth/revoke"),
        "userinfo_endpoint": settings.url("userinfo"),
        "jwks_uri": settings.url(".well-known/jwks.json"),
        "end_session_endpoint": settings.url("oidc/logout"),
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "prompt_values_supported": ["none", "login", "select_account", "consent"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "at_hash", "name", "given_name",
            "family_name", "nickname", "picture", "updated_at", "email", "email_verified", settings.roles_claim,
        ],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
    })
}
