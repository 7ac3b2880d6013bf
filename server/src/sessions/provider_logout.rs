//! Logouts at the provider, remembered as long as a login that one of them means can be under
//! way: that login's session is not there yet when the logout token comes.

use oidc::{Ended, VerifiedIdToken, VerifiedLogoutToken};
use session_store::{Handle, HandleKind, KeyHash, NewHandle, SessionId, StoreError};

use super::{Sessions, provider_session_key, subject_key};

/// As long as a login may take.
const REMEMBER_SECONDS: i64 = 600;
/// Marks that others put down in the same moment give way so often.
const ATTEMPTS: usize = 4;

impl Sessions {
    /// Marks what the logout token names. To be done before the sessions are looked for that
    /// it ends: a login looks for the mark after it stored its session, so one of the two
    /// finds the other.
    ///
    /// # Errors
    /// If the store cannot write.
    pub async fn note_provider_logout(
        &self,
        token: &VerifiedLogoutToken,
    ) -> Result<(), StoreError> {
        let issuer = token.issuer().as_str();
        let key = match token.ended() {
            Ended::Session { session_id, .. } => of_session(issuer, session_id),
            Ended::AllSessionsOf(subject) => of_subject(issuer, subject.as_str()),
        };
        let issued_at = token.issued_at().seconds();
        for _ in 0..ATTEMPTS {
            if self.0.store.put_handle(self.mark(key, issued_at)).await? {
                return Ok(());
            }
            let there = self.0.store.peek_handle(KIND, key).await?;
            if there.is_some_and(|mark| instant(&mark) >= Some(issued_at)) {
                return Ok(());
            }
            // The younger logout means more logins.
            self.0.store.remove_handle(KIND, key).await?;
        }
        // Not as if it were noted: the provider sends it again after a 503.
        Err(StoreError::Unavailable(
            "others mark the same logout all the time".into(),
        ))
    }

    /// The live sessions that a logout token ends.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn named_by(
        &self,
        token: &VerifiedLogoutToken,
    ) -> Result<Vec<SessionId>, StoreError> {
        let issuer = token.issuer().as_str();
        match token.ended() {
            Ended::Session { session_id, .. } => {
                let key = provider_session_key(issuer, session_id);
                self.0.store.sessions_of_provider_session(key).await
            }
            Ended::AllSessionsOf(subject) => {
                let key = subject_key(issuer, subject.as_str());
                self.0.store.sessions_of_subject(key).await
            }
        }
    }

    /// Whether the provider has ended, meanwhile, what this ID token says.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn is_logged_out(&self, id_token: &VerifiedIdToken) -> Result<bool, StoreError> {
        let issuer = id_token.issuer().as_str();
        // Whoever proved afterwards who they are is meant by neither (some providers give
        // their new session the old one's name).
        let is_before = |at| id_token.auth_time().is_none_or(|time| time.seconds() <= at);
        if let Some(session_id) = id_token.session_id() {
            let ended = self.marked(of_session(issuer, session_id)).await?;
            if ended.is_some_and(is_before) {
                return Ok(true);
            }
        }
        let subject = of_subject(issuer, id_token.subject().as_str());
        let ended = self.marked(subject).await?;
        Ok(ended.is_some_and(|at| id_token.issued_at().seconds() <= at && is_before(at)))
    }

    fn mark(&self, key: KeyHash, issued_at: i64) -> NewHandle {
        let until = self.now().saturating_add(REMEMBER_SECONDS);
        NewHandle {
            kind: KIND,
            key,
            session: None,
            // Not sealed: it is no secret, and what no key opens must not void a logout.
            sealed: issued_at.to_be_bytes().to_vec(),
            expires_at: until,
            remember_until: until,
        }
    }

    async fn marked(&self, key: KeyHash) -> Result<Option<i64>, StoreError> {
        let mark = self.0.store.peek_handle(KIND, key).await?;
        let valid = mark.filter(|mark| mark.expires_at > self.now());
        Ok(valid.as_ref().and_then(instant))
    }
}

const KIND: HandleKind = HandleKind::ProviderLogout;

fn of_session(issuer: &str, session_id: &str) -> KeyHash {
    KeyHash::of_parts(&["sid", issuer, session_id])
}

fn of_subject(issuer: &str, subject: &str) -> KeyHash {
    KeyHash::of_parts(&["sub", issuer, subject])
}

/// When the logout token was issued.
fn instant(mark: &Handle) -> Option<i64> {
    let bytes = mark.sealed.as_slice().try_into().ok()?;
    Some(i64::from_be_bytes(bytes))
}
