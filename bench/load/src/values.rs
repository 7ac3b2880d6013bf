//! Random values as browsers, frames and hosts make them, secrets of the environment, the clock.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};

/// 32 random bytes, base64url: a verifier, or a cookie's id.
pub(crate) fn random_256() -> anyhow::Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?))
}

/// Random bytes of the system.
pub(crate) fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .context("the system has no randomness")?;
    Ok(bytes)
}

/// A secret of the environment: arguments can be read by everybody on the machine.
pub(crate) fn secret(name: &str) -> anyhow::Result<String> {
    let value = env::var_os(name).with_context(|| format!("{name} is not set"))?;
    let value = value.into_string().ok();
    value.with_context(|| format!("{name} is no text"))
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// Unix seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the stores that are filled here belong to programs with the system's clock"
)]
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_the_one_of_the_rfc() {
        // RFC 7636, appendix B.
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
