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
        if compact.len() > TOKEN_LIMIT {
            return Err(TokenFault::Oversized);
        }
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
