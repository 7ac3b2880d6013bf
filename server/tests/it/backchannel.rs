//! `/api/auth/backchannel-logout`: only the provider's own logout token ends a session
//! (OpenID Connect Back-Channel Logout 1.0 §2.6).

use axum::body::Body;
use dev_tenant::APP_CLIENT_ID;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::harness::{Answer, CapturedLog, Host, SignedIn, StoreFaults, World};

pub(crate) const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const PATH: &str = "/api/auth/backchannel-logout";

pub(crate) const SESSION_ID: &str = "session-of-the-test-at-the-provider";

/// Signs in with a provider session whose id the test knows.
pub(crate) async fn signed_in(world: &World, username: &str) -> SignedIn {
    let claims = Map::from_iter([("sid".to_owned(), json!(SESSION_ID))]);
    world
        .tenant
        .faults()
        .set(|plan| plan.id_token.claims = claims);
    let someone = world.signed_in(username).await;
    world.tenant.faults().reset();
    someone
}

/// What the provider says at the end of that session.
pub(crate) fn good_claims(world: &World, token_id: &str) -> Value {
    let now = world.clock.seconds();
    json!({
        "iss": world.tenant.issuer(),
        "aud": APP_CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": token_id,
        "sid": SESSION_ID,
        "events": { EVENT: {} },
    })
}

pub(crate) fn signed(world: &World, claims: &Value) -> String {
    let header = Map::from_iter([("typ".to_owned(), json!("logout+jwt"))]);
    world.tenant.sign_raw(claims, &header)
}

/// The provider shows no credential of a Streamlit host, and sends no `Origin`.
pub(crate) async fn deliver(world: &World, token: &str) -> Answer {
    let body = serde_urlencoded::to_string([("logout_token", token)]).unwrap();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    Host::new(world)
        .showing(vec![])
        .send(PATH, &form, body)
        .await
}

#[tokio::test]
async fn a_logout_token_with_the_subject_ends_all_sessions_of_that_person() {
    let world = World::new().await;
    let one = world.signed_in("ada").await;
    let two = world.signed_in("ada").await;
    let other = world.signed_in("grace").await;
    let mut claims = good_claims(&world, "jti-1");
    claims.as_object_mut().unwrap().remove("sid");
    claims["sub"] = json!("auth0|ada");
    assert_eq!(
        deliver(&world, &signed(&world, &claims)).await.status,
        StatusCode::OK
    );
    one.host
        .session(one.grant())
        .await
        .assert(401, "session_ended");
    two.host
        .session(two.grant())
        .await
        .assert(401, "session_ended");
    other.host.session(other.grant()).await.ok();
}

/// Beyond B52 to B57 (see `conformance::backchannel`), each with one thing wrong.
#[tokio::test]
async fn a_logout_token_with_one_thing_wrong_is_refused_and_ends_nothing() {
    let world = World::new().await;
    let someone = signed_in(&world, "ada").await;
    let now = world.clock.seconds();
    let patches = [
        ("neither session nor subject", json!({"sid": null})),
        ("no jti", json!({"jti": null})),
        ("no iat", json!({"iat": null})),
        ("issued in the future", json!({"iat": now + 3600})),
        ("expired", json!({"exp": now - 61})),
    ];
    for (what, patch) in patches {
        let mut claims = good_claims(&world, what);
        for (name, value) in patch.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        let answer = deliver(&world, &signed(&world, &claims)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "invalid_request".into()),
            "{what}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    someone.host.session(someone.grant()).await.ok();
    let good = good_claims(&world, "good");
    assert_eq!(
        deliver(&world, &signed(&world, &good)).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_logout_token_that_the_provider_did_not_sign_is_refused() {
    let world = World::new().await;
    let stranger = World::new().await;
    stranger.tenant.replace_keys();
    let someone = signed_in(&world, "ada").await;
    let claims = good_claims(&world, "jti");
    let honest = signed(&world, &claims);
    let header = |name: &str, value: Value| Map::from_iter([(name.to_owned(), value)]);
    let (signing_input, signature) = honest.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for (what, token) in [
        (
            "a flipped bit",
            format!("{signing_input}.{flipped}{}", &signature[1..]),
        ),
        (
            "another provider's key",
            stranger.tenant.sign_raw(&claims, &Map::new()),
        ),
        (
            "an access token's type",
            world
                .tenant
                .sign_raw(&claims, &header("typ", json!("at+jwt"))),
        ),
        ("nothing", String::new()),
        ("no JWT", "x.y".into()),
        (
            "an access token",
            someone.redeemed["access_token"]
                .as_str()
                .unwrap()
                .to_owned(),
        ),
    ] {
        let answer = deliver(&world, &token).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
    }
    someone.host.session(someone.grant()).await.ok();
}

#[tokio::test]
async fn a_logout_token_counts_once() {
    let world = World::new().await;
    signed_in(&world, "ada").await;
    let token = signed(&world, &good_claims(&world, "jti-1"));
    assert_eq!(deliver(&world, &token).await.status, StatusCode::OK);
    deliver(&world, &token).await.assert(400, "invalid_request");
}

// The provider sends it again, and then it must not pass for a replay.
#[tokio::test]
async fn a_logout_token_that_met_a_fault_of_the_store_counts_the_next_time() {
    for operation in [
        "put_handle",
        "sessions_of_provider_session",
        "end_session",
        "take_handle",
    ] {
        let world = World::new().await;
        let faults = StoreFaults::default();
        let world = world.behind(|store| faults.before(store));
        let someone = signed_in(&world, "ada").await;
        let token = signed(&world, &good_claims(&world, "jti-1"));
        // Nothing can be undone either: the store is away.
        faults.fail(operation, 0, 1);
        faults.fail("remove_handle", 0, usize::MAX);
        let answer = deliver(&world, &token).await;
        answer.assert(503, "store_unavailable");
        assert!(!answer.header("retry-after").is_empty());
        let again = deliver(&world, &token).await;
        assert_eq!(again.status, StatusCode::OK, "{operation}: {}", again.body);
        let ended = someone.host.session(someone.grant()).await;
        ended.assert(401, "session_ended");
        deliver(&world, &token).await.assert(400, "invalid_request");
    }
}

// Anybody can send them: neither log nor processor is theirs to use up.
#[tokio::test]
async fn refused_logout_tokens_are_limited_and_a_good_one_never_is() {
    let log = CapturedLog::start();
    let world = World::new().await;
    let someone = signed_in(&world, "ada").await;
    let good = signed(&world, &good_claims(&world, "jti-1"));
    assert_eq!(deliver(&world, &good).await.status, StatusCode::OK);
    for number in 0..60 {
        // What was obeyed once is a refused one the next time, and counts like one.
        let token = if number % 2 == 0 { "junk" } else { &good };
        deliver(&world, token).await.assert(400, "invalid_request");
    }
    let lines = || log.text().matches("event=\"logout_token_re").count();
    assert_eq!(lines(), 60);
    for token in ["junk", "a.b.c", &good] {
        let answer = deliver(&world, token).await;
        answer.assert(429, "rate_limited");
        assert!(!answer.header("retry-after").is_empty());
    }
    assert_eq!(lines(), 60);
    // The provider is heard all the same. Its logout of this second is over by then.
    world.clock.advance(1);
    someone
        .host
        .session(someone.grant())
        .await
        .assert(401, "session_ended");
    let other = signed_in(&world, "grace").await;
    let good = signed(&world, &good_claims(&world, "jti-2"));
    assert_eq!(deliver(&world, &good).await.status, StatusCode::OK);
    other
        .host
        .session(other.grant())
        .await
        .assert(401, "session_ended");
    // What was before there was a limit, and is where there is none.
    let unlimited = world.restarted(&[("RATE_LIMIT_PER_MINUTE", "off")]);
    for _ in 0..70 {
        let answer = deliver(&unlimited, "junk").await;
        answer.assert(400, "invalid_request");
    }
}

#[tokio::test]
async fn a_logout_token_for_a_session_that_nobody_knows_is_200() {
    let world = World::new().await;
    let someone = signed_in(&world, "ada").await;
    let mut claims = good_claims(&world, "jti-1");
    claims["sid"] = json!("unknown");
    assert_eq!(
        deliver(&world, &signed(&world, &claims)).await.status,
        StatusCode::OK
    );
    someone.host.session(someone.grant()).await.ok();
}

#[tokio::test]
async fn a_body_that_is_no_logout_form_is_refused() {
    let world = World::new().await;
    let host = Host::new(&world).showing(vec![]);
    for (kind, body) in [
        ("application/json", "{\"logout_token\":\"x\"}"),
        ("application/x-www-form-urlencoded", ""),
        ("application/x-www-form-urlencoded", "token=x"),
        ("application/x-www-form-urlencoded", "logout_token=%ff"),
        ("text/plain", "logout_token=x"),
    ] {
        host.send(PATH, &[("content-type", kind)], body)
            .await
            .assert(400, "invalid_request");
    }
    let large = Body::from(format!("logout_token={}", "x".repeat(70_000)));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert!(host.send(PATH, &form, large).await.status.is_client_error());
}
