//! ID token validation, OpenID Connect Core §3.1.3.7, each step. A [`VerifiedIdToken`] can
//! be made nowhere else. The signature is always checked, though the code flow would allow
//! to rely on TLS alone.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use crate::{
    claims::Claims,
    jwks::SigningKeys,
    jws::UnverifiedJws,
    provider::ProviderSettings,
    time::UnixTime,
    types::{AccessToken, Issuer, Nonce, RawIdToken, Subject},
    verification::{TokenFault, VerificationError},
};

/// An ID token comes fresh from the token endpoint: an `iat` a day back is a replay or a
/// broken clock.
const OLDEST_ISSUE_SECONDS: i64 = 24 * 3600;

/// What the ID token must agree with.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'a> {
    /// Why there is an ID token at all.
    pub occasion: Occasion<'a>,
    /// `max_age` of the authorization request, in seconds: then `auth_time` is required.
    pub max_age: Option<u32>,
    /// `acr_values` of the authorization request: when not empty, `acr` must be one of them.
    pub acr_values: &'a [String],
    /// The access token that came with it, checked against `at_hash`.
    pub access_token: Option<&'a AccessToken>,
}

/// Why there is an ID token.
#[derive(Debug, Clone, Copy)]
pub enum Occasion<'a> {
    /// It answers an authorization request, whose nonce it must carry.
    Login {
        /// From the login transaction.
        nonce: &'a Nonce,
    },
    /// It came with a refreshed access token (OpenID Connect Core §12.2). Such a token need
    /// not carry a nonce: it cannot be injected through a browser.
    Refresh {
        /// The person that the session belongs to.
        subject: &'a Subject,
    },
}

/// Verifies ID tokens of one client at one provider.
#[derive(Clone)]
pub struct IdTokenVerifier {
    keys: SigningKeys,
    settings: Arc<ProviderSettings>,
}

/// The proof that a person signed in. Private fields, no other constructor.
#[derive(Clone)]
pub struct VerifiedIdToken {
    issuer: Issuer,
    subject: Subject,
    issued_at: UnixTime,
    expires_at: UnixTime,
    auth_time: Option<UnixTime>,
    session_id: Option<String>,
    claims: Map<String, Value>,
}

impl VerifiedIdToken {
    /// Who vouches.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// For whom.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// When the provider vouched.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// When the token ends; the session may live longer.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// When the person last proved who they are.
    #[must_use]
    pub fn auth_time(&self) -> Option<UnixTime> {
        self.auth_time
    }

    /// The provider's session, which logout tokens name.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// All claims.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl IdTokenVerifier {
    /// A verifier whose policy comes from configuration alone.
    pub(crate) fn new(keys: SigningKeys, settings: Arc<ProviderSettings>) -> Self {
        Self { keys, settings }
    }

    /// Verifies `raw` at the time `now`.
    ///
    /// # Errors
    /// [`VerificationError::KeysUnavailable`] when it cannot be judged now,
    /// [`VerificationError::Invalid`] when it is not to be believed.
    pub async fn verify(
        &self,
        raw: &RawIdToken,
        expectations: &Expectations<'_>,
        now: UnixTime,
    ) -> Result<VerifiedIdToken, VerificationError> {
        // 1. Decryption: encrypted ID tokens are not asked for; five parts are refused here.
        // 7. The algorithm is one of the configured; 8. HMAC cannot be configured.
        let jws = UnverifiedJws::parse(raw.expose(), &self.settings.algorithms)?;
        // A logout token or an access token under another name (RFC 8725 §3.11).
        if !matches!(jws.media_type.as_deref(), None | Some("jwt")) {
            return Err(TokenFault::WrongType.into());
        }
        // 6. The signature, with the issuer's own key.
        let (claims, keys) = self.keys.verify(&jws).await?;
        let issuer = keys.issuer().clone();
        Ok(self.judge(claims, issuer, jws.algorithm, expectations, now)?)
    }

    fn judge(
        &self,
        claims: Claims,
        issuer: Issuer,
        algorithm: Algorithm,
        expectations: &Expectations<'_>,
        now: UnixTime,
    ) -> Result<VerifiedIdToken, TokenFault> {
        // 2. The issuer is exactly the discovered one.
        claims.check_issuer(&issuer)?;
        // 3. to 5. Meant for, and issued to, this client.
        self.check_audience(&claims)?;
        // 9. Not expired; `nbf` is not in the core, but a token may carry it (RFC 7519).
        let expires_at = claims.check_expiry(now, self.settings.clock_skew)?;
        claims.check_not_before(now, self.settings.clock_skew)?;
        // 10. Issued lately.
        let issued_at = self.check_issued_at(&claims, now)?;
        let subject = claims.subject()?;
        // 11. Bound to the authorization request, or to the session that is refreshed.
        check_occasion(&claims, &subject, expectations.occasion)?;
        // A logout token is signed for the same client by the same key; at a refresh, where no
        // nonce is asked for, this mark tells it from an ID token (Back-Channel Logout §4).
        if claims.has("events") {
            return Err(TokenFault::ForbiddenClaim("events"));
        }
        // 12. The authentication context that was asked for.
        check_context(&claims, expectations.acr_values)?;
        // 13. The person proved who they are recently enough.
        let auth_time = self.check_auth_time(&claims, expectations.max_age, now)?;
        // §3.1.3.8: the access token is the one that came with it.
        check_access_token_hash(&claims, algorithm, expectations.access_token)?;
        Ok(VerifiedIdToken {
            issuer,
            subject,
            issued_at,
            expires_at,
            auth_time,
            session_id: claims.optional_string("sid")?.map(str::to_owned),
            claims: claims.into_map(),
        })
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), TokenFault> {
        let audiences = claims.audiences()?;
        if !audiences.contains(&self.settings.client_id.as_str()) {
            return Err(TokenFault::WrongAudience);
        }
        match claims.optional_string("azp")? {
            // 4. With several audiences the authorized party must be named.
            None if audiences.len() > 1 => Err(TokenFault::MissingClaim("azp")),
            // 5. Named, it must be this client.
            Some(party) if party != self.settings.client_id.as_str() => {
                Err(TokenFault::WrongAuthorizedParty)
            }
            _ => Ok(()),
        }
    }

    fn check_issued_at(&self, claims: &Claims, now: UnixTime) -> Result<UnixTime, TokenFault> {
        let issued_at = claims
            .check_issued_at(now, self.settings.clock_skew)?
            .ok_or(TokenFault::MissingClaim("iat"))?;
        if now.seconds_since(issued_at) > OLDEST_ISSUE_SECONDS {
            return Err(TokenFault::IssuedTooLongAgo);
        }
        Ok(issued_at)
    }

    fn check_auth_time(
        &self,
        claims: &Claims,
        max_age: Option<u32>,
        now: UnixTime,
    ) -> Result<Option<UnixTime>, TokenFault> {
        let auth_time = claims.optional_time("auth_time")?;
        if let Some(max_age) = max_age {
            let auth_time = auth_time.ok_or(TokenFault::MissingClaim("auth_time"))?;
            let oldest = i64::from(max_age).saturating_add(self.settings.clock_skew.seconds());
            if now.seconds_since(auth_time) > oldest {
                return Err(TokenFault::AuthenticationTooOld);
            }
        }
        Ok(auth_time)
    }
}

fn check_occasion(
    claims: &Claims,
    subject: &Subject,
    occasion: Occasion<'_>,
) -> Result<(), TokenFault> {
    match occasion {
        Occasion::Login { nonce } if !nonce.matches(claims.string("nonce")?) => {
            Err(TokenFault::WrongNonce)
        }
        Occasion::Refresh { subject: before } if before != subject => Err(TokenFault::WrongSubject),
        Occasion::Login { .. } | Occasion::Refresh { .. } => Ok(()),
    }
}

fn check_context(claims: &Claims, acr_values: &[String]) -> Result<(), TokenFault> {
    if acr_values.is_empty() {
        return Ok(());
    }
    let context = claims.string("acr")?;
    if acr_values.iter().any(|wanted| wanted == context) {
        return Ok(());
    }
    Err(TokenFault::WrongAuthenticationContext)
}

/// Optional in the code flow, but if it is there it must be right (B74).
fn check_access_token_hash(
    claims: &Claims,
    algorithm: Algorithm,
    access_token: Option<&AccessToken>,
) -> Result<(), TokenFault> {
    let (Some(claimed), Some(access_token)) = (claims.optional_string("at_hash")?, access_token)
    else {
        return Ok(());
    };
    let hash = hash_of(algorithm, access_token.expose());
    let expected = URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2]);
    if expected.as_bytes().ct_eq(claimed.as_bytes()).into() {
        return Ok(());
    }
    Err(TokenFault::WrongAccessTokenHash)
}

/// With the hash of the signature algorithm (§3.1.3.6); Ed25519 has SHA-512 inside.
fn hash_of(algorithm: Algorithm, text: &str) -> Vec<u8> {
    match algorithm {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => Sha384::digest(text).to_vec(),
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => Sha512::digest(text).to_vec(),
        _ => Sha256::digest(text).to_vec(),
    }
}

#[cfg(test)]
mod tests;
