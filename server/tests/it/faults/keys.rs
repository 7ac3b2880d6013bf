//! The provider's keys (E15 to E24), as far as it takes the whole companion: what can be seen
//! of one verifier alone is in `oidc`.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::strange_provider::{Reply, StrangeProvider};
use crate::backchannel::{deliver, good_claims, signed, signed_in};
use crate::harness::World;

const KEYS: &str = "/jwks";

fn fetches(world: &World) -> u64 {
    world.tenant.journal().requests_to("jwks")
}

// E15, E16, E18: with logins under way. A key that was withdrawn is worth nothing from the
// moment at which we hear of it.
#[tokio::test]
async fn keys_rotate_between_and_during_logins() {
    let world = World::new().await;
    let browser = world.browser();
    assert_eq!(
        browser.page_login("ada").await.header("location"),
        "/signed-in"
    );
    world.tenant.rotate_keys();
    let another = world.browser();
    let authorize = another.begin_page().await;
    let callback = another.authenticate(&authorize, "grace").await;
    world.tenant.replace_keys();
    world.clock.advance(31);
    assert_eq!(
        another.arrive(&callback).await.header("location"),
        "/signed-in"
    );
    assert_eq!(fetches(&world), 2);
    browser.page_get("/api/auth/me").await.ok();
}

// E08, E17
#[tokio::test]
async fn no_redirect_of_the_keys_is_followed() {
    let provider = StrangeProvider::start().await;
    let world = World::new().await;
    let elsewhere = provider.url("/elsewhere");
    let moved = Map::from_iter([("jwks_uri".to_owned(), json!(provider.url(KEYS)))]);
    world
        .tenant
        .faults()
        .set(|plan| plan.discovery.body = moved);
    for target in [
        elsewhere.as_str(),
        "http://169.254.169.254/",
        "file:///etc/passwd",
    ] {
        provider.answers(KEYS, Reply::redirect("302 x", target));
        world.clock.advance(60);
        let answer = world.browser().page_login("ada").await;
        answer.assert_page(503, "provider_unavailable");
        assert!(!answer.sets_session_cookie());
    }
    assert_eq!(provider.requests_to(KEYS), 3);
    assert_eq!(provider.requests_to("/elsewhere"), 0);
}

// E07: refused at its size, before anything is parsed.
#[tokio::test]
async fn a_set_of_a_million_keys_is_refused() {
    let provider = StrangeProvider::start().await;
    let world = World::new().await;
    let moved = Map::from_iter([("jwks_uri".to_owned(), json!(provider.url(KEYS)))]);
    world
        .tenant
        .faults()
        .set(|plan| plan.discovery.body = moved);
    let many = format!(
        r#"{{"keys":[{}{{}}]}}"#,
        r#"{"kty":"RSA"},"#.repeat(1_000_000)
    );
    provider.answers(KEYS, Reply::json(many));
    let answer = world.browser().page_login("ada").await;
    answer.assert_page(503, "provider_unavailable");
    assert!(!answer.sets_session_cookie());
}

// E20, E21
#[tokio::test]
async fn keys_that_cannot_be_had_any_more_leave_the_last_good_ones() {
    type Spoil = fn(&mut dev_tenant::EndpointFault);
    let spoils: [(&str, Spoil); 5] = [
        ("500", |keys| keys.status = Some(500)),
        ("HTML", |keys| keys.html = true),
        ("broken off", |keys| keys.malformed = true),
        ("empty", |keys| keys.empty = true),
        ("only bad ones", |keys| {
            let bad = json!([{ "kty": "oct", "k": "AAAA" }]);
            keys.body = Map::from_iter([("keys".to_owned(), bad)]);
        }),
    ];
    for (what, spoil) in spoils {
        let world = World::new().await;
        world.browser().page_login("ada").await;
        world.tenant.faults().set(|plan| spoil(&mut plan.jwks));
        world.clock.advance(700);
        let answer = world.browser().page_login("grace").await;
        assert_eq!(
            answer.header("location"),
            "/signed-in",
            "{what}: {}",
            answer.body
        );
        assert_eq!(fetches(&world), 2, "{what}");
    }
}

// E22: nobody needs a credential to send a logout token.
#[tokio::test]
async fn a_flood_of_tokens_of_unknown_keys_makes_one_fetch_and_hinders_nobody() {
    let world = World::with(&[("RATE_LIMIT_PER_MINUTE", "off")]).await;
    let someone = signed_in(&world, "ada").await;
    let before = fetches(&world);
    for number in 0..200 {
        let header = Map::from_iter([
            ("typ".to_owned(), json!("logout+jwt")),
            ("kid".to_owned(), Value::from(format!("made up {number}"))),
        ]);
        let claims = good_claims(&world, &format!("forged {number}"));
        let refused = deliver(&world, &world.tenant.sign_raw(&claims, &header)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(fetches(&world), before + 1);
    // In the middle of it people sign in, and the provider's own token counts.
    let login = world.browser().page_login("grace").await;
    assert_eq!(login.header("location"), "/signed-in");
    someone.host.session(someone.grant()).await.ok();
    let honest = signed(&world, &good_claims(&world, "honest"));
    assert_eq!(deliver(&world, &honest).await.status, StatusCode::OK);
    let ended = someone.host.session(someone.grant()).await;
    ended.assert(401, "session_ended");
    assert_eq!(fetches(&world), before + 1);
}
