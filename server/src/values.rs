//! Shapes of the opaque values that we mint and others present: 256 random bits or a
//! SHA-256 in base64url, 43 characters. What has another shape is refused unseen.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::Random;
use sha2::{Digest as _, Sha256};

/// Length of 32 bytes in base64url without padding.
const LENGTH: usize = 43;

/// 256 random bits, base64url.
#[must_use]
pub fn random_256(random: &dyn Random) -> String {
    oidc::random_base64url::<32>(random)
}

/// Whether `text` has the shape of [`random_256`] or [`s256`].
#[must_use]
pub fn is_random_256(text: &str) -> bool {
    text.len() == LENGTH
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// `BASE64URL(SHA-256(verifier))`, as in RFC 7636 §4.2.
#[must_use]
pub fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s256_is_that_of_rfc_7636_appendix_b() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(
            s256(verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        for bad in [
            "",
            "short",
            &"a".repeat(42),
            &"a".repeat(44),
            &"=".repeat(43),
            &"é".repeat(43),
        ] {
            assert!(!is_random_256(bad));
        }
    }
}
