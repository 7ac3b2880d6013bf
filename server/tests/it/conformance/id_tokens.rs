//! What the ID token of a token response must be (OpenID Connect Core §3.1.3.7): each
//! module sends one with one thing wrong, or unusual.

use std::io::ErrorKind;
use std::net::TcpListener;

use dev_tenant::{APP_CLIENT_SECRET, FaultPlan};
use serde_json::{Value, json};

use super::{RelyingParty, ResponseMode, claims, in_both_response_modes, passed};

in_both_response_modes![
    oidcc_client_test,
    oidcc_client_test_invalid_iss,
    oidcc_client_test_missing_sub,
    oidcc_client_test_invalid_aud,
    oidcc_client_test_missing_aud,
    oidcc_client_test_missing_iat,
    oidcc_client_test_kid_absent_single_jwks,
    oidcc_client_test_kid_absent_multiple_jwks,
    oidcc_client_test_idtoken_sig_rs256,
    oidcc_client_test_idtoken_sig_none,
    oidcc_client_test_invalid_sig_rs256,
    oidcc_client_test_invalid_sig_hs256,
    oidcc_client_test_invalid_sig_es256,
    oidcc_client_test_nonce_invalid,
    oidcc_client_test_nonce_unless_code_flow,
    oidcc_client_test_scope_userinfo_claims,
    oidcc_client_test_invalid_athash,
    oidcc_client_test_aggregated_claims,
    oidcc_client_test_distributed_claims,
];

async fn rejected(mode: ResponseMode, fault: impl FnOnce(&mut FaultPlan)) {
    let party = RelyingParty::with_fault(mode, fault).await;
    let outcome = party.login().await;
    outcome.rejected(502, "provider_error").await;
    assert_eq!(outcome.requests("token"), 1);
}

async fn rejected_claims(mode: ResponseMode, patch: Value) {
    rejected(mode, |plan| plan.id_token.claims = claims(&patch)).await;
}

async fn oidcc_client_test(mode: ResponseMode) {
    let party = RelyingParty::new(mode).await;
    let outcome = party.login().await;
    let redeemed = outcome.accepted().await;
    assert_eq!(redeemed["user"]["sub"], "auth0|ada");
    assert_eq!(outcome.requests("token"), 1);
    // The ID token tells all; the access token is not spent on userinfo.
    assert_eq!(outcome.requests("userinfo"), 0);
}

async fn oidcc_client_test_invalid_iss(mode: ResponseMode) {
    rejected_claims(mode, json!({"iss": "https://evil.test/"})).await;
    let party = RelyingParty::new(mode).await;
    // Prefix of the right one (GHSA-75c5-xw7c-p5pm).
    let bare = party.world.tenant.issuer().trim_end_matches('/').to_owned();
    let patch = claims(&json!({ "iss": bare }));
    let faults = party.world.tenant.faults();
    faults.set(|plan| plan.id_token.claims = patch);
    party.login().await.rejected(502, "provider_error").await;
}

async fn oidcc_client_test_missing_sub(mode: ResponseMode) {
    rejected_claims(mode, json!({"sub": null})).await;
}

async fn oidcc_client_test_invalid_aud(mode: ResponseMode) {
    rejected_claims(mode, json!({"aud": "another-client"})).await;
}

async fn oidcc_client_test_missing_aud(mode: ResponseMode) {
    rejected_claims(mode, json!({"aud": null})).await;
}

async fn oidcc_client_test_missing_iat(mode: ResponseMode) {
    rejected_claims(mode, json!({"iat": null})).await;
}

async fn oidcc_client_test_kid_absent_single_jwks(mode: ResponseMode) {
    let no_kid = claims(&json!({"kid": null}));
    let party = RelyingParty::with_fault(mode, |plan| plan.id_token.header = no_kid).await;
    party.login().await.accepted().await;
}

// Either is allowed. To try all keys would turn "this key signed it" into "some key did".
async fn oidcc_client_test_kid_absent_multiple_jwks(mode: ResponseMode) {
    let no_kid = claims(&json!({"kid": null}));
    let party = RelyingParty::with_fault(mode, |plan| plan.id_token.header = no_kid).await;
    party.world.tenant.rotate_keys();
    party.login().await.rejected(502, "provider_error").await;
}

async fn oidcc_client_test_idtoken_sig_rs256(mode: ResponseMode) {
    let rs256 = claims(&json!({"alg": "RS256"}));
    let party = RelyingParty::with_fault(mode, |plan| plan.id_token.header = rs256).await;
    party.login().await.accepted().await;
}

// Either is allowed over the code flow; we do not believe what nobody signed.
async fn oidcc_client_test_idtoken_sig_none(mode: ResponseMode) {
    rejected(mode, |plan| plan.id_token.alg_none = true).await;
}

async fn oidcc_client_test_invalid_sig_rs256(mode: ResponseMode) {
    rejected(mode, |plan| plan.id_token.bad_signature = true).await;
}

// The right secret makes it no better: configuration says RS256 (C03).
async fn oidcc_client_test_invalid_sig_hs256(mode: ResponseMode) {
    for secret in ["another secret", APP_CLIENT_SECRET] {
        let secret = Some(secret.to_owned());
        rejected(mode, |plan| plan.id_token.hs256_secret = secret).await;
    }
}

async fn oidcc_client_test_invalid_sig_es256(mode: ResponseMode) {
    rejected(mode, |plan| plan.id_token.es256 = true).await;
}

async fn oidcc_client_test_nonce_invalid(mode: ResponseMode) {
    rejected(mode, |plan| plan.id_token.wrong_nonce = true).await;
    rejected_claims(mode, json!({"nonce": null})).await;
}

async fn oidcc_client_test_nonce_unless_code_flow(mode: ResponseMode) {
    let mut party = RelyingParty::new(mode).await;
    let mut nonces = Vec::new();
    for _ in 0..2 {
        party.login().await.accepted().await;
        let request = party.world.tenant.journal().last_authorization_request;
        nonces.push(request["nonce"].clone());
        party = party.another();
    }
    assert!(nonces.iter().all(|nonce| nonce.len() >= 43), "256 bits");
    assert_ne!(nonces[0], nonces[1]);
}

// The claims come in the ID token; what the scope asked for reaches the app.
async fn oidcc_client_test_scope_userinfo_claims(mode: ResponseMode) {
    let scope = "openid profile email address phone";
    let party = RelyingParty::with(mode, &[("AUTH0_SCOPE", scope)]).await;
    let address = json!({"locality": "London", "country": "GB"});
    let released = claims(&json!({"phone_number": "+44 20 7946 0000", "address": address}));
    party
        .world
        .tenant
        .change_user("ada", |user| user.claims = released);
    let redeemed = party.login().await.accepted().await;
    let request = party.world.tenant.journal().last_authorization_request;
    assert_eq!(request["scope"], scope);
    let user = &redeemed["user"];
    assert_eq!(user["name"], "Ada Lovelace");
    assert_eq!(user["email_verified"], true);
    assert_eq!(user["claims"]["phone_number"], "+44 20 7946 0000");
    assert_eq!(user["claims"]["address"], address);
}

// B74: optional in the code flow, but what is there must match.
async fn oidcc_client_test_invalid_athash(mode: ResponseMode) {
    rejected_claims(mode, json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"})).await;
}

async fn oidcc_client_test_aggregated_claims(mode: ResponseMode) {
    let patch = claims(&json!({
        "_claim_names": {"address": "src1"},
        "_claim_sources": {"src1": {"JWT": "eyJhbGciOiJub25lIn0.e30."}},
    }));
    let party = RelyingParty::with_fault(mode, |plan| plan.id_token.claims = patch).await;
    let redeemed = party.login().await.accepted().await;
    // Signed by somebody else: never taken for the provider's word.
    assert!(redeemed["user"]["claims"].get("address").is_none());
}

// Accepted, and not fetched: a URL in a token must not make us send a request (SSRF).
async fn oidcc_client_test_distributed_claims(mode: ResponseMode) {
    let claims_endpoint = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    claims_endpoint.set_nonblocking(true).unwrap();
    let url = format!("http://{}/claims", claims_endpoint.local_addr().unwrap());
    let patch = claims(&json!({
        "_claim_names": {"address": "src1"},
        "_claim_sources": {"src1": {"endpoint": url, "access_token": "x"}},
    }));
    let party = RelyingParty::with_fault(mode, |plan| plan.id_token.claims = patch).await;
    party.login().await.accepted().await;
    let nobody_came = claims_endpoint.accept().unwrap_err();
    assert_eq!(nobody_came.kind(), ErrorKind::WouldBlock);
}
