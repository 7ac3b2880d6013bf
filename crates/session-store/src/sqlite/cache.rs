//! Rows that were read, kept in memory for who asks next.
//!
//! **The invariant.** All that is kept is what the file holds in *one* state of it
//! ([`FileState`]: which file it is, and the header of its log's index, which every commit of
//! every process changes). It answers only who has just found the file in that state. So an
//! answer from here is as fresh as one of SQLite, whatever was lost, dropped or done by others:
//! no order of events makes it older.
//!
//! Whatever was not committed by us moves the file to a state of which nothing is kept. After
//! a commit of ours we know which rows it changed, so the rest moves along to the new state
//! ([`ReadCache::about_to_commit`]).
//!
//! What must not be done: hold the lock over a system call.

#[cfg(test)]
mod model;

use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashlink::LruCache;

use super::file::FileState;
use crate::store::{Handle, HandleKind, KeyHash, SessionId, StoredSession};

/// Bytes that the kept sessions may have in all: some thousands of them.
const SESSION_BYTES: usize = 14 << 20;
/// Bytes that the kept handles may have in all: more of them than sessions.
const HANDLE_BYTES: usize = 2 << 20;
/// What an entry costs beside its key and value: its links, its place in the table, the
/// counts of the `Arc`, and the allocator's own for each of its pieces.
const ENTRY_BYTES: usize = 112;

/// The rows that are kept.
pub(super) struct ReadCache(Mutex<Kept>);

struct Kept {
    /// The state that all of it is of.
    state: Option<FileState>,
    /// A commit of ours may have happened whose end we have not seen.
    committing: bool,
    /// The file's state cannot be told here: nothing is kept any more.
    is_off: bool,
    sessions: Bounded<SessionId, StoredSession>,
    handles: Bounded<(HandleKind, KeyHash), Handle>,
}

/// Which rows a write changes.
#[derive(Clone, Copy)]
pub(super) enum Touched {
    /// None that is kept: it only adds some, or changes other tables.
    Nothing,
    /// This session's.
    Session(SessionId),
    /// This handle's.
    Handle(HandleKind, KeyHash),
    /// Any.
    Anything,
}

/// A handle and the session it leads to.
pub(super) type Found = (Handle, Option<StoredSession>);

impl ReadCache {
    /// With room for some thousand sessions in use.
    pub(super) fn new() -> Self {
        Self::with_room(SESSION_BYTES, HANDLE_BYTES)
    }

    fn with_room(session_bytes: usize, handle_bytes: usize) -> Self {
        Self(Mutex::new(Kept {
            state: None,
            committing: false,
            is_off: false,
            sessions: Bounded::new(session_bytes),
            handles: Bounded::new(handle_bytes),
        }))
    }

    /// The handle and its session, if both are kept and the file was just found in `state`.
    pub(super) fn find(&self, state: FileState, kind: HandleKind, key: KeyHash) -> Option<Found> {
        let (handle, session) = {
            let mut kept = self.of(state)?;
            let handle = kept.handles.get(&(kind, key))?;
            let session = match handle.session {
                Some(id) => Some(kept.sessions.get(&id)?),
                None => None,
            };
            (handle, session)
        };
        Some((Handle::clone(&handle), session.map(|it| (*it).clone())))
    }

    /// The session, if it is kept and the file was just found in `state`.
    pub(super) fn session(&self, state: FileState, id: SessionId) -> Option<StoredSession> {
        let session = self.of(state)?.sessions.get(&id)?;
        Some((*session).clone())
    }

    /// Keeps what was read from the file, which was found in `state` *before*: what was
    /// committed between the two is in it, and is no harm, since the file is not in `state`
    /// any more then.
    pub(super) fn keep_found(
        &self,
        state: FileState,
        kind: HandleKind,
        key: KeyHash,
        (handle, session): &Found,
    ) {
        // A ticket or handoff is looked at once or twice, and taken.
        if !is_used_again(kind) {
            return;
        }
        let handle = Arc::new(handle.clone());
        let session = session.clone().map(Arc::new);
        let Some(mut kept) = self.to_keep(state) else {
            return;
        };
        let weight = handle.sealed.len() + handle.taken.as_ref().map_or(0, Vec::len);
        kept.handles.insert((kind, key), handle, weight);
        if let Some(session) = session {
            kept.insert_session(session);
        }
    }

    /// As [`keep_found`](Self::keep_found), for a session that was read by its id.
    pub(super) fn keep_session(&self, state: FileState, session: &StoredSession) {
        let session = Arc::new(session.clone());
        if let Some(mut kept) = self.to_keep(state) {
            kept.insert_session(session);
        }
    }

    /// Our only writer holds the file's write lock, found the file in `state`, and commits
    /// next. Until the value is [settled](Committing::settle) or dropped, nothing read in
    /// another state takes the place of what is kept.
    pub(super) fn about_to_commit(&self, state: Option<FileState>) -> Committing<'_> {
        self.locked().committing = true;
        Committing {
            cache: self,
            before: state,
        }
    }

    fn of(&self, state: FileState) -> Option<MutexGuard<'_, Kept>> {
        Some(self.locked()).filter(|kept| kept.state == Some(state))
    }

    fn to_keep(&self, state: FileState) -> Option<MutexGuard<'_, Kept>> {
        let mut kept = self.locked();
        if kept.state != Some(state) {
            let is_stale = kept.state.is_some_and(|ours| ours.is_after(&state));
            if kept.committing || kept.is_off || is_stale {
                return None;
            }
            kept.begin_anew(Some(state));
        }
        Some(kept)
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A commit of ours on its way. Dropped without having been settled, it leaves what is kept
/// where it was: if the commit happened, the file is in another state, and nothing answers.
pub(super) struct Committing<'a> {
    cache: &'a ReadCache,
    before: Option<FileState>,
}

impl Committing<'_> {
    /// The commit was done, and the file was found in state `after` then: what it did not
    /// touch moves along, unless there was also a commit of somebody else's.
    pub(super) fn settle(self, touched: Touched, after: Option<FileState>) {
        let mut kept = self.cache.locked();
        let ours_only = match (&self.before, &after) {
            (Some(before), Some(after)) => {
                kept.state == self.before && after.is_at_most_one_commit_after(before)
            }
            _ => false,
        };
        if ours_only {
            kept.forget(touched);
            kept.state = after;
        } else {
            kept.begin_anew(after);
        }
    }
}

impl Committing<'_> {
    /// The commit changed rows, and the file seems to be as it was: what we read beside SQLite
    /// is not what SQLite writes. Some network file systems do that; none of them is a place for
    /// a database in WAL mode, and none shall make us answer with what is old.
    pub(super) fn give_up(self) {
        let mut kept = self.cache.locked();
        if !std::mem::replace(&mut kept.is_off, true) {
            tracing::warn!(
                "the session file lies where its state cannot be watched: every read goes to SQLite"
            );
        }
        kept.begin_anew(None);
    }
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        self.cache.locked().committing = false;
    }
}

impl Kept {
    fn insert_session(&mut self, session: Arc<StoredSession>) {
        let weight = session.sealed.len() + session.ended.as_ref().map_or(0, String::len);
        self.sessions.insert(session.id, session, weight);
    }

    fn forget(&mut self, touched: Touched) {
        match touched {
            Touched::Nothing => {}
            Touched::Session(id) => self.sessions.remove(&id),
            Touched::Handle(kind, key) => self.handles.remove(&(kind, key)),
            Touched::Anything => self.begin_anew(self.state),
        }
    }

    fn begin_anew(&mut self, state: Option<FileState>) {
        self.sessions.clear();
        self.handles.clear();
        self.state = state;
    }
}

fn is_used_again(kind: HandleKind) -> bool {
    use HandleKind::{FrameCookie, Grant, PageCookie, SignOutKey};
    matches!(kind, FrameCookie | Grant | PageCookie | SignOutKey)
}

/// Values that together weigh no more than a limit; the longest unused goes first.
struct Bounded<K, V> {
    entries: LruCache<K, (Arc<V>, usize)>,
    bytes: usize,
    limit: usize,
}

impl<K: Hash + Eq, V> Bounded<K, V> {
    fn new(limit: usize) -> Self {
        Self {
            entries: LruCache::new_unbounded(),
            bytes: 0,
            limit,
        }
    }

    fn get(&mut self, key: &K) -> Option<Arc<V>> {
        self.entries.get(key).map(|(value, _)| Arc::clone(value))
    }

    /// `owned`: bytes that the value has elsewhere.
    fn insert(&mut self, key: K, value: Arc<V>, owned: usize) {
        let bytes = ENTRY_BYTES + size_of::<K>() + size_of::<V>() + owned;
        self.bytes += bytes;
        if let Some((_, replaced)) = self.entries.insert(key, (value, bytes)) {
            self.bytes -= replaced;
        }
        while self.bytes > self.limit {
            let Some((_, (_, bytes))) = self.entries.remove_lru() else {
                break;
            };
            self.bytes -= bytes;
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some((_, bytes)) = self.entries.remove(key) {
            self.bytes -= bytes;
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::wal_index::Header;

    const COOKIE: HandleKind = HandleKind::FrameCookie;

    fn state(commits: u32) -> FileState {
        FileState::of(0, Header::of(commits, 0))
    }

    fn session(id: u8, version: i64) -> StoredSession {
        StoredSession {
            id: SessionId([id; 16]),
            version,
            sealed: vec![id; 1000],
            expires_at: 0,
            ended: None,
        }
    }

    fn found(id: u8) -> (KeyHash, Found) {
        let handle = Handle {
            session: Some(SessionId([id; 16])),
            sealed: Vec::new(),
            expires_at: 0,
            taken: None,
        };
        (
            KeyHash::of_parts(&[&id.to_string()]),
            (handle, Some(session(id, 1))),
        )
    }

    /// Sessions 1 and 2 and a cookie for each, as of `state(1)`.
    fn filled() -> ReadCache {
        let cache = ReadCache::new();
        for id in [1, 2] {
            let (key, found) = found(id);
            cache.keep_found(state(1), COOKIE, key, &found);
        }
        cache
    }

    fn finds(cache: &ReadCache, state: FileState, id: u8) -> bool {
        cache.find(state, COOKIE, found(id).0).is_some()
    }

    #[test]
    fn what_was_read_is_found_in_that_state_only() {
        let cache = filled();
        assert!(finds(&cache, state(1), 1) && finds(&cache, state(1), 2));
        assert!(!finds(&cache, state(2), 1));
        assert!(!finds(&cache, FileState::of(1, Header::of(1, 0)), 1));
        assert!(!finds(&cache, FileState::of(0, Header::of(1, 1)), 1));
    }

    #[test]
    fn a_commit_of_ours_forgets_what_it_touched_and_no_more() {
        let cases = [
            (Touched::Nothing, [true, true]),
            (Touched::Session(SessionId([1; 16])), [false, true]),
            (Touched::Handle(COOKIE, found(2).0), [true, false]),
            (Touched::Anything, [false, false]),
        ];
        for (touched, stay) in cases {
            let cache = filled();
            let committing = cache.about_to_commit(Some(state(1)));
            committing.settle(touched, Some(state(2)));
            assert_eq!([1, 2].map(|id| finds(&cache, state(2), id)), stay);
            assert!(!finds(&cache, state(1), 1) && !finds(&cache, state(1), 2));
        }
    }

    #[test]
    fn a_commit_of_others_beside_ours_forgets_everything() {
        for (before, after) in [(1, 3), (2, 3), (1, 0)] {
            let cache = filled();
            let committing = cache.about_to_commit(Some(state(before)));
            committing.settle(Touched::Nothing, Some(state(after)));
            assert!(!finds(&cache, state(after), 1));
        }
    }

    #[test]
    fn where_the_state_cannot_be_told_nothing_is_kept_any_more() {
        let cache = filled();
        cache.about_to_commit(Some(state(1))).give_up();
        assert!(!finds(&cache, state(1), 1));
        let (key, of_1) = found(1);
        cache.keep_found(state(1), COOKIE, key, &of_1);
        assert!(!finds(&cache, state(1), 1));
    }

    #[test]
    fn a_late_reader_empties_nothing() {
        let cache = filled();
        let committing = cache.about_to_commit(Some(state(1)));
        let (key, of_3) = found(3);
        // The commit is there, and we have not looked yet.
        cache.keep_found(state(2), COOKIE, key, &of_3);
        committing.settle(Touched::Nothing, Some(state(2)));
        cache.keep_found(state(1), COOKIE, key, &of_3);
        assert!(finds(&cache, state(2), 1) && !finds(&cache, state(2), 3));
    }

    #[test]
    fn one_time_handles_are_not_kept() {
        let cache = ReadCache::new();
        let (key, found) = found(1);
        cache.keep_found(state(1), HandleKind::Ticket, key, &found);
        assert!(cache.find(state(1), HandleKind::Ticket, key).is_none());
    }

    #[test]
    fn the_longest_unused_goes_when_there_is_no_room() {
        let cache = ReadCache::with_room(5_000, 5_000);
        for id in 1..=100 {
            let (key, found) = found(id);
            cache.keep_found(state(1), COOKIE, key, &found);
            // Replacing one weighs nothing; using one keeps it.
            cache.keep_found(state(1), COOKIE, key, &found);
            assert!(finds(&cache, state(1), 1));
        }
        let kept = (1..=100).filter(|id| finds(&cache, state(1), *id)).count();
        assert_eq!(kept, 4);
        let held = cache.locked();
        assert!(held.sessions.bytes <= 5_000 && held.handles.bytes <= 5_000);
        let weighed = held.sessions.entries.iter().map(|(_, (_, bytes))| bytes);
        assert_eq!(weighed.sum::<usize>(), held.sessions.bytes);
    }

    #[test]
    fn what_has_no_room_at_all_is_not_kept() {
        let cache = ReadCache::with_room(500, 5_000);
        cache.keep_session(state(1), &session(1, 1));
        assert!(cache.session(state(1), SessionId([1; 16])).is_none());
        assert_eq!(cache.locked().sessions.bytes, 0);
    }
}
