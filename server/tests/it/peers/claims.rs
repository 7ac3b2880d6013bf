//! A17: who somebody is, is issuer and subject. An e-mail address is text about them: no
//! rule of ours reads it, and it counts as verified only where the provider says `true`.

use serde_json::{Map, Value, json};

use crate::harness::{Host, World};

async fn redeemed_with(world: &World, claims: Value) -> Value {
    let Value::Object(claims) = claims else {
        unreachable!("an object of claims")
    };
    let claims: Map<String, Value> = claims;
    world
        .tenant
        .faults()
        .set(|plan| plan.id_token.claims = claims);
    let (browser, host) = (world.browser(), Host::new(world));
    let frame = browser.sign_in_frame(world, &host, "ada").await;
    world.tenant.faults().reset();
    let ticket = frame["ticket"].as_str().unwrap();
    host.redeem(ticket).await.ok()["user"].clone()
}

#[tokio::test]
async fn an_address_is_verified_only_where_the_provider_says_true() {
    let world = World::new().await;
    for (said, expected) in [
        (json!(true), true),
        (json!(false), false),
        (json!(null), false),
        (json!("true"), false),
        (json!("TRUE"), false),
        (json!(1), false),
        (json!([true]), false),
    ] {
        let user = redeemed_with(&world, json!({ "email_verified": said })).await;
        assert_eq!(user["email_verified"], expected, "{said}");
    }
}

#[tokio::test]
async fn an_odd_address_makes_nobody_somebody_else() {
    let world = World::new().await;
    let too_long = format!("{}@example.com", "a".repeat(2_000));
    for address in [
        "grace@example.com",
        "ada@evil.test@example.com",
        "ada@example.com@evil.test",
        "no-address",
        "@",
        "\"a b\"@example.com",
        "ada@EXAMPLE.COM.",
        "аda@example.com",
        "ada@example.com\u{0}@evil.test",
        "ada@example.com\r\nbcc: x@evil.test",
        &too_long,
    ] {
        let user = redeemed_with(&world, json!({ "email": address })).await;
        assert_eq!(user["sub"], "auth0|ada", "{address:?}");
        assert_eq!(user["issuer"], world.tenant.issuer(), "{address:?}");
    }
}
