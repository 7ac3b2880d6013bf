//! What the relying party takes from the provider's metadata and keys, how it proves who it
//! is, and what it does with an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, header};
use serde_json::json;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use super::{RelyingParty, ResponseMode, claims, in_both_response_modes, passed};
use crate::harness::{Answer, Handoff};

in_both_response_modes![
    oidcc_client_test_userinfo_bearer_header,
    oidcc_client_test_client_secret_basic,
    oidcc_client_test_discovery_openid_config,
    oidcc_client_test_discovery_jwks_uri_keys,
    oidcc_client_test_discovery_issuer_mismatch,
    oidcc_client_test_signing_key_rotation,
    oidcc_client_test_signing_key_rotation_just_before_signing,
];

// The host's access token is good at the provider's userinfo, in the header.
async fn oidcc_client_test_userinfo_bearer_header(mode: ResponseMode) {
    let party = RelyingParty::new(mode).await;
    let redeemed = party.login().await.accepted().await;
    let token = redeemed["access_token"].as_str().unwrap();
    let request = Request::get("/userinfo")
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::empty())
        .unwrap();
    let answer = party.world.tenant.router().oneshot(request).await.unwrap();
    assert_eq!(Answer::read(answer).await.ok()["sub"], "auth0|ada");
}

async fn oidcc_client_test_client_secret_basic(mode: ResponseMode) {
    let party = RelyingParty::new(mode).await;
    party.login().await.accepted().await;
    let journal = party.world.tenant.journal();
    let method = journal.last_client_authentication;
    assert_eq!(method.as_deref(), Some("client_secret_basic"));
}

// B22 is of the form post plan only.
#[tokio::test]
async fn oidcc_client_test_form_post_error() {
    let options = [("LOGIN_OPTIONS", "prompt,max_age")];
    let party = RelyingParty::with(ResponseMode::FormPost, &options).await;
    let authorize = party.begin(&[("prompt", "none"), ("max_age", "0")]).await;
    let response = party.authenticate(&authorize).await;
    assert_eq!(response.parameter("error"), "login_required");
    let outcome = party.deliver(response).await;
    outcome.rejected(409, "login_refused").await;
    assert_eq!(outcome.requests("token"), 0);
    passed("oidcc_client_test_form_post_error", "form_post");
}

async fn oidcc_client_test_discovery_openid_config(mode: ResponseMode) {
    let party = RelyingParty::new(mode).await;
    let endpoint = format!("{}authorize?of=discovery", party.world.tenant.issuer());
    let body = claims(&json!({ "authorization_endpoint": endpoint }));
    let faults = party.world.tenant.faults();
    faults.set(|plan| plan.discovery.body = body);
    let authorize = party.begin(&[]).await;
    assert!(authorize.as_str().starts_with(&endpoint), "{authorize}");
    let response = party.authenticate(&authorize).await;
    party.deliver(response).await.accepted().await;
    assert_eq!(party.world.tenant.journal().requests_to("discovery"), 1);
}

// The keys are elsewhere in each run: only metadata can tell where.
async fn oidcc_client_test_discovery_jwks_uri_keys(mode: ResponseMode) {
    let party = RelyingParty::new(mode).await;
    let usual = Request::get("/.well-known/jwks.json").header(header::HOST, "localhost");
    let usual = usual.body(Body::empty()).unwrap();
    let keys = party.world.tenant.router().oneshot(usual).await.unwrap();
    let keys = Answer::read(keys).await.body;
    let fetches = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&fetches);
    let elsewhere = Router::new().route(
        "/keys-of-this-run",
        get(async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            keys
        }),
    );
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, elsewhere).await });
    let body = claims(&json!({ "jwks_uri": format!("http://{address}/keys-of-this-run") }));
    let faults = party.world.tenant.faults();
    faults.set(|plan| plan.discovery.body = body);
    party.login().await.accepted().await;
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

// Nothing of a provider that names another issuer is used: no login begins.
async fn oidcc_client_test_discovery_issuer_mismatch(mode: ResponseMode) {
    let party = RelyingParty::with_fault(mode, |plan| plan.discovery.wrong_issuer = true).await;
    let challenge = Handoff::new(&party.world).challenge();
    let form = [("handoff_challenge", challenge.as_str())];
    let answer = party.browser.submit("/api/auth/login", &form).await;
    answer.assert_page(502, "provider_error");
    assert!(answer.set_cookies().is_empty());
    assert!(!answer.headers.contains_key("location"));
    let requests = party.world.tenant.journal().requests;
    assert_eq!(requests.keys().collect::<Vec<_>>(), ["discovery"]);
}

async fn oidcc_client_test_signing_key_rotation(mode: ResponseMode) {
    let party = RelyingParty::new(mode).await;
    party.login().await.accepted().await;
    party.world.tenant.replace_keys();
    party.another().login().await.accepted().await;
}

async fn oidcc_client_test_signing_key_rotation_just_before_signing(mode: ResponseMode) {
    let party = RelyingParty::new(mode).await;
    party.login().await.accepted().await;
    let party = party.another();
    let authorize = party.begin(&[]).await;
    let response = party.authenticate(&authorize).await;
    let fetched = party.world.tenant.journal().requests_to("jwks");
    party.world.tenant.replace_keys();
    party.deliver(response).await.accepted().await;
    assert_eq!(
        party.world.tenant.journal().requests_to("jwks"),
        fetched + 1
    );
}
