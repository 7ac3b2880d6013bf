//! Ends of sessions, and how their reasons are stored.

use session_store::{HandleKind, KeyHash, SessionId, StoreError};
use shared::error::EndReason;

use super::record::Session;
use super::{REMEMBER_ENDED_SECONDS, Sessions, provider_session_key, subject_key};

/// One attempt to end a session. It bears a name in the store, so that an attempt whose
/// answer was lost can be told from anybody else's.
pub struct Ending {
    id: SessionId,
    note: String,
}

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
        self.end_by(&self.ending(id, reason)).await
    }

    /// An attempt, for [`end_by`](Self::end_by).
    #[must_use]
    pub fn ending(&self, id: SessionId, reason: EndReason) -> Ending {
        self.named(id, reason_text(reason))
    }

    /// An attempt of the Streamlit host: the provider's session lives on, so the next login
    /// in that browser has to ask for the person anew.
    #[must_use]
    pub fn ending_by_host(&self, id: SessionId) -> Ending {
        self.named(id, ENDED_BY_HOST)
    }

    fn named(&self, id: SessionId, text: &str) -> Ending {
        let name = oidc::random_base64url::<12>(self.random());
        let note = format!("{text}{BEFORE_NAME}{name}");
        Ending { id, note }
    }

    /// What a session holds now, whether or not its time is over; `None` if it has ended, or
    /// none of our keys opens it.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn held(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let stored = self.0.store.load_session(id).await?;
        let held = stored.and_then(|mut stored| self.open_session(&mut stored));
        Ok(held.map(|(session, _)| session))
    }

    /// What became of an attempt that failed: `None` while the session lives, since the store
    /// may still obey it; else whether it was this one that ended it.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn was_obeyed(&self, ending: &Ending) -> Result<Option<bool>, StoreError> {
        let Some(stored) = self.0.store.load_session(ending.id).await? else {
            return Ok(Some(false));
        };
        Ok(stored.ended.map(|note| note == ending.note))
    }

    /// Whether one of these page cookies led to a session that the host ended.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn was_ended_by_host(&self, page_cookies: &[String]) -> Result<bool, StoreError> {
        for cookie in page_cookies {
            let key = KeyHash::of(cookie);
            let found = self
                .0
                .store
                .find(HandleKind::PageCookie, key, self.now())
                .await?;
            let session = found.and_then(|(_, session)| session);
            let note = session.and_then(|session| session.ended);
            if note.is_some_and(|note| without_name(&note) == ENDED_BY_HOST) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes an attempt. Gives what [`end`](Self::end) gives.
    ///
    /// # Errors
    /// If the store cannot write; then [`was_obeyed`](Self::was_obeyed) tells more, later.
    pub async fn end_by(&self, ending: &Ending) -> Result<Option<Session>, StoreError> {
        let remember_until = self.now().saturating_add(REMEMBER_ENDED_SECONDS);
        let ended = self
            .0
            .store
            .end_session(ending.id, &ending.note, remember_until)
            .await?;
        let Some(mut stored) = ended else {
            return Ok(None);
        };
        let held = self.open_session(&mut stored);
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
                let key = provider_session_key(&session.issuer, sid);
                self.0.store.sessions_of_provider_session(key).await
            }
        }
    }

    /// The live sessions of the same person.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn of_same_subject(&self, session: &Session) -> Result<Vec<SessionId>, StoreError> {
        let key = subject_key(&session.issuer, &session.subject);
        self.0.store.sessions_of_subject(key).await
    }
}

/// Between the reason and the name of the attempt; in neither of them.
const BEFORE_NAME: char = '#';
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

fn without_name(note: &str) -> &str {
    note.split(BEFORE_NAME).next().unwrap_or(note)
}

pub(super) fn reason_from(note: &str) -> EndReason {
    let text = without_name(note);
    REASONS
        .iter()
        .find(|(_, known)| *known == text)
        .map_or(EndReason::Unknown, |(reason, _)| *reason)
}
