//! Randomness as a value that is passed in, so that tests can seed it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Source of unpredictable bytes.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes`. Implementations for production must be cryptographically secure.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator, through a per-thread CSPRNG.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the source that gets passed in"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        rand::RngCore::fill_bytes(&mut rand::rng(), bytes);
    }
}

/// `N` random bytes in base64url without padding.
#[must_use]
pub fn random_base64url<const N: usize>(random: &dyn Random) -> String {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_bytes_are_forty_three_characters_and_never_the_same() {
        let first = random_base64url::<32>(&SystemRandom);
        assert_eq!(first.len(), 43);
        assert_ne!(first, random_base64url::<32>(&SystemRandom));
    }
}
