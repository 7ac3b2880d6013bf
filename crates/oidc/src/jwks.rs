//! The provider's signing keys (RFC 7517): fetched from its `jwks_uri`, cached, chosen by
//! `kid` and algorithm. A token can cause a fetch only if it is well-formed, of an allowed
//! algorithm and names an unknown key, and then twice a minute at most.

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, VerificationAlgorithm,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    cached_document::{CachedDocument, Source},
    claims::Claims,
    discovery::{Discovery, DiscoveryError, fetch_document},
    http_client::HttpClient,
    jws::UnverifiedJws,
    observer::RequestKind,
    types::Issuer,
    verification::{TokenFault, VerificationError},
    weak_keys::{has_roca_mark, is_of_small_order, is_on_curve},
};

/// Real sets hold a handful.
const KEY_LIMIT: usize = 100;
const SMALLEST_RSA_BITS: usize = 2048;
/// Above this one verification costs milliseconds; the crypto library refuses it too.
const LARGEST_RSA_BITS: usize = 8192;

/// Cache of one provider's signing keys. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct SigningKeys {
    cached: CachedDocument<KeySetSource>,
}

impl SigningKeys {
    /// Prepares the cache; nothing is fetched yet.
    #[must_use]
    pub fn new(discovery: Discovery) -> Self {
        let (http, clock, random) = discovery.parts();
        Self {
            cached: CachedDocument::new(KeySetSource { discovery, http }, clock, random),
        }
    }

    /// Fetches the keys unless they are at hand.
    ///
    /// # Errors
    /// When the provider cannot be reached, or what it publishes is unacceptable, and no
    /// good set is kept.
    pub async fn ready(&self) -> Result<(), DiscoveryError> {
        self.cached.current().await.map(drop)
    }

    /// The keys to verify with now.
    pub(crate) async fn current(&self) -> Result<Arc<KeySet>, VerificationError> {
        let current = self.cached.current().await;
        current.map_err(VerificationError::KeysUnavailable)
    }

    /// Verifies the signature with the key that the token names. The claims must name
    /// exactly the issuer of the keys returned.
    pub(crate) async fn verify(
        &self,
        jws: &UnverifiedJws<'_>,
    ) -> Result<(Claims, Arc<KeySet>), VerificationError> {
        let keys = self.current().await?;
        match keys.choose(jws.key_id.as_deref(), jws.algorithm) {
            Err(TokenFault::UnknownKey) => {
                // The provider may have rotated its keys since the last fetch.
                let newer = self
                    .cached
                    .newer_than(&keys)
                    .await
                    .map_err(VerificationError::KeysUnavailable)?;
                let key = newer.choose(jws.key_id.as_deref(), jws.algorithm)?;
                Ok((jws.verify(key)?, newer))
            }
            chosen => Ok((jws.verify(chosen?)?, keys)),
        }
    }
}

struct KeySetSource {
    discovery: Discovery,
    http: HttpClient,
}

impl Source for KeySetSource {
    type Document = KeySet;
    const NAME: &'static str = "signing keys";

    async fn fetch(&self, _previous: Option<&KeySet>) -> Result<KeySet, DiscoveryError> {
        let metadata = self.discovery.metadata().await?;
        let fetched = fetch_document(&self.http, RequestKind::Keys, &metadata.jwks_uri).await;
        let result = fetched.and_then(|body| KeySet::parse(&body, metadata.issuer.clone()));
        if let Err(error) = &result {
            tracing::warn!(%error, issuer = %metadata.issuer, "fetching the signing keys failed");
        }
        result
    }
}

/// The usable keys of one issuer.
pub(crate) struct KeySet {
    issuer: Issuer,
    keys: Vec<VerificationKey>,
}

/// A public key, parsed once.
pub(crate) struct VerificationKey {
    id: Option<String>,
    /// The only algorithm it may verify, when the provider says one.
    algorithm: Option<Algorithm>,
    /// What its type and curve can do.
    possible: &'static [Algorithm],
    key: DecodingKey,
}

impl VerificationKey {
    pub(crate) fn decoding_key(&self) -> &DecodingKey {
        &self.key
    }

    /// Key and header must agree on the algorithm (GHSA-jq35-7prp-9v3f).
    fn can_verify(&self, algorithm: Algorithm) -> bool {
        self.possible.contains(&algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

impl KeySet {
    /// Whose keys these are.
    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Entries that cannot be used are skipped, so that one odd key does not stop every
    /// login; a set without any usable key is refused, so that it does not replace a good one.
    pub(crate) fn parse(json: &[u8], issuer: Issuer) -> Result<Self, DiscoveryError> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<Map<String, Value>>,
        }
        let published: Published = serde_json::from_slice(json)
            .map_err(|_| DiscoveryError::Unacceptable("not a set of keys".to_owned()))?;
        if published.keys.len() > KEY_LIMIT {
            return Err(DiscoveryError::Unacceptable("too many keys".to_owned()));
        }
        let keys: Vec<_> = published.keys.iter().filter_map(usable_key).collect();
        if keys.is_empty() {
            return Err(DiscoveryError::Unacceptable("no usable key".to_owned()));
        }
        Ok(Self { issuer, keys })
    }

    /// With a `kid`, exactly one key must have it: two of one name leave open which was
    /// meant. Without, exactly one key may fit (B07); of several none is tried (B08), since
    /// a guess would turn "this key signed it" into "some key signed it".
    pub(crate) fn choose(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&VerificationKey, TokenFault> {
        let mut is_named = false;
        let mut fitting = self.keys.iter().filter(|key| {
            let is_meant = key_id.is_none_or(|id| key.id.as_deref() == Some(id));
            is_named |= is_meant;
            is_meant && key.can_verify(algorithm)
        });
        let first = fitting.next();
        let has_second = fitting.next().is_some();
        match first {
            Some(_) if has_second => Err(TokenFault::AmbiguousKey),
            Some(key) => Ok(key),
            None if key_id.is_some() && is_named => Err(TokenFault::KeyNotForAlgorithm),
            None => Err(TokenFault::UnknownKey),
        }
    }
}

fn usable_key(entry: &Map<String, Value>) -> Option<VerificationKey> {
    let is_private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
        .iter()
        .any(|member| entry.contains_key(*member));
    if is_private || !is_for_signatures(entry) {
        return None;
    }
    let algorithm = match entry.get("alg") {
        None => None,
        Some(name) => Some(name.as_str()?.parse().ok()?),
    };
    let id = match entry.get("kid") {
        None => None,
        Some(id) => Some(id.as_str()?.to_owned()),
    };
    let (possible, key) = match text(entry, "kty")? {
        "RSA" => rsa_key(entry)?,
        "EC" => elliptic_key(entry)?,
        "OKP" => edwards_key(entry)?,
        // `oct` above all: the library would make an HMAC key of it.
        _ => return None,
    };
    if algorithm.is_some_and(|algorithm| !possible.contains(&algorithm)) {
        return None;
    }
    Some(VerificationKey {
        id,
        algorithm,
        possible,
        key,
    })
}

fn is_for_signatures(entry: &Map<String, Value>) -> bool {
    let used_for_signatures = entry.get("use").is_none_or(|purpose| purpose == "sig");
    let may_verify = entry.get("key_ops").is_none_or(|operations| {
        operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    });
    used_for_signatures && may_verify
}

fn rsa_key(entry: &Map<String, Value>) -> Option<(&'static [Algorithm], DecodingKey)> {
    const RSA: &[Algorithm] = &[
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ];
    let modulus = without_leading_zeros(bytes(entry, "n")?);
    let exponent = without_leading_zeros(bytes(entry, "e")?);
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    if !(SMALLEST_RSA_BITS..=LARGEST_RSA_BITS).contains(&bits) {
        return None;
    }
    // 65537 at least and odd: with 1 a signature is the message, with 3 forgeries of
    // sloppy paddings are known.
    let is_odd = exponent.last()? & 1 == 1;
    let is_large = exponent.len() > 2 && exponent.len() <= 4;
    // No product of two large primes is even.
    let can_be_product = modulus.last()? & 1 == 1;
    if !is_odd || !is_large || !can_be_product || has_roca_mark(&modulus) {
        return None;
    }
    Some((
        RSA,
        DecodingKey::from_rsa_raw_components(&modulus, &exponent),
    ))
}

fn elliptic_key(entry: &Map<String, Value>) -> Option<(&'static [Algorithm], DecodingKey)> {
    type Curve = (
        &'static [Algorithm],
        usize,
        &'static dyn VerificationAlgorithm,
    );
    let (possible, size, curve): Curve = match text(entry, "crv")? {
        "P-256" => (&[Algorithm::ES256], 32, &ECDSA_P256_SHA256_FIXED),
        "P-384" => (&[Algorithm::ES384], 48, &ECDSA_P384_SHA384_FIXED),
        _ => return None,
    };
    let (x, y) = (bytes(entry, "x")?, bytes(entry, "y")?);
    if x.len() != size || y.len() != size || !is_on_curve(curve, &x, &y) {
        return None;
    }
    let key = DecodingKey::from_ec_components(text(entry, "x")?, text(entry, "y")?).ok()?;
    Some((possible, key))
}

fn edwards_key(entry: &Map<String, Value>) -> Option<(&'static [Algorithm], DecodingKey)> {
    let point = bytes(entry, "x")?;
    if text(entry, "crv")? != "Ed25519" || point.len() != 32 || is_of_small_order(&point) {
        return None;
    }
    let key = DecodingKey::from_ed_components(text(entry, "x")?).ok()?;
    debug_assert_eq!(key.family(), AlgorithmFamily::Ed);
    Some((&[Algorithm::EdDSA], key))
}

fn text<'a>(entry: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    entry.get(member)?.as_str()
}

fn bytes(entry: &Map<String, Value>, member: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text(entry, member)?).ok()
}

fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

#[cfg(test)]
mod tests;
