//! What the provider publishes (E06, E07, E09, E10, E21; C05 to C08, C59): metadata is of
//! the configured issuer and leads nowhere insecure, and no key set makes us believe a token
//! that none of its public keys signed.

use std::cell::OnceCell;

use aws_lc_rs::hmac;
use oidc::{Expectations, Nonce, Occasion, RawIdToken, UnixTime};
use serde_json::{Value, json};
use test_tokens::{Key, compact};
use url::Url;

use super::filled_in;
use super::tokens::provider;
use crate::stand::{CLIENT_ID, NOW, Stand, with_stand};

thread_local! {
    static NOT_PUBLISHED: OnceCell<Key> = const { OnceCell::new() };
}

/// The input is the document at the `jwks_uri`; `{key}` stands for a good key.
pub(crate) fn signing_keys(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    with_stand(|stand| {
        let good = stand.key.jwk();
        let document = filled_in(text, &[("key", &good.to_string())]);
        stand.provider.publish_keys(document.clone().into_bytes());
        let is_published = document.contains(good["x"].as_str().unwrap());
        let tokens = [
            (signed(stand, &stand.key), is_published),
            (
                NOT_PUBLISHED.with(|key| signed(stand, key.get_or_init(|| Key::ed25519("first")))),
                false,
            ),
            (keyed_with_what_is_public(stand, &document), false),
        ];
        let provider = provider(stand);
        for (token, may_be_believed) in tokens {
            let is_believed = is_believed(stand, &provider, token);
            assert!(!is_believed || may_be_believed, "{document}");
        }
        stand.provider.publish_good(&stand.key);
    });
}

/// The input is the metadata; `{issuer}` stands for the configured one.
pub(crate) fn metadata(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    with_stand(|stand| {
        let issuer = stand.provider.issuer();
        let document = filled_in(text, &[("issuer", issuer)]);
        stand
            .provider
            .publish_metadata(document.clone().into_bytes());
        let found = stand.block_on(provider(stand).metadata());
        stand.provider.publish_good(&stand.key);
        let Ok(metadata) = found else { return };
        assert_eq!(metadata.issuer.as_str(), issuer, "{document}");
        let required = [
            &metadata.authorization_endpoint,
            &metadata.token_endpoint,
            &metadata.jwks_uri,
        ];
        let optional = [
            &metadata.userinfo_endpoint,
            &metadata.revocation_endpoint,
            &metadata.end_session_endpoint,
        ];
        for url in required.into_iter().chain(optional.into_iter().flatten()) {
            assert_secure(url);
        }
    });
}

/// Plain http is for this machine, where the provider itself is.
fn assert_secure(url: &Url) {
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
        || url.host_str().is_some_and(|host| host.starts_with("127."));
    assert!(
        url.scheme() == "https" || url.scheme() == "http" && is_here,
        "{url}"
    );
    assert!(
        url.username().is_empty() && url.password().is_none(),
        "{url}"
    );
}

fn claims(stand: &Stand) -> Value {
    json!({"iss": stand.provider.issuer(), "aud": CLIENT_ID, "sub": "s", "nonce": "n",
        "iat": NOW, "exp": NOW + 600})
}

fn signed(stand: &Stand, key: &Key) -> String {
    key.sign(&key.header(), &claims(stand))
}

/// `none` in all but name: a signature that whoever reads the document can make.
fn keyed_with_what_is_public(stand: &Stand, document: &str) -> String {
    let published: Value = serde_json::from_str(document).unwrap_or_default();
    let secret = published["keys"][0]["k"]
        .as_str()
        .unwrap_or(document)
        .to_owned();
    let header = json!({"alg": "HS256", "kid": "first"}).to_string();
    compact(header, claims(stand).to_string(), |input| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::sign(&key, input).as_ref().to_vec()
    })
}

fn is_believed(stand: &Stand, provider: &oidc::Provider, token: String) -> bool {
    let nonce = Nonce::new("n".to_owned());
    let expectations = Expectations {
        occasion: Occasion::Login { nonce: &nonce },
        max_age: None,
        acr_values: &[],
        access_token: None,
    };
    let raw = RawIdToken::new(token);
    let verifier = provider.id_token_verifier();
    let checked = verifier.verify(&raw, &expectations, UnixTime(NOW));
    stand.block_on(checked).is_ok()
}
