//! How long a session lives, whatever cookie or file says; restarts and changes of keys.

use http::StatusCode;
use serde_json::json;
use session_store::{KeyHash, SessionStore as _, SqliteStore};

use crate::harness::{Handoff, Host, SignedIn, World};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

async fn assert_expired(someone: &SignedIn) {
    let me = someone.browser.page_get("/api/auth/me").await;
    me.assert(401, "not_authenticated");
    someone
        .browser
        .ticket(&someone.host)
        .await
        .assert(401, "not_authenticated");
    for answer in [
        someone.host.session(someone.grant()).await,
        someone.host.token(someone.grant()).await,
    ] {
        answer.assert(401, "session_ended");
        assert_eq!(answer.json()["reason"], "expired");
    }
}

// A04: the limit is here, not in the browser's `Max-Age`.
#[tokio::test]
async fn a_session_that_is_not_used_for_a_day_has_ended_though_its_cookie_is_replayed() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    someone.browser.jar.ignore_expiry();
    world.clock.advance(DAY - 1);
    let still = world.restarted(&[]);
    someone
        .browser
        .before(&still)
        .page_get("/api/auth/me")
        .await
        .ok();
    // That was a use: another day begins.
    world.clock.advance(DAY - 1);
    someone.host.session(someone.grant()).await.ok();
    world.clock.advance(DAY);
    assert_expired(&someone).await;
}

// A04
#[tokio::test]
async fn a_session_ends_after_a_week_however_much_it_is_used() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    someone.browser.jar.ignore_expiry();
    let began = world.clock.seconds();
    for _ in 0..13 {
        world.clock.advance(DAY / 2);
        someone.browser.ticket(&someone.host).await.ok();
        let session = someone.host.session(someone.grant()).await.ok();
        assert!(session["session_expires_at"].as_i64().unwrap() <= began + 7 * DAY);
    }
    world.clock.advance(DAY / 2 - 1);
    someone.host.session(someone.grant()).await.ok();
    world.clock.advance(1);
    assert_expired(&someone).await;
}

// A04: rows are not sealed. Whoever can write to the store, or a companion with a clock that
// is wrong, cannot keep a session beyond its absolute end.
#[tokio::test]
async fn a_row_that_says_otherwise_does_not_outlive_the_absolute_end() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    someone.browser.jar.ignore_expiry();
    let began = world.clock.seconds();
    let store = SqliteStore::open(&world.directory.path().join("sessions.db")).unwrap();
    let subject = KeyHash::of_parts(&[world.tenant.issuer(), "auth0|ada"]);
    let ids = store.sessions_of_subject(subject).await.unwrap();
    store.touch_session(ids[0], began + 30 * DAY).await.unwrap();
    world.clock.advance(7 * DAY - 1);
    let session = someone.host.session(someone.grant()).await.ok();
    assert_eq!(session["session_expires_at"], began + 7 * DAY);
    world.clock.advance(1);
    assert_expired(&someone).await;
}

#[tokio::test]
async fn the_configured_lifetimes_hold() {
    let lifetimes = [
        ("SESSION_ROLLING_SECONDS", "60"),
        ("SESSION_ABSOLUTE_SECONDS", "100"),
    ];
    let world = World::with(&lifetimes).await;
    let someone = world.signed_in("ada").await;
    let now = world.clock.seconds();
    assert_eq!(someone.frame["expires_at"], now + 60);
    world.clock.advance(50);
    let session = someone.host.session(someone.grant()).await.ok();
    assert_eq!(session["session_expires_at"], now + 100);
    world.clock.advance(49);
    someone.host.session(someone.grant()).await.ok();
    world.clock.advance(1);
    assert_expired(&someone).await;
}

#[tokio::test]
async fn a_cookie_is_renewed_with_what_is_left_of_the_session() {
    let world = World::new().await;
    let browser = world.browser();
    browser.page_login("ada").await;
    let soon = browser.page_get("/api/auth/me").await;
    assert!(soon.set_cookies().is_empty(), "not at each request");
    world.clock.advance(2 * HOUR);
    let later = browser.page_get("/api/auth/me").await;
    let cookies = later.set_cookies();
    let max_age = cookies[0].max_age().unwrap().whole_seconds();
    assert_eq!(max_age, 7 * DAY - 2 * HOUR);
    assert_eq!(later.json()["expires_at"], world.clock.seconds() + DAY);
}

// E63
#[tokio::test]
async fn a_restart_keeps_sessions_grants_and_logins_under_way() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let restarted = world.restarted(&[]);
    someone
        .browser
        .before(&restarted)
        .page_get("/api/auth/me")
        .await
        .ok();
    someone
        .browser
        .before(&restarted)
        .ticket(&someone.host)
        .await
        .ok();
    let host = someone.host.before(&restarted);
    let token = host.token(someone.grant()).await.ok();
    assert_eq!(token["access_token"], someone.redeemed["access_token"]);
    let callback = browser.authenticate(&authorize, "grace").await;
    let answer = browser.before(&restarted).arrive(&callback).await;
    assert_eq!(answer.header("location"), "/signed-in");
}

// E51
#[tokio::test]
async fn a_new_secret_before_the_old_one_keeps_sessions_and_logins_under_way() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let old = &world.settings["AUTH0_SECRET"];
    let secrets = format!("the-next-session-secret-of-the-companion,{old}");
    let rotated = world.restarted(&[("AUTH0_SECRET", &secrets)]);
    someone
        .host
        .before(&rotated)
        .session(someone.grant())
        .await
        .ok();
    let callback = browser.authenticate(&authorize, "grace").await;
    let answer = browser.before(&rotated).arrive(&callback).await;
    assert_eq!(answer.header("location"), "/signed-in");
}

// E51: each use seals a session anew, so that the old secret can go once all were used.
#[tokio::test]
async fn after_a_rotation_the_old_secret_can_go_once_every_session_was_used() {
    const NEW: &str = "the-next-session-secret-of-the-companion";
    let world = World::new().await;
    let by_host = world.signed_in("ada").await;
    let by_frame = world.signed_in("grace").await;
    let by_page = world.browser();
    by_page.page_login("linus").await;
    let unused = world.signed_in("ada").await;
    let old = &world.settings["AUTH0_SECRET"];
    let rotated = world.restarted(&[("AUTH0_SECRET", &format!("{NEW},{old}"))]);
    let host = by_host.host.before(&rotated);
    host.session(by_host.grant()).await.ok();
    let frame = by_frame.browser.before(&rotated);
    frame.ticket(&by_frame.host).await.ok();
    by_page.before(&rotated).page_get("/api/auth/me").await.ok();

    let new_alone = world.restarted(&[("AUTH0_SECRET", NEW)]);
    let session = host.before(&new_alone).session(by_host.grant()).await.ok();
    assert_eq!(session["user"], by_host.redeemed["user"]);
    frame.before(&new_alone).ticket(&by_frame.host).await.ok();
    let me = by_page.before(&new_alone).page_get("/api/auth/me").await;
    assert_eq!(me.ok()["user"]["sub"], "auth0|linus");
    // Whoever did not come by has to sign in again: no session, and no fault.
    let late = unused.host.before(&new_alone);
    late.session(unused.grant())
        .await
        .assert(401, "session_ended");
    unused
        .browser
        .before(&new_alone)
        .page_get("/api/auth/me")
        .await
        .assert(401, "not_authenticated");
}

// E51: what lives for minutes only is opened with the old secret, and never sealed anew.
#[tokio::test]
async fn a_rotation_breaks_no_login_ticket_or_handoff_under_way() {
    let world = World::new().await;
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let authorize = browser.begin_popup(&handoff).await;
    let someone = world.signed_in("grace").await;
    let minted = someone.browser.ticket(&someone.host).await.ok();
    let old = &world.settings["AUTH0_SECRET"];
    let secrets = format!("the-next-session-secret-of-the-companion,{old}");
    let rotated = world.restarted(&[("AUTH0_SECRET", &secrets)]);
    let browser = browser.before(&rotated);
    let callback = browser.authenticate(&authorize, "ada").await;
    let answer = browser.arrive(&callback).await;
    assert_eq!(answer.header("location"), "/signed-in?close");
    let frame = browser.claim(&handoff, &host).await.ok();
    let ticket = frame["ticket"].as_str().unwrap();
    host.before(&rotated).redeem(ticket).await.ok();
    let ticket = minted["ticket"].as_str().unwrap();
    someone.host.before(&rotated).redeem(ticket).await.ok();
}

// E51: no session, and no fault either.
#[tokio::test]
async fn another_secret_without_the_old_one_signs_everybody_out_without_a_fault() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let other = world.restarted(&[("AUTH0_SECRET", "quite-another-session-secret-of-32-bytes")]);
    someone
        .browser
        .before(&other)
        .page_get("/api/auth/me")
        .await
        .assert(401, "not_authenticated");
    someone
        .browser
        .before(&other)
        .ticket(&someone.host)
        .await
        .assert(401, "not_authenticated");
    let host = someone.host.before(&other);
    host.session(someone.grant())
        .await
        .assert(401, "session_ended");
    let ticket = someone.frame["ticket"].as_str().unwrap();
    host.redeem(ticket).await.assert(400, "invalid_ticket");
    assert_eq!(
        host.revoke(someone.grant()).await.status,
        StatusCode::NO_CONTENT
    );
    let callback = browser.authenticate(&authorize, "grace").await;
    browser
        .before(&other)
        .arrive(&callback)
        .await
        .assert_page(400, "invalid_transaction");
}

// Whoever reads the file learns no value that opens anything.
#[tokio::test]
async fn the_store_holds_no_secret_in_the_clear_and_only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let mut secrets = vec![
        someone.grant().to_owned(),
        someone.redeemed["access_token"]
            .as_str()
            .unwrap()
            .to_owned(),
        someone.frame["ticket"].as_str().unwrap().to_owned(),
        someone.host.challenge(),
        "ada@example.com".to_owned(),
    ];
    secrets.extend(
        someone
            .browser
            .all_cookies()
            .into_iter()
            .map(|(_, value)| value),
    );
    for entry in std::fs::read_dir(world.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let content = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for secret in &secrets {
            assert!(
                !content.contains(secret.as_str()),
                "{secret} in {}",
                path.display()
            );
        }
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    // The test would see them: they work.
    someone.host.session(someone.grant()).await.ok();
    assert_eq!(json!(secrets.len() >= 7), json!(true));
}
