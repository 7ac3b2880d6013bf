//! Public keys that prove nothing, because others than their owner can sign for them. It
//! looks at the numbers alone; what a key is for is the business of [`crate::jwks`].

use aws_lc_rs::signature::{ParsedPublicKey, VerificationAlgorithm};

/// Odd primes at which the mark of ROCA shows.
const ROCA_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];
const ROCA_GENERATOR: u32 = 65_537;

/// The y coordinates, little-endian, that points of Ed25519 of small order have: 0, 1 and
/// -1, the two of order eight, and the spellings p and p + 1 of 0 and 1.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    ends(1, 0, 0),
    ends(0xec, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    ends(0xed, 0xff, 0x7f),
    ends(0xee, 0xff, 0x7f),
];

/// Whether the modulus comes from the chips of CVE-2017-15361, whose primes can be found:
/// modulo every small prime it is a power of 65537. By chance that happens about once in
/// 2^28.
pub(crate) fn has_roca_mark(modulus: &[u8]) -> bool {
    ROCA_PRIMES.iter().all(|prime| {
        let remainder = modulus.iter().fold(0, |remainder, byte| {
            (remainder << 8 | u32::from(*byte)) % prime
        });
        let mut power = 1;
        (0..*prime).any(|_| {
            power = power * (ROCA_GENERATOR % prime) % prime;
            power == remainder
        })
    })
}

/// Whether the coordinates are a point of the algorithm's curve: signatures "by" another
/// point can be made without any secret.
pub(crate) fn is_on_curve(
    algorithm: &'static dyn VerificationAlgorithm,
    x: &[u8],
    y: &[u8],
) -> bool {
    ParsedPublicKey::new(algorithm, [&[4], x, y].concat()).is_ok()
}

/// Whether the Ed25519 public key is a point of small order: R = 1, S = 0 is then a
/// signature of everything. The library takes such keys, as RFC 8032 lets it.
pub(crate) fn is_of_small_order(point: &[u8]) -> bool {
    SMALL_ORDER.iter().any(|small| match point.split_last() {
        // The last byte's high bit is the sign of x, which does not matter.
        Some((last, rest)) => *rest == small[..31] && last & 0x7f == small[31],
        None => false,
    })
}

const fn ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

#[cfg(test)]
mod tests {
    use test_tokens::{Key, forgeries};

    use super::*;

    #[test]
    fn the_mark_of_roca_is_seen_and_honest_keys_have_none() {
        assert!(has_roca_mark(&forgeries::roca_modulus()));
        assert!(!has_roca_mark(&Key::first().modulus()));
        assert!(!has_roca_mark(&Key::second().modulus()));
    }

    #[test]
    fn points_of_small_order_are_known_in_every_spelling() {
        let points = forgeries::small_order_points();
        assert_eq!(points.len(), 14);
        for point in points {
            assert!(is_of_small_order(&point), "{point:02x?}");
        }
        assert!(!is_of_small_order(&Key::ed25519("e").public()));
        assert!(!is_of_small_order(&[]));
    }
}
