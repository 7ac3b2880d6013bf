//! Compact JWS (RFC 7515), strictly: one way to write a token, an algorithm from the
//! allow-list, no header that asks for more. What the claims mean is not its business.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use crate::{
    algorithms::AllowedAlgorithms, claims::Claims, jwks::VerificationKey,
    strict_json::parse_object, verification::TokenFault,
};

/// Checked before any decoding (CVE-2025-61920: a 500 MB header took 4 GB of memory).
pub(crate) const TOKEN_LIMIT: usize = 16 * 1024;
/// A key id is a name; longer ones are attacks on whoever logs or looks them up.
const KEY_ID_LIMIT: usize = 256;

/// A well-formed token that nobody has verified yet.
pub(crate) struct UnverifiedJws<'a> {
    signing_input: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// From the allow-list; the token only chose among it.
    pub(crate) algorithm: Algorithm,
    /// A hint, not a proof.
    pub(crate) key_id: Option<String>,
    /// `typ`, in lower case and without `application/` (RFC 7515 §4.1.9).
    pub(crate) media_type: Option<String>,
}

impl<'a> UnverifiedJws<'a> {
    pub(crate) fn parse(compact: &'a str, allowed: &AllowedAlgorithms) -> Result<Self, TokenFault> {
        check_length(compact)?;
        let (signing_input, signature) =
            compact.rsplit_once('.').ok_or(TokenFault::NotCompactJws)?;
        let (header, payload) = signing_input
            .split_once('.')
            .ok_or(TokenFault::NotCompactJws)?;
        for part in [header, payload, signature] {
            if part.is_empty() || !part.bytes().all(is_base64url) {
                return Err(TokenFault::NotCompactJws);
            }
        }
        // Also refused if it has unused trailing bits: a second spelling of one signature.
        decode(signature)?;
        let header = parse_object(&decode(header)?)?;
        refuse_unsupported(&header)?;
        let algorithm = algorithm(&header, allowed)?;
        Ok(Self {
            signing_input,
            payload,
            signature,
            algorithm,
            key_id: key_id(&header)?,
            media_type: media_type(&header)?,
        })
    }

    /// Verifies the signature, and only then looks at the claims.
    pub(crate) fn verify(&self, key: &VerificationKey) -> Result<Claims, TokenFault> {
        let is_good = jsonwebtoken::crypto::verify(
            self.signature,
            self.signing_input.as_bytes(),
            key.decoding_key(),
            self.algorithm,
        );
        if !is_good.unwrap_or(false) {
            return Err(TokenFault::WrongSignature);
        }
        parse_object(&decode(self.payload)?).map(Claims::new)
    }
}

/// To be asked before anything is computed of a token.
pub(crate) fn check_length(compact: &str) -> Result<(), TokenFault> {
    if compact.len() > TOKEN_LIMIT {
        return Err(TokenFault::Oversized);
    }
    Ok(())
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn decode(part: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenFault::NotCompactJws)
}

fn refuse_unsupported(header: &Map<String, Value>) -> Result<(), TokenFault> {
    // RFC 7515 §4.1.11: who does not understand an extension in `crit` must refuse; we
    // understand none (CVE-2025-59420, CVE-2026-32597). `b64` (RFC 7797) changes what is
    // signed, `zip` belongs to encryption.
    for name in ["crit", "b64", "zip"] {
        if header.contains_key(name) {
            return Err(TokenFault::UnsupportedHeader(name));
        }
    }
    let is_nested = header
        .get("cty")
        .and_then(Value::as_str)
        .is_some_and(|content| content.eq_ignore_ascii_case("jwt"));
    if is_nested {
        return Err(TokenFault::UnsupportedHeader("cty"));
    }
    Ok(())
}

fn algorithm(
    header: &Map<String, Value>,
    allowed: &AllowedAlgorithms,
) -> Result<Algorithm, TokenFault> {
    const MALFORMED: TokenFault = TokenFault::MalformedHeader("alg");
    // A second spelling (`ALG`) is for a reader that ignores case; we are not to differ from it.
    let spellings = header
        .keys()
        .filter(|name| name.eq_ignore_ascii_case("alg"));
    if spellings.count() != 1 {
        return Err(MALFORMED);
    }
    let name = header.get("alg").and_then(Value::as_str).ok_or(MALFORMED)?;
    allowed.named(name).ok_or(TokenFault::AlgorithmNotAllowed)
}

fn key_id(header: &Map<String, Value>) -> Result<Option<String>, TokenFault> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(key_id)) if key_id.len() <= KEY_ID_LIMIT => Ok(Some(key_id.clone())),
        Some(_) => Err(TokenFault::MalformedHeader("kid")),
    }
}

fn media_type(header: &Map<String, Value>) -> Result<Option<String>, TokenFault> {
    match header.get("typ") {
        None => Ok(None),
        Some(Value::String(media_type)) => {
            let lower = media_type.to_ascii_lowercase();
            Ok(Some(
                lower
                    .strip_prefix("application/")
                    .unwrap_or(&lower)
                    .to_owned(),
            ))
        }
        Some(_) => Err(TokenFault::MalformedHeader("typ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{jwks::KeySet, test_support::Key, types::Issuer};

    fn parse(token: &str) -> Result<UnverifiedJws<'_>, TokenFault> {
        UnverifiedJws::parse(token, &AllowedAlgorithms::rs256())
    }

    fn verify(token: &str) -> Result<Claims, TokenFault> {
        let issuer = Issuer::parse("https://a.test/").unwrap();
        let published = json!({"keys": [Key::first().jwk()]}).to_string();
        let keys = KeySet::parse(published.as_bytes(), issuer).unwrap();
        let jws = parse(token)?;
        jws.verify(keys.choose(jws.key_id.as_deref(), jws.algorithm)?)
    }

    fn signed(header: &Value) -> String {
        Key::first().sign(header, &json!({"a": 1}))
    }

    #[test]
    fn signed_claims_are_read() {
        let claims = verify(&signed(&Key::first().header())).ok().unwrap();
        assert_eq!(claims.raw("a"), Some(&json!(1)));
    }

    #[test]
    fn algorithms_outside_the_list_are_refused() {
        for algorithm in [
            "none", "None", "NONE", "nOnE", "HS256", "RS384", "PS256", "ES256", "EdDSA", "rs256",
            "",
        ] {
            let token = signed(&json!({"alg": algorithm, "kid": "first"}));
            assert_eq!(
                verify(&token).err(),
                Some(TokenFault::AlgorithmNotAllowed),
                "{algorithm}"
            );
        }
    }

    #[test]
    fn an_unsecured_token_is_refused() {
        let token = signed(&json!({"alg": "none"}));
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_eq!(verify(&unsigned).err(), Some(TokenFault::NotCompactJws));
    }

    #[test]
    fn headers_that_ask_for_more_are_refused() {
        for (name, value) in [
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("crit", json!("exp")),
            ("b64", json!(false)),
            ("zip", json!("DEF")),
            ("cty", json!("JWT")),
        ] {
            let mut header = Key::first().header();
            header[name] = value;
            assert_eq!(
                verify(&signed(&header)).err(),
                Some(TokenFault::UnsupportedHeader(name)),
                "{header}"
            );
        }
    }

    #[test]
    fn malformed_headers_are_refused() {
        for (header, expected) in [
            (r#"{"kid":"first"}"#, TokenFault::MalformedHeader("alg")),
            (r#"{"alg":256}"#, TokenFault::MalformedHeader("alg")),
            (r#"{"alg":["RS256"]}"#, TokenFault::MalformedHeader("alg")),
            (
                r#"{"alg":"RS256","ALG":"none"}"#,
                TokenFault::MalformedHeader("alg"),
            ),
            (
                r#"{"alg":"RS256","alg":"none"}"#,
                TokenFault::DuplicateMember,
            ),
            (
                r#"{"alg":"RS256","kid":1}"#,
                TokenFault::MalformedHeader("kid"),
            ),
            (
                r#"{"alg":"RS256","kid":null}"#,
                TokenFault::MalformedHeader("kid"),
            ),
            (
                r#"{"alg":"RS256","typ":1}"#,
                TokenFault::MalformedHeader("typ"),
            ),
            ("[]", TokenFault::NotAJsonObject),
            ("null", TokenFault::NotAJsonObject),
            ("\u{feff}{}", TokenFault::NotAJsonObject),
        ] {
            let token = Key::first().sign_text(header, "{}");
            assert_eq!(verify(&token).err(), Some(expected), "{header}");
        }
        let header = json!({"alg": "RS256", "kid": "x".repeat(257)});
        assert_eq!(
            verify(&signed(&header)).err(),
            Some(TokenFault::MalformedHeader("kid"))
        );
    }

    #[test]
    fn keys_inside_the_token_are_ignored() {
        let mut header = Key::second().header();
        header["kid"] = json!("first");
        header["jwk"] = Key::second().jwk();
        header["jku"] = json!("http://169.254.169.254/jwks");
        let token = Key::second().sign(&header, &json!({}));
        assert_eq!(verify(&token).err(), Some(TokenFault::WrongSignature));
    }

    #[test]
    fn other_spellings_of_a_token_are_refused() {
        let token = signed(&Key::first().header());
        let (input, signature) = token.rsplit_once('.').unwrap();
        let (header, payload) = input.split_once('.').unwrap();
        for other in [
            format!("{token}="),
            format!(" {token}"),
            format!("{token}\n"),
            format!("{token}."),
            format!(".{token}"),
            format!("{input}.{signature}.{signature}.x"),
            format!("{header}..{signature}"),
            format!("{header}.{signature}"),
            format!("{header}.{payload}."),
            format!("{header}.{payload}%2e{signature}"),
            format!("{header}.{payload}\u{ff0e}{signature}"),
            format!("{header}.{payload}.+/{signature}"),
            // Nothing of the payload is decoded before the signature: this is found without.
            format!("{header}.{payload}+.{signature}"),
            format!("{header}.{payload}.{payload}.{signature}"),
            json!({"payload": payload, "protected": header, "signature": signature}).to_string(),
            String::new(),
        ] {
            assert_eq!(
                parse(&other).err(),
                Some(TokenFault::NotCompactJws),
                "{other}"
            );
        }
    }

    #[test]
    fn unused_bits_of_the_signature_must_be_zero() {
        let token = signed(&Key::first().header());
        // 256 bytes end in a character of which two bits count.
        let last = token.chars().last().unwrap();
        let other = match last {
            'A' => 'B',
            'Q' => 'R',
            'g' => 'h',
            _ => 'x',
        };
        let malleated = format!("{}{other}", &token[..token.len() - 1]);
        assert_eq!(parse(&malleated).err(), Some(TokenFault::NotCompactJws));
    }

    #[test]
    fn size_is_checked_before_anything_is_decoded() {
        for (length, fault) in [
            (TOKEN_LIMIT, TokenFault::NotCompactJws),
            (TOKEN_LIMIT + 1, TokenFault::Oversized),
            (TOKEN_LIMIT * 1000, TokenFault::Oversized),
        ] {
            assert_eq!(parse(&"!".repeat(length)).err(), Some(fault), "{length}");
        }
    }

    #[test]
    fn claims_must_be_one_object() {
        for claims in ["", "[]", "{} ", "{}x", "null", "{\"a\":1,\"a\":2}"] {
            let token = Key::first().sign_text(&Key::first().header().to_string(), claims);
            assert_eq!(verify(&token).is_ok(), claims == "{} ", "{claims}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(token in ".{0,200}") {
            let _ = parse(&token);
        }

        #[test]
        fn each_changed_character_breaks_the_signature(position in 0_usize..300, replacement in "[A-Za-z0-9_-]") {
            let token = signed(&Key::first().header());
            let position = position % token.len();
            prop_assume!(token.as_bytes()[position] != b'.' && !token[position..].starts_with(&replacement));
            let mut changed = token;
            changed.replace_range(position..=position, &replacement);
            prop_assert!(verify(&changed).is_err());
        }
    }
}
