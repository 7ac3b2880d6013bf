//! `/dev/*`, and serving over a socket.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use dev_tenant::{API_IDENTIFIER, DevTenant, Settings, SystemClock};
use serde_json::json;
use tokio::net::TcpListener;

use crate::browser::Browser;

#[tokio::test]
async fn the_switches_do_not_exist_unless_asked_for() {
    let mut browser = Browser::with(Settings::default());
    for path in ["/dev/faults", "/dev/journal"] {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn faults_are_set_partially_and_reset_over_http() {
    let mut browser = Browser::new();
    browser
        .json(Method::PUT, "/dev/faults", &json!({"down": true}))
        .await;
    let plan = browser
        .json(
            Method::PUT,
            "/dev/faults",
            &json!({"id_token": {"claims": {"nonce": null}}}),
        )
        .await;
    assert_eq!(plan.json()["down"], true);
    assert_eq!(
        browser.get("/.well-known/jwks.json").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let unknown = browser
        .json(Method::PUT, "/dev/faults", &json!({"nonsense": true}))
        .await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    browser
        .json(Method::DELETE, "/dev/faults", &json!({}))
        .await;
    assert_eq!(
        browser.get("/.well-known/jwks.json").await.status,
        StatusCode::OK
    );
    assert_eq!(browser.get("/dev/faults").await.json()["down"], false);
}

#[tokio::test]
async fn the_journal_counts_and_holds_no_secret() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &[("login_hint", "ada")]).await;
    browser
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .await;
    browser.refresh("unknown").await;
    browser.get("/.well-known/jwks.json").await;
    let answer = browser.get("/dev/journal").await;
    let journal = answer.json();
    assert_eq!(
        journal["token_requests"],
        json!({"authorization_code": 1, "refresh_token": 2})
    );
    assert_eq!(journal["token_errors"], json!({"invalid_grant": 1}));
    assert_eq!(journal["requests"]["jwks"], 1);
    assert_eq!(journal["last_authorization_request"]["login_hint"], "ada");
    for secret in ["dev-only-secret", tokens["refresh_token"].as_str().unwrap()] {
        assert!(!answer.body.contains(secret));
    }
    browser
        .json(Method::DELETE, "/dev/journal", &json!({}))
        .await;
    assert_eq!(browser.tenant.journal().requests_to("jwks"), 0);
}

#[tokio::test]
async fn keys_rotate_and_older_ones_can_be_dropped() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &[]).await;
    let id_token = tokens["id_token"].as_str().unwrap();
    browser
        .send(
            axum::http::Request::post("/dev/rotate-keys")
                .body(axum::body::Body::empty())
                .unwrap(),
        )
        .await;
    assert!(browser.verified(id_token).await.is_ok());
    browser
        .json(
            Method::POST,
            "/dev/rotate-keys",
            &json!({"drop_previous": true}),
        )
        .await;
    assert_eq!(browser.verified(id_token).await.unwrap_err(), "unknown kid");
}

#[tokio::test]
async fn users_change_and_lose_sessions_and_refresh_tokens_over_http() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("grace", &[]).await;
    let change = json!({"roles": ["admin"], "permissions": {API_IDENTIFIER: ["write:solve"]}});
    browser.json(Method::PUT, "/dev/users/grace", &change).await;
    assert_eq!(
        browser
            .json(Method::PUT, "/dev/users/nobody", &json!({}))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    let page = browser.get("/").await;
    assert!(page.body.contains("write:solve"));
    browser
        .json(
            Method::POST,
            "/dev/users/grace/revoke-refresh-tokens",
            &json!({}),
        )
        .await;
    assert_eq!(
        browser
            .refresh(tokens["refresh_token"].as_str().unwrap())
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    browser
        .json(Method::POST, "/dev/users/grace/end-sessions", &json!({}))
        .await;
    assert_eq!(
        browser.authorize(&[("prompt", "none")]).await.reply()["error"],
        "login_required"
    );
}

#[tokio::test]
async fn it_serves_on_any_port_and_stops_when_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}/", listener.local_addr().unwrap());
    let tenant = DevTenant::new(Settings::for_issuer(&*issuer), Arc::new(SystemClock));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(dev_tenant::serve(listener, tenant, async move {
        stopped.await.ok();
    }));
    let metadata: serde_json::Value =
        reqwest::get(format!("{issuer}.well-known/openid-configuration"))
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
    assert_eq!(metadata["issuer"], issuer);
    assert_eq!(
        metadata["end_session_endpoint"],
        format!("{issuer}oidc/logout")
    );
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
