//! ID tokens, access tokens and logout tokens (C01 to C61, B50 to B57): only what the key
//! signed, byte for byte, is believed, and of that only what says the right things.

use std::sync::Arc;

use oidc::{
    AccessTokenPolicy, AccessTokenVerifier, AllowedAlgorithms, Audience, ClientId, ClientSecret,
    ClockSkew, Expectations, HttpClient, Issuer, Nonce, Occasion, Provider, ProviderSettings,
    RawIdToken, UnixTime,
};
use serde_json::{Value, json};

use super::filled_in;
use crate::stand::{CLIENT_ID, CLIENT_SECRET, Fixed, NOW, Stand, with_stand};

const AUDIENCE: &str = "https://api.example";
const NONCE: &str = "the-nonce-of-the-login";
const SKEW: i64 = 60;
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The three verifiers of one client at the stand's provider.
pub(crate) struct Verifiers {
    provider: Provider,
    access: AccessTokenVerifier,
    nonce: Nonce,
    /// A good token for each.
    good: [String; 3],
}

thread_local! {
    static VERIFIERS: std::cell::OnceCell<Verifiers> = const { std::cell::OnceCell::new() };
}

/// The input is a token; `{id}`, `{access}` and `{logout}` stand for good ones.
pub(crate) fn bytes(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    with_verifiers(|stand, verifiers| {
        let [id, access, logout] = &verifiers.good;
        let values = [("id", &**id), ("access", &**access), ("logout", &**logout)];
        let token = filled_in(text, &values);
        let believed = verifiers.believe(stand, &token);
        for (is_believed, good) in believed.iter().zip(&verifiers.good) {
            assert!(!is_believed || token == *good, "{token:?}");
        }
    });
}

/// The input is a header and claims, on two lines, which the provider signs.
pub(crate) fn claims(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (header, claims) = text
        .split_once('\n')
        .unwrap_or((r#"{"alg":"EdDSA"}"#, text));
    with_verifiers(|stand, verifiers| {
        let issuer = stand.provider.issuer();
        let values = [("issuer", issuer), ("nonce", NONCE), ("client", CLIENT_ID)];
        let claims = filled_in(claims, &values);
        let token = stand.key.sign_text(header, &claims);
        let believed = verifiers.believe(stand, &token);
        let count = believed.iter().filter(|is_believed| **is_believed).count();
        assert!(count <= 1, "more than one believes {claims}");
        if count == 0 {
            return;
        }
        let header: Value = serde_json::from_str(header).expect("believed, so it is JSON");
        assert_eq!(header["alg"], "EdDSA");
        assert!(header.get("crit").is_none() && header.get("zip").is_none());
        let claims: Value = serde_json::from_str(&claims).expect("believed, so it is JSON");
        assert_common(&claims, issuer);
        match believed {
            [true, ..] => assert_id_token(&claims),
            [_, true, _] => assert_access_token(&claims),
            _ => assert_logout_token(&claims),
        }
    });
}

/// Written once more, from the specifications alone.
fn assert_common(claims: &Value, issuer: &str) {
    assert_eq!(claims["iss"], issuer, "{claims}");
    let expires = claims["exp"].as_f64().expect("an exp");
    assert!(expires >= as_float(NOW - SKEW), "{claims}");
    if let Some(not_before) = claims.get("nbf") {
        let not_before = not_before.as_f64().expect("a number");
        assert!(not_before <= as_float(NOW + SKEW), "{claims}");
    }
    if let Some(issued_at) = claims.get("iat") {
        let issued_at = issued_at.as_f64().expect("a number");
        assert!(issued_at <= as_float(NOW + SKEW), "{claims}");
    }
}

fn assert_id_token(claims: &Value) {
    assert!(names(&claims["aud"], CLIENT_ID), "{claims}");
    assert_eq!(claims["nonce"], NONCE, "{claims}");
    assert!(claims["iat"].is_number(), "{claims}");
    assert!(is_text(&claims["sub"]), "{claims}");
    assert!(claims.get("events").is_none(), "{claims}");
    let parties = claims["aud"].as_array().map_or(1, Vec::len);
    assert!(parties == 1 || claims["azp"] == CLIENT_ID, "{claims}");
    let party = claims.get("azp");
    assert!(party.is_none_or(|party| party == CLIENT_ID), "{claims}");
}

fn assert_access_token(claims: &Value) {
    assert!(names(&claims["aud"], AUDIENCE), "{claims}");
    assert!(is_text(&claims["sub"]), "{claims}");
    assert!(claims.get("nonce").is_none(), "{claims}");
    assert!(claims.get("events").is_none(), "{claims}");
}

fn assert_logout_token(claims: &Value) {
    assert!(names(&claims["aud"], CLIENT_ID), "{claims}");
    assert!(claims.get("nonce").is_none(), "{claims}");
    assert!(claims["events"][LOGOUT_EVENT].is_object(), "{claims}");
    assert!(is_text(&claims["jti"]), "{claims}");
    assert!(
        is_text(&claims["sub"]) || is_text(&claims["sid"]),
        "{claims}"
    );
}

fn names(audience: &Value, wanted: &str) -> bool {
    let is_listed = |list: &Vec<Value>| list.iter().any(|one| one == wanted);
    audience == wanted || audience.as_array().is_some_and(is_listed)
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn as_float(seconds: i64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a time of this century is exact"
    )]
    let seconds = seconds as f64;
    seconds
}

fn with_verifiers(work: impl FnOnce(&Stand, &Verifiers)) {
    with_stand(|stand| {
        VERIFIERS.with(|verifiers| work(stand, verifiers.get_or_init(|| Verifiers::new(stand))));
    });
}

impl Verifiers {
    fn new(stand: &Stand) -> Self {
        let provider = provider(stand);
        let policy = AccessTokenPolicy {
            audience: Audience::new(AUDIENCE),
            algorithms: algorithms(),
            clock_skew: ClockSkew::from_seconds(60).unwrap(),
            max_lifetime_seconds: None,
            allowed_clients: None,
        };
        let issuer = stand.provider.issuer();
        let sign = |claims: Value| stand.key.sign(&stand.key.header(), &claims);
        let good = [
            sign(
                json!({"iss": issuer, "aud": CLIENT_ID, "sub": "s", "nonce": NONCE,
                "iat": NOW, "exp": NOW + 600}),
            ),
            sign(
                json!({"iss": issuer, "aud": AUDIENCE, "sub": "s", "iat": NOW,
                "exp": NOW + 600, "scope": "read:chart"}),
            ),
            sign(
                json!({"iss": issuer, "aud": CLIENT_ID, "sid": "s", "iat": NOW,
                "exp": NOW + 120, "jti": "j", "events": {LOGOUT_EVENT: {}}}),
            ),
        ];
        let verifiers = Self {
            access: AccessTokenVerifier::new(provider.signing_keys(), policy),
            provider,
            nonce: Nonce::new(NONCE.to_owned()),
            good,
        };
        for (index, token) in verifiers.good.iter().enumerate() {
            let believed = verifiers.believe(stand, token);
            assert!(believed[index], "the good token {index} is not believed");
        }
        verifiers
    }

    /// Whether it is believed as an ID token, an access token, a logout token.
    fn believe(&self, stand: &Stand, token: &str) -> [bool; 3] {
        let now = UnixTime(NOW);
        let expectations = Expectations {
            occasion: Occasion::Login { nonce: &self.nonce },
            max_age: None,
            acr_values: &[],
            access_token: None,
        };
        stand.block_on(async {
            let raw = RawIdToken::new(token.to_owned());
            let id_tokens = self.provider.id_token_verifier();
            let logout_tokens = self.provider.logout_token_verifier();
            [
                id_tokens.verify(&raw, &expectations, now).await.is_ok(),
                self.access.verify(token, now).await.is_ok(),
                logout_tokens.verify(token, now).await.is_ok(),
            ]
        })
    }
}

fn algorithms() -> AllowedAlgorithms {
    AllowedAlgorithms::parse(["EdDSA", "RS256", "ES256"]).unwrap()
}

/// A provider with empty caches, at the stand's address.
pub(crate) fn provider(stand: &Stand) -> Provider {
    let settings = ProviderSettings {
        issuer: Issuer::parse(stand.provider.issuer()).unwrap(),
        client_id: ClientId::new(CLIENT_ID),
        client_secret: ClientSecret::new(CLIENT_SECRET.to_owned()),
        algorithms: algorithms(),
        clock_skew: ClockSkew::from_seconds(60).unwrap(),
    };
    let random = Arc::clone(&stand.random);
    Provider::new(settings, http_client(), Arc::new(Fixed), random)
}

/// Made once a thread: to set up TLS takes longer than most inputs.
fn http_client() -> HttpClient {
    thread_local! {
        static CLIENT: HttpClient = HttpClient::new().unwrap();
    }
    CLIENT.with(HttpClient::clone)
}
