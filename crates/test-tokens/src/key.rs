//! Key pairs that sign whatever they are given, under whatever name.

use std::sync::OnceLock;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
        RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use num_bigint::BigUint;
use serde_json::{Value, json};
use simple_asn1::ASN1Block;

/// A key pair with the name and the algorithm that its published form has.
pub struct Key {
    pair: Pair,
    id: &'static str,
    algorithm: &'static str,
}

enum Pair {
    Rsa(RsaKeyPair),
    Elliptic(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

/// A compact JWS of these bytes. Nothing need be JSON; `sign` may return anything.
pub fn compact(
    header: impl AsRef<[u8]>,
    claims: impl AsRef<[u8]>,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = URL_SAFE_NO_PAD.encode(sign(input.as_bytes()));
    format!("{input}.{signature}")
}

impl Key {
    /// The provider's RSA key, called `first`. Made once for a process: it takes a while.
    pub fn first() -> &'static Self {
        static KEY: OnceLock<Key> = OnceLock::new();
        KEY.get_or_init(|| Self::rsa("first"))
    }

    /// Its next RSA key, or somebody else's, called `second`.
    pub fn second() -> &'static Self {
        static KEY: OnceLock<Key> = OnceLock::new();
        KEY.get_or_init(|| Self::rsa("second"))
    }

    /// A new RSA key of 2048 bits, published for RS256.
    #[must_use]
    pub fn rsa(id: &'static str) -> Self {
        let pair = Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let algorithm = "RS256";
        Self {
            pair,
            id,
            algorithm,
        }
    }

    /// A new key on P-256, for ES256.
    #[must_use]
    pub fn p256(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self {
            pair: Pair::Elliptic(pair),
            id,
            algorithm: "ES256",
        }
    }

    /// A new key on P-384, for ES384.
    #[must_use]
    pub fn p384(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        Self {
            pair: Pair::Elliptic(pair),
            id,
            algorithm: "ES384",
        }
    }

    /// A new Ed25519 key, for `EdDSA`.
    #[must_use]
    pub fn ed25519(id: &'static str) -> Self {
        let pair = Pair::Edwards(Ed25519KeyPair::generate().unwrap());
        let algorithm = "EdDSA";
        Self {
            pair,
            id,
            algorithm,
        }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// Its published form, complete and good.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = json!({"use": "sig", "alg": self.algorithm, "kid": self.id});
        let public = self.public();
        let members = match &self.pair {
            Pair::Rsa(_) => vec![
                ("kty", "RSA".to_owned()),
                ("n", URL_SAFE_NO_PAD.encode(self.modulus())),
                ("e", "AQAB".to_owned()),
            ],
            // 4, x, y.
            Pair::Elliptic(_) => {
                let (x, y) = public[1..].split_at(public.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                vec![
                    ("kty", "EC".to_owned()),
                    ("crv", curve.to_owned()),
                    ("x", URL_SAFE_NO_PAD.encode(x)),
                    ("y", URL_SAFE_NO_PAD.encode(y)),
                ]
            }
            Pair::Edwards(_) => vec![
                ("kty", "OKP".to_owned()),
                ("crv", "Ed25519".to_owned()),
                ("x", URL_SAFE_NO_PAD.encode(public)),
            ],
        };
        for (name, value) in members {
            jwk[name] = json!(value);
        }
        jwk
    }

    /// The public key as the library gives it: PKCS#1 DER, an uncompressed point, or 32 bytes.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Elliptic(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Edwards(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The modulus of an RSA key, out of the DER form, which has fixed places for 2048 bits.
    #[must_use]
    pub fn modulus(&self) -> Vec<u8> {
        self.public()[9..265].to_vec()
    }

    /// The private exponent of an RSA key, for forgeries.
    pub(crate) fn private_exponent(&self) -> BigUint {
        let Pair::Rsa(pair) = &self.pair else {
            unreachable!("only RSA keys have one")
        };
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(pair).unwrap();
        let outer = members(pkcs8.as_ref());
        let ASN1Block::OctetString(_, pkcs1) = &outer[2] else {
            unreachable!("PKCS#8 holds the key third")
        };
        // version, n, e, d.
        let ASN1Block::Integer(_, exponent) = &members(pkcs1)[3] else {
            unreachable!("PKCS#1 holds the exponent fourth")
        };
        exponent.to_biguint().unwrap()
    }

    /// The header of a good token.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm, "kid": self.id})
    }

    /// Signs with its own algorithm, whatever the header says.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// Signs what is no JSON, too.
    #[must_use]
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        compact(header, claims, |input| {
            self.signature(self.algorithm, input)
        })
    }

    /// Signs a header and claims that are encoded already.
    #[must_use]
    pub fn sign_input(&self, input: &str) -> String {
        let signature = self.signature(self.algorithm, input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The signature by an algorithm that the key's type can do.
    #[must_use]
    pub fn signature(&self, algorithm: &str, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, input, &mut signature).unwrap();
                signature
            }
            Pair::Elliptic(pair) => pair.sign(&random, input).unwrap().as_ref().to_vec(),
            Pair::Edwards(pair) => pair.sign(input).as_ref().to_vec(),
        }
    }
}

fn members(der: &[u8]) -> Vec<ASN1Block> {
    match simple_asn1::from_der(der).unwrap().remove(0) {
        ASN1Block::Sequence(_, members) => members,
        _ => unreachable!("a key is a sequence"),
    }
}
