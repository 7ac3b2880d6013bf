//! From a cookie, grant or key to the session behind it: which sessions live, and what each
//! use does to one.

use session_store::{HandleKind, KeyHash, SessionId, StoreError, StoredSession, Updated};
use shared::error::EndReason;

use super::ending::reason_from;
use super::record::{Content, LiveSession, Standing};
use super::{Sessions, cookie_kind};
use crate::cookies::Caller;
use crate::error::causes;

impl Sessions {
    /// The live session of the first cookie id that leads to one, and moves its expiry.
    /// The flag says whether that happened: the cookie is to be renewed then.
    ///
    /// # Errors
    /// If the store cannot answer: that is not "nobody is signed in".
    pub async fn by_cookie(
        &self,
        caller: Caller,
        ids: &[String],
    ) -> Result<Option<(LiveSession, Option<String>)>, StoreError> {
        self.read_by_cookie(caller, ids).await
    }

    /// The same, reading as much of the session as `C`.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn read_by_cookie<C: Content>(
        &self,
        caller: Caller,
        ids: &[String],
    ) -> Result<Option<(LiveSession<C>, Option<String>)>, StoreError> {
        for id in ids {
            if let Some(Standing::Live(mut live)) =
                self.standing(cookie_kind(caller), KeyHash::of(id)).await?
            {
                let renewed = self.note_use(&mut live).await;
                return Ok(Some((*live, renewed.then(|| id.clone()))));
            }
        }
        Ok(None)
    }

    /// What became of the session behind a grant.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn by_grant(&self, grant: &str) -> Result<Standing, StoreError> {
        self.read_by_grant(grant).await
    }

    /// The same, reading as much of the session as `C`.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn read_by_grant<C: Content>(&self, grant: &str) -> Result<Standing<C>, StoreError> {
        let standing = self.standing(HandleKind::Grant, KeyHash::of(grant)).await?;
        match standing {
            Some(Standing::Live(mut live)) => {
                self.note_use(&mut live).await;
                Ok(Standing::Live(live))
            }
            Some(ended) => Ok(ended),
            None => Ok(Standing::Ended(EndReason::Unknown)),
        }
    }

    /// The live session that a sign-out key ends.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn by_sign_out_key(&self, key: &str) -> Result<Option<LiveSession>, StoreError> {
        match self
            .standing(HandleKind::SignOutKey, KeyHash::of(key))
            .await?
        {
            Some(Standing::Live(live)) => Ok(Some(*live)),
            _ => Ok(None),
        }
    }

    /// The sessions that these values lead to and that none of our keys opens, although they
    /// have not ended: while `AUTH0_SECRET` is rotated, another replica may have sealed them
    /// (E66). They are nobody's login here, but who holds their handle can end them.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn sealed_to_us(
        &self,
        kind: HandleKind,
        values: &[&str],
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut sealed = Vec::new();
        for value in values {
            let found = self
                .0
                .store
                .find(kind, KeyHash::of(value), self.now())
                .await?;
            let session = found.and_then(|(_, session)| session);
            let unopened = session.filter(|stored| stored.ended.is_none());
            let unopened = unopened.filter(|stored| !self.opens(stored));
            sealed.extend(unopened.map(|stored| stored.id));
        }
        Ok(sealed)
    }

    async fn standing<C: Content>(
        &self,
        kind: HandleKind,
        key: KeyHash,
    ) -> Result<Option<Standing<C>>, StoreError> {
        let Some((_, session)) = self.0.store.find(kind, key, self.now()).await? else {
            return Ok(None);
        };
        Ok(Some(
            session.map_or(Standing::Ended(EndReason::Unknown), |stored| {
                self.judge(stored)
            }),
        ))
    }

    /// The session by id, alive or ended.
    ///
    /// # Errors
    /// If the store cannot answer.
    pub async fn by_id(&self, id: SessionId) -> Result<Standing, StoreError> {
        let stored = self.0.store.load_session(id).await?;
        Ok(
            stored.map_or(Standing::Ended(EndReason::Unknown), |stored| {
                self.judge(stored)
            }),
        )
    }

    /// Lifetimes hold whatever cookie or row says (A04): both limits are checked here.
    fn judge<C: Content>(&self, mut stored: StoredSession) -> Standing<C> {
        if let Some(reason) = &stored.ended {
            return Standing::Ended(reason_from(reason));
        }
        let now = self.now();
        if stored.expires_at <= now {
            return Standing::Ended(EndReason::Expired);
        }
        match self.open_session::<C>(&mut stored) {
            // Its key is gone (rotated away), or not here yet: no session, and no fault
            // either (E51), since it may never open again. It can still be ended.
            None => Standing::Ended(EndReason::Unknown),
            // Not left to the row, which is capped when it is written: a row is not sealed.
            Some((session, _)) if session.absolute_expiry() <= now => {
                Standing::Ended(EndReason::Expired)
            }
            Some((session, sealed_anew)) => Standing::Live(Box::new(LiveSession {
                id: stored.id,
                version: stored.version,
                expires_at: stored.expires_at.min(session.absolute_expiry()),
                session,
                sealed_anew,
            })),
        }
    }

    /// When a session ends unless it is used again after now.
    pub(super) fn rolling_expiry(&self, session: &impl Content) -> i64 {
        self.now()
            .saturating_add(self.0.lifetimes.rolling)
            .min(session.absolute_expiry())
    }

    /// A use moves the payload to the newest secret, and the rolling expiry on. `true`: the
    /// expiry was moved. A store that can be read but not written does not keep anybody
    /// from what they have: the next use tries again.
    async fn note_use(&self, live: &mut LiveSession<impl Content>) -> bool {
        let noted = match self.seal_anew(live).await {
            Ok(()) => self.prolong(live).await,
            failed => failed.map(|()| false),
        };
        noted.unwrap_or_else(|error| {
            let error = causes(&error);
            tracing::warn!(error, "a use of a session could not be noted");
            false
        })
    }

    /// Rotation of `AUTH0_SECRET` (E51): once all sessions were used, the old one can go.
    async fn seal_anew(&self, live: &mut LiveSession<impl Content>) -> Result<(), StoreError> {
        // Once a look: what is written is the payload as it was read.
        let Some(sealed) = live.sealed_anew.take() else {
            return Ok(());
        };
        let updated = self
            .0
            .store
            .update_session(live.id, live.version, sealed, live.expires_at)
            .await?;
        // A conflict needs no second try: whoever wrote meanwhile sealed it, or ended it.
        if updated == Updated::Done {
            live.version += 1;
        }
        Ok(())
    }

    /// Moves the rolling expiry when that gains enough to be worth a write.
    async fn prolong(&self, live: &mut LiveSession<impl Content>) -> Result<bool, StoreError> {
        let expires_at = self.rolling_expiry(&live.session);
        let worth_it = (self.0.lifetimes.rolling / 24).min(3600);
        if expires_at - live.expires_at <= worth_it {
            return Ok(false);
        }
        self.0.store.touch_session(live.id, expires_at).await?;
        live.expires_at = expires_at;
        Ok(true)
    }
}
