//! JWT access tokens at the resource server (RFC 9068, and Auth0's form of it). An ID
//! token, though signed by the same key, opens nothing.

mod signed_tokens;

use std::sync::Arc;

use serde_json::{Map, Value};

use self::signed_tokens::{Fingerprint, SignedTokens};

use crate::{
    algorithms::AllowedAlgorithms,
    claims::{Claims, ClockSkew},
    jwks::{KeySet, SigningKeys},
    jws::{UnverifiedJws, check_length},
    time::UnixTime,
    types::{Audience, ClientId, Issuer, Scope, Subject},
    verification::{TokenFault, VerificationError},
};

/// What a resource server believes. From configuration, never from a token.
#[derive(Debug, Clone)]
pub struct AccessTokenPolicy {
    /// Identifier of this resource server, which `aud` must name.
    pub audience: Audience,
    /// Signature algorithms that count.
    pub algorithms: AllowedAlgorithms,
    /// Forgiven difference of clocks.
    pub clock_skew: ClockSkew,
    /// Longest `exp - iat` in seconds; `None`: whatever the provider decides.
    pub max_lifetime_seconds: Option<u32>,
    /// Clients whose tokens count; `None`: all that the provider issues tokens to.
    pub allowed_clients: Option<Vec<ClientId>>,
}

/// Verifies access tokens for one resource server.
#[derive(Clone)]
pub struct AccessTokenVerifier {
    keys: SigningKeys,
    policy: AccessTokenPolicy,
    signed: SignedTokens,
}

/// The proof that a request may act for its subject. Private fields, no other constructor.
#[derive(Clone)]
pub struct VerifiedAccessToken {
    issuer: Issuer,
    subject: Subject,
    scope: Scope,
    permissions: Vec<String>,
    client_id: Option<String>,
    expires_at: UnixTime,
    claims: Arc<Claims>,
}

impl VerifiedAccessToken {
    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// For whom it acts; for a machine-to-machine client at Auth0, `…@clients`.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What the person let the client do.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What the person may do (Auth0 RBAC).
    #[must_use]
    pub fn permissions(&self) -> &[String] {
        &self.permissions
    }

    /// The client it was issued to: `client_id` (RFC 9068) or `azp` (Auth0).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// When it ends.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// All claims.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        self.claims.as_map()
    }
}

impl AccessTokenVerifier {
    /// A verifier with the given policy.
    #[must_use]
    pub fn new(keys: SigningKeys, policy: AccessTokenPolicy) -> Self {
        let signed = SignedTokens::default();
        Self {
            keys,
            policy,
            signed,
        }
    }

    /// Verifies the token at the time `now`.
    ///
    /// # Errors
    /// [`VerificationError::KeysUnavailable`] when it cannot be judged now,
    /// [`VerificationError::Invalid`] when it is not to be believed.
    pub async fn verify(
        &self,
        token: &str,
        now: UnixTime,
    ) -> Result<VerifiedAccessToken, VerificationError> {
        check_length(token).map_err(VerificationError::Invalid)?;
        let fingerprint = Fingerprint::of(token);
        if let Some(fingerprint) = fingerprint
            && let Some((claims, keys)) = self.recall(fingerprint).await?
        {
            let judged = self.judge(claims, &keys, now);
            if judged.is_err() {
                self.signed.forget(fingerprint);
            }
            return Ok(judged?);
        }
        let (claims, keys) = self.verify_signature(token).await?;
        let verified = self.judge(claims, &keys, now)?;
        if let Some(fingerprint) = fingerprint {
            let claims = Arc::clone(&verified.claims);
            self.signed.remember(fingerprint, &keys, claims);
        }
        Ok(verified)
    }

    /// Asks for keys only if they may have signed this very token: a bad one causes no fetch.
    async fn recall(
        &self,
        token: Fingerprint,
    ) -> Result<Option<(Arc<Claims>, Arc<KeySet>)>, VerificationError> {
        if !self.signed.knows(token) {
            return Ok(None);
        }
        let keys = self.keys.current().await?;
        let claims = self.signed.recall(token, &keys);
        Ok(claims.map(|claims| (claims, keys)))
    }

    async fn verify_signature(
        &self,
        token: &str,
    ) -> Result<(Arc<Claims>, Arc<KeySet>), VerificationError> {
        let jws = UnverifiedJws::parse(token, &self.policy.algorithms)?;
        // Logout tokens, DPoP proofs, security events: signed by the same key, perhaps.
        if !matches!(jws.media_type.as_deref(), None | Some("jwt" | "at+jwt")) {
            return Err(TokenFault::WrongType.into());
        }
        let (claims, keys) = self.keys.verify(&jws).await?;
        Ok((Arc::new(claims), keys))
    }

    fn judge(
        &self,
        claims: Arc<Claims>,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<VerifiedAccessToken, TokenFault> {
        claims.check_issuer(keys.issuer())?;
        if !claims.audiences()?.contains(&self.policy.audience.as_str()) {
            return Err(TokenFault::WrongAudience);
        }
        // Marks of ID tokens and logout tokens, for a client that is named like the resource server.
        for name in ["nonce", "at_hash", "events"] {
            if claims.has(name) {
                return Err(TokenFault::ForbiddenClaim(name));
            }
        }
        // Bound to its holder's key (RFC 7800: DPoP, mutual TLS). Nothing here can check the
        // binding, and who relies on it must not find that a stolen token works without.
        if claims.has("cnf") {
            return Err(TokenFault::ForbiddenClaim("cnf"));
        }
        let expires_at = claims.check_expiry(now, self.policy.clock_skew)?;
        claims.check_not_before(now, self.policy.clock_skew)?;
        let issued_at = claims.check_issued_at(now, self.policy.clock_skew)?;
        self.check_lifetime(issued_at, expires_at)?;
        let client_id = client_id(&claims)?;
        self.check_client(&claims, client_id.as_deref())?;
        let permissions = claims.optional_strings("permissions")?.unwrap_or_default();
        Ok(VerifiedAccessToken {
            subject: claims.subject()?,
            scope: scope(&claims)?,
            permissions: permissions.into_iter().map(str::to_owned).collect(),
            client_id,
            issuer: keys.issuer().clone(),
            expires_at,
            claims,
        })
    }

    fn check_lifetime(
        &self,
        issued_at: Option<UnixTime>,
        expires_at: UnixTime,
    ) -> Result<(), TokenFault> {
        let lifetime = issued_at.map(|issued_at| expires_at.seconds_since(issued_at));
        match (lifetime, self.policy.max_lifetime_seconds) {
            (Some(seconds), _) if seconds < 0 => Err(TokenFault::ImplausibleLifetime),
            (Some(seconds), Some(longest)) if seconds > i64::from(longest) => {
                Err(TokenFault::ImplausibleLifetime)
            }
            // A limit that a token can escape by leaving out `iat` is none.
            (None, Some(_)) => Err(TokenFault::MissingClaim("iat")),
            _ => Ok(()),
        }
    }

    fn check_client(&self, claims: &Claims, client_id: Option<&str>) -> Result<(), TokenFault> {
        let Some(allowed) = &self.policy.allowed_clients else {
            return Ok(());
        };
        let client_id = client_id.ok_or(TokenFault::MissingClaim("azp"))?;
        // A token with both names could pass by one of them.
        let is_unambiguous = claims
            .optional_string("azp")?
            .is_none_or(|party| party == client_id);
        if is_unambiguous && allowed.iter().any(|client| client.as_str() == client_id) {
            return Ok(());
        }
        Err(TokenFault::WrongClient)
    }
}

/// `scope` as one string (RFC 9068 §2.2.3). `scp`, an older name of other providers, is not
/// read: two claims with one meaning invite a token in which they differ.
fn scope(claims: &Claims) -> Result<Scope, TokenFault> {
    let text = claims.optional_string("scope")?.unwrap_or_default();
    Scope::parse(text).map_err(|_| TokenFault::MalformedClaim("scope"))
}

fn client_id(claims: &Claims) -> Result<Option<String>, TokenFault> {
    let named = match claims.optional_string("client_id")? {
        None => claims.optional_string("azp")?,
        named => named,
    };
    Ok(named.map(str::to_owned))
}

#[cfg(test)]
mod tests;
