//! A public RSA key in all the forms that have been taken for an HMAC secret, and a
//! certificate about it.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use num_bigint::{BigInt, BigUint};
use serde_json::json;
use simple_asn1::{ASN1Block, OID, to_der};

use crate::Key;

/// HMAC-SHA-256 with any key, an empty one included.
#[must_use]
pub fn hs256(secret: &[u8], input: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input)
        .as_ref()
        .to_vec()
}

/// The forms of C03 to C06, each with its name.
#[must_use]
pub fn public_forms(key: &Key) -> Vec<(&'static str, Vec<u8>)> {
    let (spki, pkcs1, certificate) = (subject_public_key(key), key.public(), certificate(key));
    let jwk = key.jwk().to_string();
    let jwks = json!({"keys": [key.jwk()]}).to_string();
    let spki_pem = pem("PUBLIC KEY", &spki);
    let modulus = key.jwk()["n"].as_str().unwrap().to_owned();
    vec![
        ("SPKI PEM", spki_pem.clone().into_bytes()),
        (
            "SPKI PEM without its last line end",
            spki_pem.trim_end().as_bytes().to_vec(),
        ),
        ("PKCS#1 PEM", pem("RSA PUBLIC KEY", &pkcs1).into_bytes()),
        (
            "certificate PEM",
            pem("CERTIFICATE", &certificate).into_bytes(),
        ),
        (
            "SPKI PEM after a byte order mark",
            format!("\u{feff}{spki_pem}").into_bytes(),
        ),
        (
            "base64 of the SPKI PEM",
            STANDARD.encode(&spki_pem).into_bytes(),
        ),
        ("SPKI DER", spki.clone()),
        ("PKCS#1 DER", pkcs1),
        ("certificate DER", certificate),
        (
            "base64 of the SPKI DER",
            STANDARD.encode(&spki).into_bytes(),
        ),
        ("JWK", jwk.clone().into_bytes()),
        (
            "JWK after a byte order mark",
            format!("\u{feff}{jwk}").into_bytes(),
        ),
        ("base64 of the JWK", STANDARD.encode(&jwk).into_bytes()),
        ("JWKS", jwks.into_bytes()),
        ("JWK array", format!("[{jwk}]").into_bytes()),
        ("text of the modulus", modulus.into_bytes()),
        ("bytes of the modulus", key.modulus()),
        ("name of the key", key.id().as_bytes().to_vec()),
    ]
}

/// A certificate that the key issued to itself (C11).
#[must_use]
pub fn certificate(key: &Key) -> Vec<u8> {
    let algorithm = sequence(vec![
        oid(&[1, 2, 840, 113_549, 1, 1, 11]),
        ASN1Block::Null(0),
    ]);
    let name = sequence(vec![ASN1Block::Set(
        0,
        vec![sequence(vec![oid(&[2, 5, 4, 3]), text("evil.test")])],
    )]);
    let validity = sequence(vec![time(b"250101000000Z"), time(b"491231235959Z")]);
    let public = simple_asn1::from_der(&subject_public_key(key))
        .unwrap()
        .remove(0);
    let serial = ASN1Block::Integer(0, BigInt::from(1));
    let statement = sequence(vec![
        serial,
        algorithm.clone(),
        name.clone(),
        validity,
        name,
        public,
    ]);
    let signature = key.signature("RS256", &to_der(&statement).unwrap());
    let bits = ASN1Block::BitString(0, signature.len() * 8, signature);
    to_der(&sequence(vec![statement, algorithm, bits])).unwrap()
}

fn subject_public_key(key: &Key) -> Vec<u8> {
    let algorithm = sequence(vec![
        oid(&[1, 2, 840, 113_549, 1, 1, 1]),
        ASN1Block::Null(0),
    ]);
    let public = key.public();
    let bits = ASN1Block::BitString(0, public.len() * 8, public);
    to_der(&sequence(vec![algorithm, bits])).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn sequence(members: Vec<ASN1Block>) -> ASN1Block {
    ASN1Block::Sequence(0, members)
}

fn oid(arcs: &[u32]) -> ASN1Block {
    let arcs = arcs.iter().map(|arc| BigUint::from(*arc)).collect();
    ASN1Block::ObjectIdentifier(0, OID::new(arcs))
}

fn text(text: &str) -> ASN1Block {
    ASN1Block::UTF8String(0, text.to_owned())
}

/// `UTCTime`.
fn time(digits: &[u8]) -> ASN1Block {
    ASN1Block::Unknown(
        simple_asn1::ASN1Class::Universal,
        false,
        0,
        BigUint::from(0x17_u8),
        digits.to_vec(),
    )
}
