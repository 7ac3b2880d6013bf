//! Signatures that a sloppy verifier has once believed, and keys that are none.

use aws_lc_rs::digest;
use num_bigint::{BigInt, BigUint};
use simple_asn1::{ASN1Block, to_der};

use crate::Key;

/// Bytes of a 2048-bit modulus.
const BLOCK: usize = 256;
/// `DigestInfo` of SHA-256 up to the hash (RFC 8017 §9.2, note 1).
const SHA256_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];
/// The same without the NULL parameter.
const SHA256_INFO_WITHOUT_PARAMETER: [u8; 17] = [
    0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04,
    0x20,
];
/// The same with a length in two bytes where one does: BER, not DER.
const SHA256_INFO_IN_BER: [u8; 20] = [
    0x30, 0x81, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
    0x05, 0x00, 0x04, 0x20,
];
/// Four bytes of garbage as the parameter (CVE-2006-4340 and its kin).
const SHA256_INFO_WITH_GARBAGE: [u8; 23] = [
    0x30, 0x35, 0x30, 0x11, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04,
    0x04, 0xde, 0xad, 0xbe, 0xef, 0x04, 0x20,
];
/// `DigestInfo` of SHA-1.
const SHA1_INFO: [u8; 15] = [
    0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14,
];

/// The padded block of a good RS256 signature (RFC 8017 §9.2).
#[must_use]
pub fn good_block(input: &[u8]) -> Vec<u8> {
    padded(1, 0xff, &[&SHA256_INFO, sha256(input).as_slice()].concat())
}

/// Blocks that are not that one, each with its name (C58).
#[must_use]
pub fn bad_blocks(input: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hash = sha256(input);
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, input);
    let info = [&SHA256_INFO, hash.as_slice()].concat();
    let with = |prefix: &[u8], hash: &[u8]| padded(1, 0xff, &[prefix, hash].concat());
    // Bleichenbacher 2006: little padding, the hash, then room for garbage.
    let mut garbage_after_hash = [&[0, 1, 0xff, 0][..], &info].concat();
    garbage_after_hash.resize(BLOCK, 0x5a);
    let mut broken_padding = good_block(input);
    broken_padding[20] = 0xfe;
    vec![
        ("garbage after the hash", garbage_after_hash),
        ("a hole in the padding", broken_padding),
        ("block type 2", padded(2, 0xff, &info)),
        ("block type 0", padded(0, 0, &info)),
        ("padding of zeros", padded(1, 0, &info)),
        ("hash without its name", padded(1, 0xff, &hash)),
        (
            "absent parameter",
            with(&SHA256_INFO_WITHOUT_PARAMETER, &hash),
        ),
        (
            "garbage as parameter",
            with(&SHA256_INFO_WITH_GARBAGE, &hash),
        ),
        ("length in BER", with(&SHA256_INFO_IN_BER, &hash)),
        ("SHA-1", with(&SHA1_INFO, sha1.as_ref())),
        (
            "hash of something else",
            with(&SHA256_INFO, &sha256(b"something else")),
        ),
    ]
}

/// The RSA private operation on a raw block, which no signing API offers.
#[must_use]
pub fn sign_block(key: &Key, block: &[u8]) -> Vec<u8> {
    let modulus = BigUint::from_bytes_be(&key.modulus());
    let signature = BigUint::from_bytes_be(block).modpow(&key.private_exponent(), &modulus);
    of_length(&signature, BLOCK)
}

/// Numbers as signatures: 0, 1, n - 1, n, and a good one plus n (C57).
#[must_use]
pub fn numbers(key: &Key, good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let modulus = BigUint::from_bytes_be(&key.modulus());
    let one = BigUint::from(1_u8);
    vec![
        ("the number 0", of_length(&BigUint::ZERO, BLOCK)),
        ("the number 1", of_length(&one, BLOCK)),
        ("the modulus", of_length(&modulus, BLOCK)),
        ("the modulus less 1", of_length(&(&modulus - one), BLOCK)),
        (
            "the signature plus the modulus",
            (BigUint::from_bytes_be(good) + modulus).to_bytes_be(),
        ),
    ]
}

/// ECDSA signatures on P-256 with impossible numbers (C60: CVE-2022-21449 and its kin).
#[must_use]
pub fn psychic_signatures(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let order = p256_order();
    let (r, s) = good.split_at(32);
    let zero = vec![0; 32];
    let one = of_length(&BigUint::from(1_u8), 32);
    let n = of_length(&order, 32);
    let r_plus_n = (BigUint::from_bytes_be(r) + &order).to_bytes_be();
    vec![
        ("r = s = 0", [&*zero, &zero].concat()),
        ("r = 0", [&*zero, s].concat()),
        ("s = 0", [r, &zero].concat()),
        ("r = s = 1", [&*one, &one].concat()),
        ("r = s = n", [&*n, &n].concat()),
        ("r = n", [&*n, s].concat()),
        ("s = n", [r, &n].concat()),
        ("r = 0, s = n", [&*zero, &n].concat()),
        ("all bits set", vec![0xff; 64]),
        ("r + n", [&*r_plus_n, s].concat()),
        ("r alone", r.to_vec()),
        ("s before r", [s, r].concat()),
        ("a byte more", [good, &[0]].concat()),
    ]
}

/// (r, n - s): whoever has seen (r, s) can make it, and it is a good signature.
#[must_use]
pub fn mirrored(good: &[u8]) -> Vec<u8> {
    let (r, s) = good.split_at(32);
    let mirrored = p256_order() - BigUint::from_bytes_be(s);
    [r, &of_length(&mirrored, 32)].concat()
}

/// The same numbers in the form that X.509 uses and JOSE does not.
#[must_use]
pub fn in_der(good: &[u8]) -> Vec<u8> {
    let (r, s) = good.split_at(32);
    let integer = |bytes| ASN1Block::Integer(0, BigInt::from(BigUint::from_bytes_be(bytes)));
    to_der(&ASN1Block::Sequence(0, vec![integer(r), integer(s)])).unwrap()
}

/// Ed25519: S + L, which names the same point as S (RFC 8032 §5.1.7 refuses it).
#[must_use]
pub fn plus_group_order(good: &[u8]) -> Vec<u8> {
    let (point, scalar) = good.split_at(32);
    let order = BigUint::parse_bytes(
        b"7237005577332262213973186563042994240857116359379907606001950938285454250989",
        10,
    );
    let sum = BigUint::from_bytes_le(scalar) + order.unwrap();
    let mut bytes = sum.to_bytes_le();
    bytes.resize(32, 0);
    [point, &bytes].concat()
}

/// Points of Ed25519 of small order, in canonical and other encodings: as public keys they
/// believe anything (C61).
#[must_use]
pub fn small_order_points() -> Vec<[u8; 32]> {
    const EIGHTH: &str = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    const OTHER_EIGHTH: &str = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let ordinary = |first: u8, middle: u8, last: u8| {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    };
    let mut points = vec![
        ordinary(1, 0, 0),
        ordinary(0, 0, 0),
        ordinary(0xec, 0xff, 0x7f),
        ordinary(0xed, 0xff, 0x7f),
        ordinary(0xee, 0xff, 0x7f),
    ];
    for text in [EIGHTH, OTHER_EIGHTH] {
        let number = BigUint::parse_bytes(text.as_bytes(), 16).unwrap();
        let bytes = of_length(&number, 32);
        points.push(bytes.try_into().unwrap());
    }
    let negative: Vec<_> = points
        .iter()
        .map(|point| {
            let mut point = *point;
            point[31] |= 0x80;
            point
        })
        .collect();
    points.extend(negative);
    points
}

/// A modulus with the mark of a chip that made guessable primes (ROCA, CVE-2017-15361):
/// modulo each small prime it is a power of 65537.
#[must_use]
pub fn roca_modulus() -> Vec<u8> {
    // 38 primes to 163 are what its detectors look at; the product has 220 bits.
    let product: BigUint = small_odd_primes().into_iter().map(BigUint::from).product();
    let power = BigUint::from(65537_u32).modpow(&BigUint::from(123_457_u32), &product);
    let top = BigUint::from(3_u8) << 2046;
    // As large as the top bits say, and odd.
    let mut modulus: BigUint = (&top / &product) * &product + &power;
    if !modulus.bit(0) {
        modulus += product;
    }
    modulus.to_bytes_be()
}

fn small_odd_primes() -> Vec<u32> {
    (3..168)
        .filter(|candidate| (2..*candidate).all(|divisor| candidate % divisor != 0))
        .collect()
}

fn padded(block_type: u8, filling: u8, content: &[u8]) -> Vec<u8> {
    let mut block = vec![filling; BLOCK];
    block[0] = 0;
    block[1] = block_type;
    block[BLOCK - content.len() - 1] = 0;
    block[BLOCK - content.len()..].copy_from_slice(content);
    block
}

fn sha256(input: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, input).as_ref().to_vec()
}

fn p256_order() -> BigUint {
    BigUint::parse_bytes(
        b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        16,
    )
    .unwrap()
}

fn of_length(number: &BigUint, length: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; length - bytes.len()], bytes].concat()
}
