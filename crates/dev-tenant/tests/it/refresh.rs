//! Refresh tokens: rotation, reuse, narrowing, other APIs.

use axum::http::StatusCode;
use dev_tenant::{API_IDENTIFIER, ROLES_CLAIM, Settings};
use serde_json::json;

use crate::browser::{Browser, START, unverified_claims};
use crate::token::{error_of, for_api, text};

#[tokio::test]
async fn refresh_tokens_rotate_and_the_previous_one_works_for_ten_seconds() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &for_api()).await;
    let first = text(&tokens, "refresh_token").to_owned();
    browser.advance(100);
    let refreshed = browser.refresh(&first).await.json();
    let second = text(&refreshed, "refresh_token").to_owned();
    assert_ne!(first, second);
    let claims = browser
        .verified(text(&refreshed, "id_token"))
        .await
        .unwrap();
    assert_eq!(
        (claims["iat"].as_i64(), claims["auth_time"].as_i64()),
        (Some(START + 100), Some(START))
    );
    assert!(claims.get("nonce").is_none());
    assert_eq!(
        claims["sid"],
        unverified_claims(text(&tokens, "id_token"))["sid"]
    );
    browser.advance(10);
    assert_eq!(
        browser.refresh(&first).await.status,
        StatusCode::OK,
        "within the reuse interval"
    );
    assert_eq!(browser.refresh(&second).await.status, StatusCode::OK);
}

#[tokio::test]
async fn reuse_outside_the_interval_revokes_the_family() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &[]).await;
    let first = text(&tokens, "refresh_token").to_owned();
    let refreshed = browser.refresh(&first).await.json();
    browser.advance(11);
    assert_eq!(
        browser.refresh(&first).await.json()["error"],
        "invalid_grant"
    );
    let successor = browser.refresh(text(&refreshed, "refresh_token")).await;
    assert_eq!(
        successor.json()["error"],
        "invalid_grant",
        "the honest successor died with the family"
    );
}

#[tokio::test]
async fn a_refresh_follows_permissions_and_blocks() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &for_api()).await;
    browser.tenant.change_user("ada", |user| {
        user.permissions.clear();
        user.roles = vec!["guest".to_owned()];
    });
    let refreshed = browser.refresh(text(&tokens, "refresh_token")).await.json();
    assert_eq!(refreshed["scope"], "openid profile email offline_access");
    assert_eq!(
        unverified_claims(text(&refreshed, "access_token"))[ROLES_CLAIM],
        json!(["guest"])
    );
    browser
        .tenant
        .change_user("ada", |user| user.blocked = true);
    assert_eq!(
        browser
            .refresh(text(&refreshed, "refresh_token"))
            .await
            .json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_and_never_for_more() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &for_api()).await;
    let refresh_token = text(&tokens, "refresh_token");
    let less = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("scope", "read:chart"),
    ];
    assert_eq!(browser.token(&less).await.json()["scope"], "read:chart");
    let more = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("scope", "read:export"),
    ];
    assert_eq!(error_of(&mut browser, &more).await.1, "invalid_scope");
}

#[tokio::test]
async fn a_refused_refresh_request_spends_no_token() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &for_api()).await;
    let refresh_token = text(&tokens, "refresh_token");
    let base = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    for (extra, error) in [
        (("scope", "read:export"), "invalid_scope"),
        (("audience", "http://nowhere"), "invalid_request"),
    ] {
        let (_, code) = error_of(&mut browser, &[base[0], base[1], extra]).await;
        assert_eq!(code, error);
    }
    browser.advance(100);
    assert_eq!(browser.refresh(refresh_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_reaches_another_api_only_where_the_application_may() {
    let mut settings = Settings::default();
    let mut second = settings.apis[0].clone();
    second.identifier = "http://second.example".to_owned();
    settings.users[0]
        .permissions
        .insert(second.identifier.clone(), vec!["read:chart".to_owned()]);
    settings.clients[0].refresh_tokens.extra_audiences = vec![second.identifier.clone()];
    settings.apis.push(second);
    let mut browser = Browser::with(settings);
    let tokens = browser.tokens("ada", &for_api()).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
        ("audience", "http://second.example"),
        ("scope", "read:chart"),
    ];
    let refreshed = browser.token(&form).await.json();
    let claims = browser
        .verified(text(&refreshed, "access_token"))
        .await
        .unwrap();
    assert_eq!(claims["aud"], "http://second.example");
    assert_eq!(claims["scope"], "read:chart");
    let again = browser
        .refresh(text(&refreshed, "refresh_token"))
        .await
        .json();
    let claims = unverified_claims(text(&again, "access_token"));
    assert_eq!(
        claims["aud"][0], API_IDENTIFIER,
        "the login's audience stays"
    );
}
