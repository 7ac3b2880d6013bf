//! What the Foundation's plans never send (B60 to B74).

use http::StatusCode;
use serde_json::{Value, json};

use super::{RelyingParty, ResponseMode, claims, in_both_response_modes, passed};
use crate::harness::Fault;

in_both_response_modes![
    b60_an_expired_id_token,
    b61_an_id_token_that_expired_within_the_skew,
    b62_an_id_token_issued_in_the_future,
    b63_an_id_token_that_is_not_yet_valid,
    b64_several_audiences_without_an_authorized_party,
    b65_an_id_token_issued_to_another_client,
    b66_a_response_of_another_issuer_or_of_none,
    b67_a_code_that_stands_twice,
    b68_a_token_response_without_id_token,
    b69_other_spellings_and_other_kinds_of_token_type,
    b70_a_login_longer_ago_than_max_age,
    b71_an_acr_that_was_asked_for_and_is_missing,
    b72_two_states,
    b73_an_extra_large_state,
    b74_an_at_hash_of_another_access_token,
];

/// Some claims are relative to the time of the login.
async fn login_with(mode: ResponseMode, patch: impl Fn(i64) -> Value) -> RelyingParty {
    let party = RelyingParty::new(mode).await;
    let patch = claims(&patch(party.world.clock.seconds()));
    let faults = party.world.tenant.faults();
    faults.set(|plan| plan.id_token.claims = patch);
    party
}

async fn rejected_claims(mode: ResponseMode, patch: impl Fn(i64) -> Value) {
    let party = login_with(mode, patch).await;
    party.login().await.rejected(502, "provider_error").await;
}

async fn b60_an_expired_id_token(mode: ResponseMode) {
    rejected_claims(mode, |now| json!({"exp": now - 61})).await;
}

// Our clocks may differ a little.
async fn b61_an_id_token_that_expired_within_the_skew(mode: ResponseMode) {
    let party = login_with(mode, |now| json!({"exp": now - 30})).await;
    party.login().await.accepted().await;
}

async fn b62_an_id_token_issued_in_the_future(mode: ResponseMode) {
    rejected_claims(mode, |now| json!({"iat": now + 3600})).await;
}

async fn b63_an_id_token_that_is_not_yet_valid(mode: ResponseMode) {
    rejected_claims(mode, |now| json!({"nbf": now + 3600})).await;
}

async fn b64_several_audiences_without_an_authorized_party(mode: ResponseMode) {
    let several = json!({"aud": [dev_tenant::APP_CLIENT_ID, "other"], "azp": null});
    rejected_claims(mode, |_| several.clone()).await;
}

async fn b65_an_id_token_issued_to_another_client(mode: ResponseMode) {
    rejected_claims(mode, |_| json!({"azp": "another-client"})).await;
}

// RFC 9207, D36: the mix-up attack. The code stays here.
async fn b66_a_response_of_another_issuer_or_of_none(mode: ResponseMode) {
    let faults: [Fault; 3] = [
        |plan| plan.authorize.wrong_iss = Some("https://evil.test/".into()),
        |plan| plan.authorize.wrong_iss = Some(String::new()),
        |plan| plan.authorize.omit_iss = true,
    ];
    for fault in faults {
        let party = RelyingParty::with_fault(mode, fault).await;
        let outcome = party.login().await;
        outcome.rejected(502, "provider_error").await;
        assert_eq!(outcome.requests("token"), 0);
    }
}

/// Two readers could understand two responses. The honest one still counts after it.
async fn repeated(mode: ResponseMode, name: &str, value: Option<&str>) {
    let party = RelyingParty::new(mode).await;
    let authorize = party.begin(&[]).await;
    let mut response = party.authenticate(&authorize).await;
    let honest = party.authenticate(&authorize).await;
    let own = response.parameter(name);
    response.repeat(name, value.unwrap_or(&own));
    party.deliver(response).await.ignored().await;
    party.deliver(honest).await.accepted().await;
}

async fn b67_a_code_that_stands_twice(mode: ResponseMode) {
    repeated(mode, "code", None).await;
    repeated(mode, "code", Some("another")).await;
    repeated(mode, "iss", None).await;
}

async fn b68_a_token_response_without_id_token(mode: ResponseMode) {
    let party = RelyingParty::with_fault(mode, |plan| plan.token.omit_id_token = true).await;
    party.login().await.rejected(502, "provider_error").await;
}

// RFC 6749 §5.1: the type is compared without regard to case.
async fn b69_other_spellings_and_other_kinds_of_token_type(mode: ResponseMode) {
    for (token_type, is_bearer) in [
        ("bearer", true),
        ("BEARER", true),
        ("mac", false),
        ("DPoP", false),
        ("", false),
    ] {
        let fault = Some(token_type.to_owned());
        let party = RelyingParty::with_fault(mode, |plan| plan.token.token_type = fault).await;
        let outcome = party.login().await;
        if is_bearer {
            outcome.accepted().await;
        } else {
            outcome.rejected(502, "provider_error").await;
        }
    }
}

/// What was asked for is verified.
async fn asked_for(mode: ResponseMode, option: (&str, &str), patch: impl Fn(i64) -> Value) {
    let settings = [("LOGIN_OPTIONS", "max_age,acr_values")];
    let party = RelyingParty::with(mode, &settings).await;
    let patch = claims(&patch(party.world.clock.seconds()));
    let faults = party.world.tenant.faults();
    faults.set(|plan| plan.id_token.claims = patch);
    let authorize = party.begin(&[option]).await;
    let response = party.authenticate(&authorize).await;
    let outcome = party.deliver(response).await;
    outcome.rejected(502, "provider_error").await;
}

async fn b70_a_login_longer_ago_than_max_age(mode: ResponseMode) {
    let option = ("max_age", "60");
    asked_for(mode, option, |now| json!({"auth_time": now - 3600})).await;
    asked_for(mode, option, |_| json!({"auth_time": null})).await;
}

async fn b71_an_acr_that_was_asked_for_and_is_missing(mode: ResponseMode) {
    let option = ("acr_values", "urn:strong");
    asked_for(mode, option, |_| json!({})).await;
    asked_for(mode, option, |_| json!({"acr": "urn:weak"})).await;
}

async fn b72_two_states(mode: ResponseMode) {
    repeated(mode, "state", None).await;
    repeated(mode, "state", Some("another")).await;
}

async fn b73_an_extra_large_state(mode: ResponseMode) {
    let party = RelyingParty::new(mode).await;
    let authorize = party.begin(&[]).await;
    let mut response = party.authenticate(&authorize).await;
    response.replace("state", &"x".repeat(10_000));
    let outcome = party.deliver(response).await;
    outcome.ignored().await;
    assert_eq!(outcome.answer.status, StatusCode::BAD_REQUEST);
}

async fn b74_an_at_hash_of_another_access_token(mode: ResponseMode) {
    let other = json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"});
    rejected_claims(mode, |_| other.clone()).await;
    // Absent it may be: OpenID Connect Core §3.1.3.6.
    let party = login_with(mode, |_| json!({"at_hash": null})).await;
    party.login().await.accepted().await;
}
