//! The companion's own pages, as people see them.

use http::StatusCode;

use crate::harness::World;

#[tokio::test]
async fn the_launcher_offers_to_sign_in_and_then_names_the_person() {
    let world = World::new().await;
    let browser = world.browser();
    let signed_out = browser.open("/").await;
    assert_eq!(signed_out.status, StatusCode::OK);
    assert!(
        signed_out
            .body
            .contains(r#"href="/api/auth/login?returnTo=/""#)
    );
    assert!(signed_out.body.contains(r#"data-testid="login-button""#));
    let authorize = browser.open("/api/auth/login?returnTo=/").await.location();
    let callback = browser.authenticate(&authorize, "ada").await;
    assert_eq!(browser.arrive(&callback).await.header("location"), "/");
    let signed_in = browser.open("/").await;
    assert!(signed_in.body.contains("Ada Lovelace"));
    assert!(signed_in.body.contains(r#"data-testid="logout-button""#));
    assert!(
        signed_in.body.contains("<form") && signed_in.body.contains(r#"action="/api/auth/logout""#)
    );
    browser.submit("/api/auth/logout", &[]).await;
    assert!(browser.open("/").await.body.contains("login-button"));
}

// D43: claims are text, whatever is in them.
#[tokio::test]
async fn a_name_with_markup_in_it_is_shown_as_text() {
    let world = World::new().await;
    let name = r#"<script>alert(1)</script>"><img src=x onerror=alert(1)>"#;
    world.tenant.change_user("ada", |user| {
        user.name = name.to_owned();
        user.picture = Some("javascript:alert(1)".to_owned());
    });
    let browser = world.browser();
    browser.page_login("ada").await;
    let page = browser.open("/").await.body;
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{page}"
    );
    assert!(!page.contains("<script>") && !page.contains("<img"));
    let me = browser.page_get("/api/auth/me").await.ok();
    assert_eq!(me["user"]["name"], name);
    assert!(me["user"]["picture"].is_null());
}

#[tokio::test]
async fn the_page_after_a_login_says_nothing_of_the_person_and_closes_itself() {
    let world = World::new().await;
    let browser = world.browser();
    browser.page_login("ada").await;
    let script = r#"src="/static/close-window.js""#;
    for (place, closes) in [("/signed-in", false), ("/signed-in?close", true)] {
        let page = browser.open(place).await;
        assert_eq!(page.body, world.browser().open(place).await.body);
        assert_eq!(page.body.contains(script), closes, "{place}");
        assert!(page.set_cookies().is_empty());
    }
    let script = browser.page_get("/static/close-window.js").await;
    assert!(script.body.contains("window.close"));
    assert_eq!(browser.open("/signed-out").await.status, StatusCode::OK);
}

// No script and no style in the page itself, or the strict policy would have to allow it.
#[tokio::test]
async fn no_page_has_inline_script_or_style() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    for path in [
        "/",
        "/signed-in",
        "/signed-out",
        "/api/auth/logout",
        "/nowhere",
    ] {
        let page = someone.browser.open(path).await.body;
        assert!(page.starts_with("<!DOCTYPE html>"), "{path}");
        assert!(
            !page.contains("<style") && !page.contains(" style="),
            "{path}"
        );
        assert!(
            !page.contains(" onclick=") && !page.contains(" onload="),
            "{path}"
        );
        for script in page.split("<script").skip(1) {
            assert!(script.contains("src=\"/static/"), "{path}: {script}");
        }
    }
}

#[tokio::test]
async fn the_error_page_names_the_request_as_the_log_does() {
    let world = World::new().await;
    let browser = world.browser();
    let answer = browser.open("/api/auth/callback?state=x&code=y").await;
    answer.assert_page(400, "invalid_transaction");
    let id = answer.header("x-request-id");
    assert_eq!(id.len(), 12);
    assert!(answer.body.contains(id));
    assert!(answer.body.contains("Start over"));
    let other = browser.open("/api/auth/callback?state=x&code=y").await;
    assert_ne!(other.header("x-request-id"), id);
}

#[tokio::test]
async fn the_request_id_is_ours_whatever_a_client_sends() {
    let world = World::new().await;
    let call =
        crate::harness::Call::navigation("/nowhere", "none").header("x-request-id", "forged");
    let answer = world.browser().send(call).await;
    assert_ne!(answer.header("x-request-id"), "forged");
    assert!(!answer.body.contains("forged"));
}
