//! Ends of sessions, and how their reasons are stored.

use session_store::{HandleKind, KeyHash, SessionId, StoreError};
use shared::error::EndReason;

use super::record::Session;
use super::{REMEMBER_ENDED_SECONDS, Sessions};

impl Sessions {
    /// Ends a session with all its cookies, tickets and grants. Gives what it held in that
    /// very moment; `None` if it had ended before, or none of our keys opens it.
    ///
    /// # Errors
    /// If the store cannot write.
    pub async fn end(
        &self,
        id: SessionId,
        reason: EndReason,
    ) -> Result<Option<Session>, StoreError> {
        self.end_noting(id, reason_text(reason)).await
    }

    /// The same by the Streamlit host: the provider's session lives on, so the next login in
    /// that browser has to ask for the person anew.
    ///
    /// # Errors
    /// If the store cannot write.
    pub async fn end_by_host(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.end_noting(id, ENDED_BY_HOST).await
    }

    /// Whether one of these page cookies led to a session that the host ended.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn was_ended_by_host(&self, page_cookies: &[String]) -> Result<bool, StoreError> {
        for cookie in page_cookies {
            let key = KeyHash::of(cookie);
            let found = self
                .store
                .find(HandleKind::PageCookie, key, self.now())
                .await?;
            let session = found.and_then(|(_, session)| session);
            if session.is_some_and(|session| session.ended.as_deref() == Some(ENDED_BY_HOST)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn end_noting(&self, id: SessionId, note: &str) -> Result<Option<Session>, StoreError> {
        let remember_until = self.now().saturating_add(REMEMBER_ENDED_SECONDS);
        let ended = self.store.end_session(id, note, remember_until).await?;
        let Some(stored) = ended else { return Ok(None) };
        let held = self.open_session(&stored);
        if held.is_none() {
            // Over it is all the same.
            tracing::warn!(
                event = "sealed_session_ended",
                "a session was ended that no key here opens: its refresh token lives on at the provider"
            );
        }
        Ok(held.map(|(session, _)| session))
    }

    /// The live sessions that share the provider's session with this one, itself included.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn of_same_provider_session(
        &self,
        session: &Session,
    ) -> Result<Vec<SessionId>, StoreError> {
        match &session.provider_session {
            None => Ok(Vec::new()),
            Some(sid) => {
                let key = KeyHash::of_parts(&[&session.issuer, sid]);
                self.store.sessions_of_provider_session(key).await
            }
        }
    }

    /// The live sessions of the same person.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn of_same_subject(&self, session: &Session) -> Result<Vec<SessionId>, StoreError> {
        let key = KeyHash::of_parts(&[&session.issuer, &session.subject]);
        self.store.sessions_of_subject(key).await
    }
}

/// Stored in place of `signed_out` where the host ended it; told as `signed_out`.
const ENDED_BY_HOST: &str = "signed_out_by_host";
const REASONS: [(EndReason, &str); 7] = [
    (EndReason::SignedOut, "signed_out"),
    (EndReason::SignedOut, ENDED_BY_HOST),
    (EndReason::ProviderLogout, "provider_logout"),
    (EndReason::Expired, "expired"),
    (EndReason::Replaced, "replaced"),
    (EndReason::RefreshRefused, "refresh_refused"),
    (EndReason::Unknown, "unknown"),
];

fn reason_text(reason: EndReason) -> &'static str {
    REASONS
        .iter()
        .find(|(known, _)| *known == reason)
        .map_or("unknown", |(_, text)| text)
}

pub(super) fn reason_from(text: &str) -> EndReason {
    REASONS
        .iter()
        .find(|(_, known)| *known == text)
        .map_or(EndReason::Unknown, |(reason, _)| *reason)
}
