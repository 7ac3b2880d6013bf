//! `/oidc/logout` and `/v2/logout`.

use axum::http::{StatusCode, header};
use dev_tenant::{APP_CLIENT_ID, M2M_CLIENT_ID};

use crate::browser::{Browser, HOME, unverified_claims};

async fn signed_in() -> (Browser, String, String) {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &[]).await;
    let id_token = tokens["id_token"].as_str().unwrap().to_owned();
    let sid = unverified_claims(&id_token)["sid"]
        .as_str()
        .unwrap()
        .to_owned();
    (browser, id_token, sid)
}

async fn still_signed_in(browser: &mut Browser) -> bool {
    browser
        .authorize(&[("prompt", "none")])
        .await
        .reply()
        .contains_key("code")
}

fn logout_url(parameters: &[(&str, &str)]) -> String {
    format!(
        "/oidc/logout?{}",
        serde_urlencoded::to_string(parameters).unwrap()
    )
}

#[tokio::test]
async fn a_logout_hint_of_the_session_ends_it_and_returns_with_state() {
    let (mut browser, _, sid) = signed_in().await;
    let url = logout_url(&[
        ("client_id", APP_CLIENT_ID),
        ("logout_hint", &sid),
        ("post_logout_redirect_uri", HOME),
        ("state", "s"),
    ]);
    assert_eq!(
        browser.get(&url).await.location(),
        format!("{HOME}?state=s")
    );
    assert!(!still_signed_in(&mut browser).await);
}

#[tokio::test]
async fn an_id_token_hint_ends_the_session_even_when_expired() {
    let (mut browser, id_token, _) = signed_in().await;
    browser.advance(3_600);
    let url = logout_url(&[
        ("id_token_hint", &id_token),
        ("post_logout_redirect_uri", HOME),
    ]);
    assert_eq!(browser.get(&url).await.location(), HOME);
    assert!(!still_signed_in(&mut browser).await);
}

#[tokio::test]
async fn a_logout_that_nobody_vouches_for_asks_first() {
    let (mut browser, _, _) = signed_in().await;
    for hint in ["", "somebody-elses-sid"] {
        let page = browser
            .get(&logout_url(&[
                ("client_id", APP_CLIENT_ID),
                ("logout_hint", hint),
            ]))
            .await;
        assert!(page.body.contains("Sign out?"));
        assert!(still_signed_in(&mut browser).await);
    }
    let form = [
        ("client_id", APP_CLIENT_ID),
        ("post_logout_redirect_uri", HOME),
        ("confirm", "yes"),
    ];
    let foreign = browser
        .post_with("/oidc/logout", &form, &[("origin", "http://evil.test")])
        .await;
    assert!(foreign.body.contains("Sign out?"));
    assert!(still_signed_in(&mut browser).await);
    assert_eq!(browser.post("/oidc/logout", &form).await.location(), HOME);
    assert!(!still_signed_in(&mut browser).await);
}

#[tokio::test]
async fn an_unregistered_logout_url_is_a_page_and_ends_nothing() {
    let (mut browser, id_token, sid) = signed_in().await;
    let hint = [("client_id", APP_CLIENT_ID), ("logout_hint", sid.as_str())];
    for uri in [
        "http://evil.test/",
        "http://localhost:3001/else",
        "http://127.0.0.1:3001/",
    ] {
        let answer = browser
            .get(&logout_url(&[
                hint[0],
                hint[1],
                ("post_logout_redirect_uri", uri),
            ]))
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body.contains("Logout URL mismatch") && answer.body.contains(HOME));
        assert!(answer.headers.get(header::LOCATION).is_none());
    }
    let no_client = browser
        .get(&logout_url(&[
            ("logout_hint", &sid),
            ("post_logout_redirect_uri", HOME),
        ]))
        .await;
    assert_eq!(
        no_client.status,
        StatusCode::BAD_REQUEST,
        "without a client its list does not count"
    );
    let other_client = browser
        .get(&logout_url(&[
            ("client_id", M2M_CLIENT_ID),
            ("id_token_hint", &id_token),
        ]))
        .await;
    assert_eq!(other_client.status, StatusCode::BAD_REQUEST);
    let forged = browser
        .get(&logout_url(&[("id_token_hint", "a.b.c")]))
        .await;
    assert_eq!(forged.status, StatusCode::BAD_REQUEST);
    assert!(still_signed_in(&mut browser).await);
}

#[tokio::test]
async fn without_a_session_logout_simply_returns() {
    let mut browser = Browser::new();
    let url = logout_url(&[
        ("client_id", APP_CLIENT_ID),
        ("post_logout_redirect_uri", HOME),
    ]);
    assert_eq!(browser.get(&url).await.location(), HOME);
}

#[tokio::test]
async fn the_older_logout_ends_the_session_at_once() {
    let (mut browser, _, _) = signed_in().await;
    let refused = browser
        .get(&format!(
            "/v2/logout?client_id={APP_CLIENT_ID}&returnTo=http://evil.test/"
        ))
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(still_signed_in(&mut browser).await);
    let answer = browser
        .get(&format!(
            "/v2/logout?client_id={APP_CLIENT_ID}&returnTo={HOME}"
        ))
        .await;
    assert_eq!(answer.location(), HOME);
    assert!(!still_signed_in(&mut browser).await);
}

#[tokio::test]
async fn refresh_tokens_outlive_the_session_as_at_auth0() {
    let mut browser = Browser::new();
    let tokens = browser.tokens("ada", &[]).await;
    browser
        .get(&format!("/v2/logout?client_id={APP_CLIENT_ID}"))
        .await;
    let refreshed = browser
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .await;
    assert_eq!(refreshed.status, StatusCode::OK);
}
