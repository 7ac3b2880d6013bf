//! C.4: tokens of another kind, for somebody else, or from somebody else. (That an access
//! token is no identity at the companion is tested in `oidc`.)

use serde_json::{Value, json};
use test_tokens::Key;

use super::bench::{
    AUDIENCE, Bench, NOW,
    Verdict::{Accepted, Invalid},
    case, not_applicable, sign,
};

fn typed(media_type: &str) -> Value {
    let mut header = Key::first().header();
    header["typ"] = json!(media_type);
    header
}

#[tokio::test]
async fn id_tokens_open_nothing() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let id_token = json!({
        "iss": bench.provider.url, "sub": "auth0|ada", "aud": "client", "iat": NOW,
        "exp": NOW + 600, "nonce": "n", "at_hash": "h", "sid": "s", "name": "Ada",
    });
    let with = |change: &dyn Fn(&mut Value)| {
        let mut claims = id_token.clone();
        change(&mut claims);
        sign(&claims)
    };
    // The provider was made to name a client like the API.
    let namesake = with(&|claims| claims["aud"] = json!(AUDIENCE));
    let without_nonce = with(&|claims| {
        claims["aud"] = json!(AUDIENCE);
        claims.as_object_mut().unwrap().remove("nonce");
    });
    let both = with(&|claims| {
        claims["aud"] = json!(["client", AUDIENCE]);
        claims["scope"] = json!("read:messages");
    });
    let forbidden = Invalid("forbidden_claim");
    bench
        .judge(&[
            case(
                "C48",
                "ID token",
                &sign(&id_token),
                Invalid("wrong_audience"),
            ),
            case(
                "C48",
                "ID token of a client named like the API",
                &namesake,
                forbidden,
            ),
            case("C48", "the same, refreshed", &without_nonce, forbidden),
            case("C48", "ID token for both, with a scope", &both, forbidden),
        ])
        .await;
}

#[tokio::test]
async fn other_tokens_of_the_same_provider_open_nothing() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let key = Key::first();
    let logout = json!({
        "iss": bench.provider.url, "aud": AUDIENCE, "iat": NOW, "exp": NOW + 120, "jti": "j",
        "sub": "auth0|ada", "scope": "read:messages",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    });
    let userinfo = json!({"iss": bench.provider.url, "sub": "auth0|ada", "aud": "client"});
    let assertion = json!({
        "iss": "client", "sub": "client", "aud": format!("{}/token", bench.provider.url),
        "iat": NOW, "exp": NOW + 60, "jti": "j",
    });
    let proof = json!({"htm": "GET", "htu": bench.url, "iat": NOW, "jti": "j"});
    let mut proof_header = typed("dpop+jwt");
    proof_header["jwk"] = key.jwk();
    let wrong_type = Invalid("wrong_type");
    let other_api = bench.with_claim("aud", json!("https://other.test/api"));
    let userinfo_endpoint =
        bench.with_claim("aud", json!(format!("{}/userinfo", bench.provider.url)));
    bench
        .judge(&[
            case(
                "C49",
                "opaque refresh token",
                "v1.MRjcQEwTh0u-Q6cnw6kg",
                Invalid("not_compact_jws"),
            ),
            case(
                "C49",
                "refresh token of three parts",
                "v001.MRjcQEwTh0u4.Q6cnw6kg",
                Invalid("not_a_json_object"),
            ),
            case(
                "C49",
                "logout token",
                &key.sign(&typed("logout+jwt"), &logout),
                wrong_type,
            ),
            case(
                "C49",
                "logout token without its type",
                &sign(&logout),
                Invalid("forbidden_claim"),
            ),
            case(
                "C49",
                "userinfo JWT",
                &sign(&userinfo),
                Invalid("wrong_audience"),
            ),
            case(
                "C49",
                "client assertion",
                &sign(&assertion),
                Invalid("wrong_issuer"),
            ),
            case(
                "C49",
                "DPoP proof",
                &key.sign(&proof_header, &proof),
                wrong_type,
            ),
            case(
                "C49",
                "token of another API",
                &other_api,
                Invalid("wrong_audience"),
            ),
            case(
                "C49",
                "token for userinfo alone",
                &userinfo_endpoint,
                Invalid("wrong_audience"),
            ),
        ])
        .await;
}

#[tokio::test]
async fn tokens_of_another_tenant_open_nothing() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let mut claims = bench.claims();
    let same_name = Key::second().sign(&Key::first().header(), &claims);
    let other_name = Key::second().sign(&Key::second().header(), &claims);
    claims["iss"] = json!(bench.attacker.url);
    let own_issuer = Key::second().sign(&Key::second().header(), &claims);
    bench
        .judge(&[
            case(
                "C49 E23",
                "another tenant's key of the same kid",
                &same_name,
                Invalid("wrong_signature"),
            ),
            case(
                "C49",
                "another tenant's key",
                &other_name,
                Invalid("unknown_key"),
            )
            .of_unknown_key(),
            case(
                "C49",
                "another tenant's token",
                &own_issuer,
                Invalid("unknown_key"),
            )
            .of_unknown_key(),
        ])
        .await;
}

/// The demonstration's routes ask for rights, not for persons: a machine that was granted
/// one may use it. A route for persons would look at the subject.
#[tokio::test]
async fn machines_may_do_what_they_were_granted() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let mut claims = bench.claims();
    claims["sub"] = json!("client@clients");
    claims["gty"] = json!("client-credentials");
    let granted = sign(&claims);
    claims["scope"] = json!("");
    let without = sign(&claims);
    bench
        .judge(&[
            case("C49", "machine with the scope", &granted, Accepted),
            case(
                "C49",
                "machine without",
                &without,
                super::bench::Verdict::Forbidden,
            ),
        ])
        .await;
    not_applicable(
        "C49",
        "a revoked person's live token: accepted until exp, which is the price of tokens that are not asked about",
    );
}
