//! RSA signing keys and compact JWS, written directly on aws-lc-rs.
//!
//! No JWT library here: the relying party uses one, and a provider on the same library
//! could not show its mistakes.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::faults::SigningFault;

/// A PKCS#8 PEM of an RSA private key, checked when the settings are parsed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SigningKeyPem {
    pem: String,
    key: Arc<RsaKeyPair>,
}

impl std::fmt::Debug for SigningKeyPem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKeyPem(…)")
    }
}

impl From<SigningKeyPem> for String {
    fn from(key: SigningKeyPem) -> Self {
        key.pem
    }
}

/// The text was no PKCS#8 PEM of an RSA key.
#[derive(Debug, thiserror::Error)]
#[error(
    "signing_key is not a PKCS#8 PEM (`BEGIN PRIVATE KEY`) of an RSA key of at least 2048 bits"
)]
pub struct NotASigningKey;

impl TryFrom<String> for SigningKeyPem {
    type Error = NotASigningKey;

    fn try_from(pem: String) -> Result<Self, NotASigningKey> {
        let body: String = pem
            .trim()
            .strip_prefix("-----BEGIN PRIVATE KEY-----")
            .and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"))
            .ok_or(NotASigningKey)?
            .split_whitespace()
            .collect();
        let der = STANDARD.decode(body).map_err(|_| NotASigningKey)?;
        let key = RsaKeyPair::from_pkcs8(&der).map_err(|_| NotASigningKey)?;
        Ok(Self {
            pem,
            key: Arc::new(key),
        })
    }
}

impl SigningKeyPem {
    /// A new key, for a settings file whose tokens shall outlive restarts.
    #[must_use]
    pub fn generate() -> Self {
        let key = generate();
        let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
        let der = key
            .as_der()
            .map(|der| STANDARD.encode(der.as_ref()))
            .unwrap_or_default();
        for line in der.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Self {
            pem,
            key: Arc::new(key),
        }
    }
}

/// The tenant's keys: the newest signs, the older ones stay published.
pub(crate) struct Keys {
    ring: RwLock<Vec<SigningKey>>,
    /// A key that was never published, for the fault `wrong_key`.
    rogue: OnceLock<SigningKey>,
}

#[derive(Clone)]
struct SigningKey {
    kid: String,
    pair: Arc<RsaKeyPair>,
}

impl Keys {
    pub(crate) fn new(configured: Option<&SigningKeyPem>) -> Self {
        let first = configured.map_or_else(
            || SigningKey::new(Arc::new(generate())),
            |pem| SigningKey::new(Arc::clone(&pem.key)),
        );
        Self {
            ring: RwLock::new(vec![first]),
            rogue: OnceLock::new(),
        }
    }

    /// A new key signs from now on. Only the previous one stays published, unless
    /// `drop_previous` says that it leaked.
    pub(crate) fn rotate(&self, drop_previous: bool) {
        let new = SigningKey::new(Arc::new(generate()));
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        ring.truncate(usize::from(!drop_previous));
        ring.insert(0, new);
    }

    /// The published JSON Web Key Set.
    pub(crate) fn jwks(&self) -> Value {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        json!({ "keys": ring.iter().map(SigningKey::jwk).collect::<Vec<_>>() })
    }

    /// Signs `claims`; `header` entries override (null removes) those of the honest header.
    pub(crate) fn sign(&self, claims: &Value, header: &Map<String, Value>) -> String {
        let key = self.current();
        compact(&key, &key, claims, header)
    }

    /// Signs as [`Self::sign`] does, spoilt as `fault` says.
    pub(crate) fn sign_with_fault(
        &self,
        mut claims: Value,
        mut header: Map<String, Value>,
        fault: &SigningFault,
    ) -> String {
        let key = self.current();
        merge(&mut claims, &fault.claims);
        header.extend(fault.header.clone());
        if fault.alg_none {
            header.insert("alg".to_owned(), json!("none"));
            let (input, _) = signing_input(&key, &claims, &header);
            return format!("{input}.");
        }
        if let Some(secret) = &fault.hs256_secret {
            return hs256(&key, secret, &claims, header);
        }
        if fault.es256 {
            return es256(&key, &claims, header);
        }
        let signer = if fault.wrong_key {
            self.rogue
                .get_or_init(|| SigningKey::new(Arc::new(generate())))
                .clone()
        } else {
            key.clone()
        };
        let jws = compact(&key, &signer, &claims, &header);
        if fault.bad_signature {
            flip_signature(&jws)
        } else {
            jws
        }
    }

    /// Claims of a JWS of ours, whatever its age; `None` if we did not sign it.
    pub(crate) fn verify(&self, jws: &str) -> Option<Value> {
        let (input, signature) = jws.rsplit_once('.')?;
        let (_, payload) = input.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let ours = ring
            .iter()
            .any(|key| key.verifies(input.as_bytes(), &signature));
        drop(ring);
        if !ours {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    fn current(&self) -> SigningKey {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring[0].clone()
    }
}

impl SigningKey {
    fn new(pair: Arc<RsaKeyPair>) -> Self {
        let digest = Sha256::digest(pair.public_key().as_ref());
        Self {
            kid: URL_SAFE_NO_PAD.encode(&digest[..16]),
            pair,
        }
    }

    fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        })
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key().as_ref())
            .verify(message, signature)
            .is_ok()
    }
}

#[expect(
    clippy::expect_used,
    reason = "fails only when the machine has no memory or no entropy: nothing to recover"
)]
fn generate() -> RsaKeyPair {
    RsaKeyPair::generate(KeySize::Rsa2048).expect("RSA key generation")
}

/// `published` gives the `kid`, `signer` the signature: they differ only under a fault.
#[expect(
    clippy::expect_used,
    reason = "RSA signing with a whole key and a buffer of its modulus length cannot fail"
)]
fn compact(
    published: &SigningKey,
    signer: &SigningKey,
    claims: &Value,
    header: &Map<String, Value>,
) -> String {
    let (input, _) = signing_input(published, claims, header);
    let mut signature = vec![0; signer.pair.public_modulus_len()];
    signer
        .pair
        .sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            input.as_bytes(),
            &mut signature,
        )
        .expect("RSA signature");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn signing_input(
    key: &SigningKey,
    claims: &Value,
    overrides: &Map<String, Value>,
) -> (String, Value) {
    let mut header = json!({ "alg": "RS256", "typ": "JWT", "kid": key.kid });
    merge(&mut header, overrides);
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    (format!("{}.{}", encode(&header), encode(claims)), header)
}

fn hs256(
    published: &SigningKey,
    secret: &str,
    claims: &Value,
    mut header: Map<String, Value>,
) -> String {
    header.insert("alg".to_owned(), json!("HS256"));
    let (input, _) = signing_input(published, claims, &header);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[expect(
    clippy::expect_used,
    reason = "fails only when the machine has no memory or no entropy: nothing to recover"
)]
fn es256(published: &SigningKey, claims: &Value, mut header: Map<String, Value>) -> String {
    header.insert("alg".to_owned(), json!("ES256"));
    let (input, _) = signing_input(published, claims, &header);
    let signature = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
        .and_then(|pair| pair.sign(&SystemRandom::new(), input.as_bytes()))
        .expect("ECDSA signature");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn flip_signature(jws: &str) -> String {
    let Some((input, signature)) = jws.rsplit_once('.') else {
        return jws.to_owned();
    };
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// JSON merge patch (RFC 7396): null removes.
pub(crate) fn merge(target: &mut Value, patch: &Map<String, Value>) {
    if !target.is_object() {
        *target = json!({});
    }
    let Some(object) = target.as_object_mut() else {
        return;
    };
    for (name, value) in patch {
        match value {
            Value::Null => {
                object.remove(name);
            }
            Value::Object(inner) => merge(object.entry(name).or_insert(Value::Null), inner),
            other => {
                object.insert(name.clone(), other.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_pem_is_accepted_back_and_keeps_its_kid() {
        let pem = SigningKeyPem::generate();
        let again = SigningKeyPem::try_from(pem.pem.clone()).unwrap();
        assert_eq!(Keys::new(Some(&pem)).jwks(), Keys::new(Some(&again)).jwks());
        assert!(SigningKeyPem::try_from("nonsense".to_owned()).is_err());
    }

    #[test]
    fn a_rotated_key_still_verifies_until_it_is_dropped() {
        let keys = Keys::new(None);
        let jws = keys.sign(&json!({"sub": "a"}), &Map::new());
        keys.rotate(false);
        assert_eq!(keys.verify(&jws), Some(json!({"sub": "a"})));
        keys.rotate(true);
        assert_eq!(keys.verify(&jws), None);
        assert_eq!(keys.jwks()["keys"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_spoilt_signature_does_not_verify() {
        let keys = Keys::new(None);
        for fault in [
            SigningFault {
                bad_signature: true,
                ..SigningFault::default()
            },
            SigningFault {
                wrong_key: true,
                ..SigningFault::default()
            },
            SigningFault {
                alg_none: true,
                ..SigningFault::default()
            },
            SigningFault {
                hs256_secret: Some("secret".to_owned()),
                ..SigningFault::default()
            },
            SigningFault {
                es256: true,
                ..SigningFault::default()
            },
        ] {
            let jws = keys.sign_with_fault(json!({"sub": "a"}), Map::new(), &fault);
            assert_eq!(keys.verify(&jws), None, "{fault:?}");
        }
    }

    #[test]
    fn merge_patch_removes_with_null_and_descends_into_objects() {
        let mut target = json!({"a": 1, "b": {"c": 2, "d": 3}});
        let patch = json!({"a": null, "b": {"c": null}, "e": 4});
        merge(&mut target, patch.as_object().unwrap());
        assert_eq!(target, json!({"b": {"d": 3}, "e": 4}));
    }
}
