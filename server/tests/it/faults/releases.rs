//! What a former release left behind is read by this one (E64): `fixtures/release-0.1.sqlite` and
//! `.json` were written by release 0.1, and are never written anew. What the release in hand
//! would leave is written beside them, as `release-next`, by
//! `cargo test -p server --test it -- --ignored --exact faults::releases::write_a_release`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use server::sessions::Session;
use session_store::SqliteStore;
use tower::ServiceExt as _;

use crate::harness::{Answer, Handoff, Host, World, unverified_claims};

const RELEASES: [&str; 1] = ["0.1"];

fn fixture(release: &str, kind: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    directory.join(format!("release-{release}.{kind}"))
}

/// What the browser and the host of a person keep of that release.
fn kept(release: &str) -> Value {
    let text = std::fs::read_to_string(fixture(release, "json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// This release on the database of that one.
fn upgraded(world: &World, release: &str) -> World {
    let copy = world.directory.path().join("upgraded.db");
    std::fs::copy(fixture(release, "sqlite"), &copy).unwrap();
    world.behind(move |_| Arc::new(SqliteStore::open(&copy).unwrap()))
}

async fn get(world: &World, path: &str, cookie: &Value, caller: &str) -> Answer {
    let request = Request::get(path)
        .header(header::HOST, "localhost:3001")
        .header("x-component-auth0", caller)
        .header(header::COOKIE, cookie.as_str().unwrap())
        .body(Body::empty())
        .unwrap();
    Answer::read(world.app.clone().oneshot(request).await.unwrap()).await
}

// E64
#[tokio::test]
async fn sessions_and_logins_of_a_former_release_go_on() {
    for release in RELEASES {
        let (world, kept) = (World::new().await, kept(release));
        let world = upgraded(&world, release);
        let page = get(&world, "/api/auth/me", &kept["page"], "").await.ok();
        assert_eq!(page["user"]["sub"], "auth0|ada", "{release}");
        let frame = get(&world, "/api/auth/me", &kept["frame"], "frame")
            .await
            .ok();
        assert_eq!(frame["user"]["name"], "Ada Lovelace", "{release}");
        let (host, grant) = (Host::new(&world), kept["grant"].as_str().unwrap());
        assert_eq!(host.session(grant).await.ok()["user"]["sub"], "auth0|ada");
        let token = host.token(grant).await.ok();
        assert_eq!(unverified_claims(&token)["sub"], "auth0|ada", "{release}");
        // A login that the former release began: this one knows it, and spends it.
        let path = format!(
            "/api/auth/callback?error=access_denied&{}",
            kept["state"].as_str().unwrap()
        );
        // Another browser, which has no such cookie, is told nothing.
        let stranger = get(&world, &path, &json!("x=y"), "").await;
        stranger.assert(400, "invalid_transaction");
        let answer = get(&world, &path, &kept["transaction"], "").await;
        answer.assert(409, "login_refused");
        assert!(answer.set_cookie_lines()[0].contains("Max-Age=0"));
        host.revoke(grant).await;
        let ended = get(&world, "/api/auth/me", &kept["page"], "").await;
        ended.assert(401, "not_authenticated");
    }
}

// E64: while two releases run side by side, each reads what the other writes.
#[test]
fn a_session_of_the_next_release_is_read_and_so_is_one_of_the_first() {
    let first = json!({
        "issuer": "https://provider.test/", "subject": "auth0|ada", "provider_session": null,
        "claims": {}, "id_token": null, "refresh_token": null, "granted_scope": "openid",
        "access_tokens": [{
            "audience": null, "requested_scope": null, "token": "t", "expires_at": 1,
            "scope": "openid", "permissions": [],
        }],
        "absolute_expiry": 1,
    });
    let session: Session = serde_json::from_value(first.clone()).unwrap();
    assert!(!session.is_refresh_token_rotated);
    assert_eq!(session.access_tokens[0].issued_at, 0);
    let mut next = serde_json::to_value(&session).unwrap();
    next["of_the_next_release"] = json!({ "x": 1 });
    next["access_tokens"][0]["of_the_next_release"] = json!(true);
    let session: Session = serde_json::from_value(next).unwrap();
    assert_eq!(session.subject, "auth0|ada");
}

#[tokio::test]
#[ignore = "writes a fixture: run it by name, once a release"]
async fn write_a_release() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    // On its way when the release is replaced.
    let waiting = world.browser();
    let authorize = waiting.begin_popup(&Handoff::new(&world)).await;
    let query = authorize.query_pairs();
    let state: Vec<String> = query
        .filter(|(name, _)| name == "state")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let cookie = |name: &str, value: String| format!("{name}={value}");
    let transaction = waiting.transactions().remove(0);
    let frame = someone.browser.all_cookies();
    let frame = frame
        .into_iter()
        .find(|(name, _)| name.ends_with("-frame"))
        .unwrap();
    let kept = json!({
        "page": cookie("component-auth0", someone.browser.cookies_of_window("component-auth0")),
        "frame": cookie(&frame.0, frame.1),
        "grant": someone.grant(),
        "transaction": cookie(&transaction, waiting.cookies_of_window(&transaction)),
        "state": state[0],
    });
    let database = world.directory.path().join("sessions.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let copy = fixture("next", "sqlite");
    std::fs::remove_file(&copy).ok();
    database
        .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    let kept = serde_json::to_string_pretty(&kept).unwrap();
    std::fs::write(fixture("next", "json"), kept + "\n").unwrap();
}
