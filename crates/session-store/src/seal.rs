//! Authenticated encryption of payloads, with key rotation.
//!
//! Keys are derived from `AUTH0_SECRET` per purpose, so that a sealed value of one
//! purpose (a login transaction, say) never opens as another (a session), and the
//! associated data binds it to its one record: nobody can move it to a neighbour.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use secrecy::{ExposeSecret, SecretString};

/// First byte of everything sealed; another layout would take another number.
const LAYOUT: u8 = 1;
const KEY_ID_LEN: usize = 4;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Shortest secret to derive keys from, bytes.
const MIN_SECRET_LEN: usize = 32;

/// The secret is too short to derive keys from: 32 bytes at least.
#[derive(Debug, thiserror::Error)]
#[error("a secret must have at least {MIN_SECRET_LEN} bytes")]
pub struct TooShort;

/// Keys of one purpose, newest first: seals with the first, opens with any.
pub struct KeyRing {
    keys: Vec<SealKey>,
}

/// One derived key. Has no `Debug`: there is nothing in it to show.
pub struct SealKey {
    id: [u8; KEY_ID_LEN],
    key: LessSafeKey,
}

/// Result of [`KeyRing::open`].
pub struct Opened {
    /// The payload.
    pub plaintext: Vec<u8>,
    /// Sealed with an older secret: seal it anew when it is written next.
    pub stale: bool,
}

/// Result of [`KeyRing::open_in_place`].
pub struct OpenedInPlace<'a> {
    /// The payload.
    pub plaintext: &'a [u8],
    /// Sealed with an older secret: seal it anew when it is written next.
    pub stale: bool,
}

/// The bytes are not ours, were changed, belong to another record, or their key is gone.
/// Deliberately says no more: the cases must look alike to whoever sent them.
#[derive(Debug, thiserror::Error)]
#[error("sealed value does not open")]
pub struct OpenError;

struct DerivedLen(usize);

impl KeyType for DerivedLen {
    fn len(&self) -> usize {
        self.0
    }
}

impl KeyRing {
    /// Derives one key per secret for `purpose` (HKDF-SHA-256, RFC 5869).
    ///
    /// # Errors
    /// [`TooShort`] if a secret has fewer than 32 bytes, or there is none.
    pub fn derive(secrets: &[SecretString], purpose: &str) -> Result<Self, TooShort> {
        if secrets.is_empty() {
            return Err(TooShort);
        }
        let keys = secrets
            .iter()
            .map(|secret| SealKey::derive(secret, purpose))
            .collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// Seals `plaintext`, bound to `associated`. `nonce` must be fresh random bytes: at
    /// 96 bits one key may seal 2^32 messages (NIST SP 800-38D §8.3), far beyond a
    /// secret's life here.
    #[must_use]
    pub fn seal(&self, nonce: [u8; NONCE_LEN], associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let newest = &self.keys[0];
        let mut sealed = Vec::with_capacity(HEADER_LEN + plaintext.len() + AES_256_GCM.tag_len());
        sealed.push(LAYOUT);
        sealed.extend_from_slice(&newest.id);
        sealed.extend_from_slice(&nonce);
        let mut body = plaintext.to_vec();
        newest
            .key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated),
                &mut body,
            )
            .unwrap_or_else(|_| unreachable!("payloads are far below AES-GCM's 64 GiB limit"));
        sealed.extend_from_slice(&body);
        sealed
    }

    /// Opens what [`seal`](Self::seal) made with the same `associated`.
    ///
    /// # Errors
    /// [`OpenError`] if it does not open, for whatever reason.
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Opened, OpenError> {
        let mut sealed = sealed.to_vec();
        let OpenedInPlace { plaintext, stale } = self.open_in_place(associated, &mut sealed)?;
        let length = plaintext.len();
        sealed.drain(..HEADER_LEN);
        sealed.truncate(length);
        Ok(Opened {
            plaintext: sealed,
            stale,
        })
    }

    /// The same without a copy: the payload is where it was sealed.
    ///
    /// # Errors
    /// [`OpenError`] if it does not open; nothing can be read from `sealed` then.
    pub fn open_in_place<'a>(
        &self,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<OpenedInPlace<'a>, OpenError> {
        if sealed.len() < HEADER_LEN || sealed[0] != LAYOUT {
            return Err(OpenError);
        }
        let (header, body) = sealed.split_at_mut(HEADER_LEN);
        let (id, nonce) = header[1..].split_at(KEY_ID_LEN);
        let index = self
            .keys
            .iter()
            .position(|key| key.id == *id)
            .ok_or(OpenError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError)?;
        let plaintext = self.keys[index]
            .key
            .open_in_place(nonce, Aad::from(associated), body)
            .map_err(|_| OpenError)?;
        Ok(OpenedInPlace {
            plaintext,
            stale: index > 0,
        })
    }
}

impl SealKey {
    fn derive(secret: &SecretString, purpose: &str) -> Result<Self, TooShort> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < MIN_SECRET_LEN {
            return Err(TooShort);
        }
        let extracted = Salt::new(HKDF_SHA256, b"component-auth0").extract(secret);
        let expand = |label: &str, out: &mut [u8]| {
            extracted
                .expand(
                    &[purpose.as_bytes(), b"/", label.as_bytes()],
                    DerivedLen(out.len()),
                )
                .and_then(|okm| okm.fill(out))
                .unwrap_or_else(|_| unreachable!("HKDF-SHA-256 yields up to 8160 bytes"));
        };
        let mut id = [0; KEY_ID_LEN];
        expand("id", &mut id);
        let mut key = [0; 32];
        expand("key", &mut key);
        let key = UnboundKey::new(&AES_256_GCM, &key)
            .unwrap_or_else(|_| unreachable!("the key has AES-256's length"));
        Ok(Self {
            id,
            key: LessSafeKey::new(key),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring(secrets: &[&str], purpose: &str) -> KeyRing {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|secret| SecretString::from(*secret))
            .collect();
        KeyRing::derive(&secrets, purpose).unwrap()
    }

    const OLD: &str = "an-old-secret-of-at-least-32-bytes";
    const NEW: &str = "a-newer-secret-of-at-least-32-byte";

    #[test]
    fn opens_what_it_sealed() {
        let ring = ring(&[NEW], "session");
        let opened = ring
            .open(b"record", &ring.seal([7; 12], b"record", b"payload"))
            .unwrap();
        assert_eq!(opened.plaintext, b"payload");
        assert!(!opened.stale);
    }

    #[test]
    fn refuses_the_payload_of_another_record() {
        let ring = ring(&[NEW], "session");
        assert!(
            ring.open(b"other", &ring.seal([7; 12], b"record", b"payload"))
                .is_err()
        );
    }

    #[test]
    fn refuses_a_value_sealed_for_another_purpose() {
        let sealed = ring(&[NEW], "transaction").seal([7; 12], b"record", b"payload");
        assert!(ring(&[NEW], "session").open(b"record", &sealed).is_err());
    }

    #[test]
    fn opens_with_an_older_secret_and_says_so() {
        let sealed = ring(&[OLD], "session").seal([7; 12], b"record", b"payload");
        assert!(
            ring(&[NEW, OLD], "session")
                .open(b"record", &sealed)
                .unwrap()
                .stale
        );
        assert!(ring(&[NEW], "session").open(b"record", &sealed).is_err());
    }

    #[test]
    fn refuses_short_and_missing_secrets() {
        assert!(KeyRing::derive(&[], "session").is_err());
        assert!(KeyRing::derive(&[SecretString::from("short")], "session").is_err());
    }

    proptest! {
        #[test]
        fn no_single_changed_byte_opens(position in 0usize..40, flip in 1u8..=255) {
            let ring = ring(&[NEW], "session");
            let mut sealed = ring.seal([7; 12], b"record", b"payload");
            let position = position % sealed.len();
            sealed[position] ^= flip;
            prop_assert!(ring.open(b"record", &sealed).is_err());
        }

        #[test]
        fn arbitrary_bytes_neither_open_nor_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(ring(&[NEW], "session").open(b"record", &bytes).is_err());
        }
    }
}
