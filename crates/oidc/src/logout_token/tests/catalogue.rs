//! Rows of the security catalogue on logout tokens that are no single claim: anybody can
//! post one, so an unsigned or wrongly signed one must end nobody's session (A44: a peer took
//! any JWT).

use test_tokens::{
    compact,
    encodings::{hs256, public_forms},
};

use super::*;
use crate::{
    AllowedAlgorithms,
    test_support::{CLIENT_SECRET, accepted, refused},
};

const ASYMMETRIC: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

impl Fixture {
    /// The good claims under any header and signature.
    async fn verify_under(
        &self,
        header: &Value,
        sign: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<VerifiedLogoutToken, VerificationError> {
        let token = compact(header.to_string(), self.claims().to_string(), sign);
        self.verifier.verify(&token, NOW).await
    }

    fn requests(&self) -> usize {
        self.provider.paths.metadata.requests() + self.provider.paths.jwks.requests()
    }
}

fn rs256(input: &[u8]) -> Vec<u8> {
    Key::first().signature("RS256", input)
}

#[tokio::test]
async fn a_token_that_nobody_signed_is_refused_without_a_request() {
    let fixture = Fixture::new().await;
    for name in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": name, "typ": "logout+jwt", "kid": "first"});
        let unsigned = fixture.verify_under(&header, |_| Vec::new()).await;
        refused("B51 C01 A44", name, unsigned, TokenFault::NotCompactJws);
        let beside_a_good_signature = fixture.verify_under(&header, rs256).await;
        refused(
            "B51 C02 A44",
            name,
            beside_a_good_signature,
            TokenFault::AlgorithmNotAllowed,
        );
    }
    assert_eq!(fixture.requests(), 0);
}

#[tokio::test]
async fn an_algorithm_that_was_not_configured_is_refused_without_a_request() {
    let fixture = Fixture::new().await;
    for algorithm in ASYMMETRIC.into_iter().filter(|name| *name != "RS256") {
        let header = json!({"alg": algorithm, "typ": "logout+jwt", "kid": "first"});
        let result = fixture
            .verify_under(&header, |input| Key::first().signature(algorithm, input))
            .await;
        refused(
            "B54 C07",
            algorithm,
            result,
            TokenFault::AlgorithmNotAllowed,
        );
    }
    let mut secrets = public_forms(Key::first());
    secrets.push(("client secret", CLIENT_SECRET.as_bytes().to_vec()));
    secrets.push(("empty secret", Vec::new()));
    for (form, secret) in secrets {
        let header = json!({"alg": "HS256", "typ": "logout+jwt", "kid": "first"});
        let result = fixture
            .verify_under(&header, |input| hs256(&secret, input))
            .await;
        refused(
            "B54 C03 C05 C08",
            form,
            result,
            TokenFault::AlgorithmNotAllowed,
        );
    }
    assert_eq!(fixture.requests(), 0);
}

/// Where configuration allows more, the key still was published for RS256 alone.
#[tokio::test]
async fn an_algorithm_that_the_key_is_not_for_is_refused() {
    let provider = FakeProvider::start().await;
    let algorithms = AllowedAlgorithms::parse(ASYMMETRIC).unwrap();
    let verifier = provider.provider_with(algorithms).logout_token_verifier();
    let fixture = Fixture { provider, verifier };
    for algorithm in ["RS384", "RS512", "PS256", "ES256", "EdDSA"] {
        let header = json!({"alg": algorithm, "kid": "first"});
        let result = fixture
            .verify_under(&header, |input| Key::first().signature(algorithm, input))
            .await;
        refused("B54 C07", algorithm, result, TokenFault::KeyNotForAlgorithm);
    }
}

#[tokio::test]
async fn a_token_that_somebody_else_signed_is_refused() {
    let fixture = Fixture::new().await;
    let good = fixture.verify_under(&json!({"alg": "RS256"}), rs256).await;
    accepted("B50", "neither typ nor kid", good);
    let header = Key::first().header();
    let result = fixture
        .verify_under(&header, |input| Key::second().signature("RS256", input))
        .await;
    refused(
        "A44 C57",
        "another's key",
        result,
        TokenFault::WrongSignature,
    );
    let result = fixture
        .verify_under(&header, |input| {
            let mut signature = rs256(input);
            signature[200] ^= 1;
            signature
        })
        .await;
    refused(
        "A44 C57",
        "a flipped bit",
        result,
        TokenFault::WrongSignature,
    );
    let mut brought = Key::second().header();
    brought["kid"] = json!("first");
    brought["jwk"] = Key::second().jwk();
    let result = fixture
        .verify_under(&brought, |input| Key::second().signature("RS256", input))
        .await;
    refused("A44 C09", "its own key", result, TokenFault::WrongSignature);
    let unknown = fixture
        .verify_under(&Key::second().header(), |input| {
            Key::second().signature("RS256", input)
        })
        .await;
    refused("A44 C16", "an unknown key", unknown, TokenFault::UnknownKey);
}

/// All of them are signed with the right key (C.4).
#[tokio::test]
async fn other_tokens_of_the_same_provider_end_no_session() {
    let fixture = Fixture::new().await;
    let issuer = &fixture.provider.issuer;
    let id_token = json!({
        "iss": issuer, "aud": CLIENT_ID, "sub": "auth0|1", "sid": "session-1", "nonce": "n",
        "iat": NOW.0, "exp": NOW.0 + 600, "jti": "j",
    });
    let access_token = json!({
        "iss": issuer, "aud": ["https://api.test", CLIENT_ID], "sub": "auth0|1",
        "iat": NOW.0, "exp": NOW.0 + 600, "jti": "j", "scope": "openid",
    });
    for (name, claims) in [("ID token", id_token), ("access token", access_token)] {
        refused(
            "B52 C49",
            name,
            fixture.verify(&claims).await,
            TokenFault::WrongEvent,
        );
    }
    for (media_type, is_good) in [
        ("logout+jwt", true),
        ("application/logout+jwt", true),
        ("LOGOUT+JWT", true),
        ("JWT", true),
        ("at+jwt", false),
        ("dpop+jwt", false),
        ("secevent+jwt", false),
    ] {
        let mut header = Key::first().header();
        header["typ"] = json!(media_type);
        let result = fixture.verify_under(&header, rs256).await;
        if is_good {
            accepted("B50 C24", media_type, result);
        } else {
            refused("C24 C49", media_type, result, TokenFault::WrongType);
        }
    }
    for token in ["", "opaque", "a.b.c.d.e"] {
        let result = fixture.verifier.verify(token, NOW).await;
        refused("C47 C54", token, result, TokenFault::NotCompactJws);
    }
}
