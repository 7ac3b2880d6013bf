//! The frame's own half of a login: a verifier that never leaves its memory but in the
//! claim, the challenge that goes with the login form, and the pace of the claim's polls.
//!
//! It must not take a verifier from anywhere (URL, args, message, cookie, storage): whoever
//! knows the verifier can claim the login (design §2.3).

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};

/// How long a person may take in the window: the companion's login transaction lives as long.
pub const LOGIN_LIFETIME_MS: i64 = 10 * 60 * 1000;

/// Pause between polls of a hidden page. A browser opens six connections to a host on
/// HTTP/1.1: polls held by tabs that nobody looks at would keep the login window waiting
/// (catalogue G15). They glance instead, well within the 120 s that a finished login is kept.
const HIDDEN_PAUSE_MS: u32 = 4_000;
/// How long a visible page lets the companion hold a poll: the most that the contract has.
const VISIBLE_HOLD_MS: u32 = 25_000;
/// How long a hidden page does.
const HIDDEN_HOLD_MS: u32 = 1_500;
/// A companion that answers "pending" at once must not be asked in a tight loop.
const MIN_PAUSE_MS: u32 = 250;
const MAX_PAUSE_MS: u32 = 15_000;

/// A verifier and its S256 challenge (the form of RFC 7636 §4). No `Debug`: it is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Handoff {
    verifier: String,
    challenge: String,
}

impl Handoff {
    /// Makes one of 32 bytes from the browser's cryptographic generator.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        let verifier = Base64UrlUnpadded::encode_string(&bytes);
        let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(verifier.as_bytes()));
        Self {
            verifier,
            challenge,
        }
    }

    /// For the claim's body, and nothing else.
    #[must_use]
    pub fn verifier(&self) -> &str {
        &self.verifier
    }

    /// For the login form.
    #[must_use]
    pub fn challenge(&self) -> &str {
        &self.challenge
    }
}

/// What the last poll taught about the pace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    failures: u32,
}

impl Pace {
    /// Milliseconds before the next poll, after a "pending": none when the companion held it,
    /// some when it did not or said so.
    pub fn pending(&mut self, retry_after_s: Option<u32>, held_ms: i64, hidden: bool) -> u32 {
        self.failures = 0;
        let asked = retry_after_s.map_or(0, |seconds| seconds.saturating_mul(1000));
        let floor = if hidden {
            HIDDEN_PAUSE_MS
        } else if held_ms < i64::from(MIN_PAUSE_MS) {
            MIN_PAUSE_MS * 4
        } else {
            0
        };
        asked.max(floor).min(MAX_PAUSE_MS)
    }

    /// The same after network trouble: 1, 2, 4, 8, 15 s.
    pub fn failed(&mut self, retry_after_s: Option<u32>) -> u32 {
        let backoff = 1_000_u32 << self.failures.min(4);
        self.failures += 1;
        let asked = retry_after_s.map_or(0, |seconds| seconds.saturating_mul(1000));
        asked.max(backoff).min(MAX_PAUSE_MS)
    }
}

/// How long the companion may hold a poll, in milliseconds. It ends the poll, not the frame:
/// a login that came while the frame hung up would be lost.
#[must_use]
pub const fn hold_ms(hidden: bool) -> u32 {
    if hidden {
        HIDDEN_HOLD_MS
    } else {
        VISIBLE_HOLD_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_is_the_s256_of_the_ascii_verifier_as_in_rfc_7636_appendix_b() {
        let bytes = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212,
            37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let handoff = Handoff::from_random(bytes);
        assert_eq!(
            handoff.verifier(),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
        assert_eq!(
            handoff.challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn a_held_poll_is_repeated_at_once_and_a_refused_hold_is_not() {
        let mut pace = Pace::default();
        assert_eq!(pace.pending(None, 25_000, false), 0);
        assert_eq!(pace.pending(None, 3, false), 1_000);
        assert_eq!(pace.pending(Some(3), 3, false), 3_000);
        assert_eq!(pace.pending(Some(4_000_000_000), 3, false), MAX_PAUSE_MS);
    }

    #[test]
    fn hidden_pages_give_their_connection_back_and_still_ask_within_the_lifetime_of_a_result() {
        let pause = Pace::default().pending(None, 1_500, true);
        // Seven of them hold two connections on average, of six.
        assert!(7 * hold_ms(true) < 2 * (pause + hold_ms(true)));
        assert!(pause + hold_ms(true) < 120_000);
        assert!(hold_ms(false) <= 25_000);
    }

    #[test]
    fn network_trouble_backs_off_to_a_bound_and_an_answer_resets_it() {
        let mut pace = Pace::default();
        let pauses: Vec<u32> = (0..6).map(|_| pace.failed(None)).collect();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
        pace.pending(None, 25_000, false);
        assert_eq!(pace.failed(None), 1_000);
        assert_eq!(Pace::default().failed(Some(9)), 9_000);
    }
}
