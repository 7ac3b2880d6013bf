//! `/authorize` and the login page.

use axum::http::{StatusCode, header};
use dev_tenant::{API_IDENTIFIER, Settings};

use crate::browser::{Browser, CALLBACK};

#[tokio::test]
async fn a_login_answers_with_code_state_and_issuer() {
    let mut browser = Browser::new();
    let reply = browser.sign_in("ada", &[]).await;
    assert_eq!(reply["state"], "the-state");
    assert_eq!(reply["iss"], "http://localhost:3002/");
    assert!(!reply["code"].is_empty());
}

#[tokio::test]
async fn a_request_without_state_is_answered_without_state() {
    let mut browser = Browser::new();
    assert!(
        !browser
            .sign_in("ada", &[("state", "")])
            .await
            .contains_key("state")
    );
}

#[tokio::test]
async fn a_wrong_password_shows_the_form_again_and_the_right_one_then_works() {
    let mut browser = Browser::new();
    let transaction = browser.login_page(&[]).await;
    let again = browser.submit(&transaction, "ada", "wrong").await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.body.contains("Wrong username or password."));
    assert!(again.body.contains("value=\"ada\""));
    assert!(again.headers.get(header::SET_COOKIE).is_none());
    assert!(
        browser
            .submit(&transaction, "ada@example.com", "ada-password")
            .await
            .reply()
            .contains_key("code")
    );
}

#[tokio::test]
async fn declining_is_access_denied() {
    let mut browser = Browser::new();
    let transaction = browser.login_page(&[]).await;
    let reply = browser
        .post("/login", &[("state", &transaction), ("action", "decline")])
        .await
        .reply();
    assert_eq!(reply["error"], "access_denied");
    assert_eq!(reply["state"], "the-state");
}

#[tokio::test]
async fn a_login_form_works_once() {
    let mut browser = Browser::new();
    let transaction = browser.login_page(&[]).await;
    browser
        .submit(&transaction, "ada", "ada-password")
        .await
        .reply();
    let again = browser.submit(&transaction, "ada", "ada-password").await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.body.contains("This sign-in is over"));
}

#[tokio::test]
async fn a_login_form_from_another_site_is_refused() {
    let mut browser = Browser::new();
    let transaction = browser.login_page(&[]).await;
    let form = [
        ("state", transaction.as_str()),
        ("username", "ada"),
        ("password", "ada-password"),
    ];
    for header in [
        ("origin", "http://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let answer = browser.post_with("/login", &form, &[header]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{header:?}");
    }
    let own = [
        ("origin", "http://localhost:3002"),
        ("sec-fetch-site", "same-origin"),
    ];
    assert!(
        browser
            .post_with("/login", &form, &own)
            .await
            .reply()
            .contains_key("code")
    );
}

#[tokio::test]
async fn an_unregistered_callback_is_a_page_and_never_a_redirect() {
    let mut browser = Browser::new();
    for uri in [
        "http://evil.test/",
        "http://localhost:3001/api/auth/callback/",
        "http://127.0.0.1:3001/api/auth/callback",
    ] {
        let answer = browser.authorize(&[("redirect_uri", uri)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body.contains("Callback URL mismatch"));
        assert!(
            answer.body.contains(CALLBACK),
            "the allowed ones are listed"
        );
        assert!(answer.headers.get(header::LOCATION).is_none());
    }
    let unknown = browser.authorize(&[("client_id", "<script>")]).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert!(!unknown.body.contains("<script>"), "escaped");
}

#[tokio::test]
async fn a_registered_base_url_works() {
    let mut browser = Browser::with(Settings::default().allow_base_url("http://localhost:4567/"));
    let answer = browser
        .authorize(&[("redirect_uri", "http://localhost:4567/api/auth/callback")])
        .await;
    assert!(answer.location().starts_with("/login"));
}

#[tokio::test]
async fn the_session_signs_in_again_without_a_password() {
    let mut browser = Browser::new();
    browser.sign_in("ada", &[]).await;
    assert!(browser.authorize(&[]).await.reply().contains_key("code"));
    assert!(
        browser
            .authorize(&[("prompt", "none")])
            .await
            .reply()
            .contains_key("code")
    );
}

#[tokio::test]
async fn prompt_none_without_a_session_is_login_required() {
    let mut browser = Browser::new();
    assert_eq!(
        browser.authorize(&[("prompt", "none")]).await.reply()["error"],
        "login_required"
    );
}

#[tokio::test]
async fn prompt_login_and_an_old_session_ask_for_the_password() {
    let mut browser = Browser::new();
    browser.sign_in("ada", &[]).await;
    browser.login_page(&[("prompt", "login")]).await;
    browser.login_page(&[("max_age", "0")]).await;
    browser.advance(100);
    browser.login_page(&[("max_age", "99")]).await;
    assert!(
        browser
            .authorize(&[("max_age", "100")])
            .await
            .reply()
            .contains_key("code")
    );
    let refused = browser
        .authorize(&[("max_age", "99"), ("prompt", "none")])
        .await
        .reply();
    assert_eq!(refused["error"], "login_required");
}

#[tokio::test]
async fn select_account_offers_the_session_and_accepts_another_person() {
    let mut browser = Browser::new();
    browser.sign_in("ada", &[]).await;
    let transaction = browser.login_page(&[("prompt", "select_account")]).await;
    let page = browser.get(&format!("/login?state={transaction}")).await;
    assert!(page.body.contains("Continue as Ada Lovelace"));
    let form = [("state", transaction.as_str()), ("action", "continue")];
    assert!(
        browser
            .post("/login", &form)
            .await
            .reply()
            .contains_key("code")
    );
    let tokens = browser
        .tokens("grace", &[("prompt", "select_account")])
        .await;
    let claims = browser
        .verified(tokens["id_token"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(claims["sub"], "auth0|grace");
}

#[tokio::test]
async fn continuing_without_a_session_asks_for_the_password() {
    let mut browser = Browser::new();
    let transaction = browser.login_page(&[]).await;
    let answer = browser
        .post("/login", &[("state", &transaction), ("action", "continue")])
        .await;
    assert!(answer.body.contains("Please enter your password."));
}

#[tokio::test]
async fn a_session_of_prompt_login_cannot_be_continued_by_the_form() {
    let mut browser = Browser::new();
    browser.sign_in("ada", &[]).await;
    let transaction = browser.login_page(&[("prompt", "login")]).await;
    let answer = browser
        .post("/login", &[("state", &transaction), ("action", "continue")])
        .await;
    assert!(answer.body.contains("Please enter your password."));
}

#[tokio::test]
async fn the_login_page_lists_users_and_fills_the_form_without_script() {
    let mut browser = Browser::new();
    let transaction = browser
        .login_page(&[("login_hint", "grace"), ("screen_hint", "signup")])
        .await;
    let page = browser.get(&format!("/login?state={transaction}")).await;
    for part in [
        "dev-user-ada",
        "dev-user-grace",
        "dev-user-linus",
        "data-testid=\"dev-login\"",
        "value=\"grace\"",
        "Sign up",
    ] {
        assert!(page.body.contains(part), "{part}");
    }
    assert!(!page.body.contains("<script"));
    assert!(
        page.header(header::CONTENT_SECURITY_POLICY)
            .contains("frame-ancestors 'none'")
    );
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
    let filled = browser
        .get(&format!("/login?state={transaction}&user=linus"))
        .await;
    assert!(filled.body.contains("value=\"linus-password\""));
}

#[tokio::test]
async fn form_post_answers_with_a_form() {
    let mut browser = Browser::new();
    let transaction = browser
        .login_page(&[("response_mode", "form_post"), ("state", "a\"b")])
        .await;
    let page = browser.submit(&transaction, "ada", "ada-password").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body
            .contains(&format!("<form method=\"post\" action=\"{CALLBACK}\""))
    );
    assert!(page.body.contains("name=\"state\" value=\"a&quot;b\""));
    assert!(page.body.contains("name=\"iss\""));
}

#[tokio::test]
async fn the_session_cookie_is_http_only_and_lax() {
    let mut browser = Browser::new();
    let transaction = browser.login_page(&[]).await;
    let answer = browser.submit(&transaction, "ada", "ada-password").await;
    let cookie = answer.header(header::SET_COOKIE);
    assert!(cookie.starts_with("dev-tenant-session="));
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(!cookie.contains("Secure"), "http issuer");
}

#[tokio::test]
async fn a_session_lapses() {
    let mut browser = Browser::new();
    browser.sign_in("ada", &[]).await;
    browser.advance(Settings::default().session_seconds);
    assert_eq!(
        browser.authorize(&[("prompt", "none")]).await.reply()["error"],
        "login_required"
    );
}

#[tokio::test]
async fn an_unknown_audience_is_named_to_the_relying_party() {
    let mut browser = Browser::new();
    let reply = browser
        .authorize(&[("audience", "http://nowhere")])
        .await
        .reply();
    assert_eq!(
        reply["error_description"],
        "Service not found: http://nowhere"
    );
    browser.login_page(&[("audience", API_IDENTIFIER)]).await;
}

#[tokio::test]
async fn the_start_page_shows_users_applications_and_apis() {
    let mut browser = Browser::new();
    let page = browser.get("/").await;
    for part in [
        "Ada Lovelace",
        "OEStreamlitApp",
        "OEStreamlitApi-Client",
        API_IDENTIFIER,
        "read:messages",
        CALLBACK,
        "Regular Web Application",
        "Machine to Machine",
        "600 s",
        "rotate, reuse interval 10 s",
        "86400 s, 7200 s for browser applications",
        "by role (RBAC)",
        "admin, analyst",
    ] {
        assert!(page.body.contains(part), "{part}");
    }
    let avatar = browser.get("/avatars/ada.svg").await;
    assert_eq!(avatar.header(header::CONTENT_TYPE), "image/svg+xml");
    assert!(avatar.body.contains(">AL</text>"));
}
