//! The file and the connections to it, which are opened anew when the file is another.
//!
//! An open SQLite file that somebody deletes or replaces lives on without a name: commits go
//! into it, are read back, and are gone with the process. So every call first looks whether
//! the name still leads to the file that we have open. If not, all connections are closed
//! and the file of that name is opened: another one with its sessions, or a fresh one without
//! any, so that people sign in again.

use std::cmp::Ordering;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{self, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rusqlite::Connection;

use super::connection::{connect, create_private, migrate};
use super::fault;
use super::wal_index::{Header, WalIndex};
use crate::store::StoreError;

/// The connections to one file, a seat for each thread; the first writes.
pub(super) struct DatabaseFile {
    path: PathBuf,
    // Before `opened`: SQLite's locks are gone once the index is closed.
    seats: Vec<Mutex<Option<Connection>>>,
    /// Held for a moment, to clone what is in it or to replace it.
    opened: Mutex<Option<Arc<Opened>>>,
    /// How many times some file was opened.
    turns: AtomicU64,
}

/// What the names led to when the file was opened.
pub(super) struct Opened {
    /// Counts the times that some file was opened.
    turn: u64,
    database: Identity,
    /// The file itself, if `path` is a symbolic link to it: its log lies beside it.
    real: PathBuf,
    /// Its write-ahead log.
    log: Option<Identity>,
    /// That log's index.
    index: Option<WalIndex>,
}

/// What the file holds, by name: in equal states it holds the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FileState {
    turn: u64,
    header: Header,
}

/// Device and inode.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Identity(u64, u64);

impl DatabaseFile {
    /// Opens the file, or makes it with mode 0600.
    pub(super) fn open(path: &Path, seats: usize) -> Result<Self, StoreError> {
        let file = Self {
            path: path.to_owned(),
            seats: (0..seats).map(|_| Mutex::default()).collect(),
            opened: Mutex::default(),
            turns: AtomicU64::default(),
        };
        file.reopen()?;
        Ok(file)
    }

    /// Does `work` with the connection of this seat.
    pub(super) fn with<T>(
        &self,
        seat: usize,
        work: impl FnOnce(&mut Connection, &Opened) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if self.current().is_none() {
            self.reopen()?;
        }
        let mut seat = locked(&self.seats[seat]);
        let (Some(connection), Some(opened)) = (seat.as_mut(), self.opened()) else {
            return Err(StoreError::Unavailable(
                "the file is being opened anew".into(),
            ));
        };
        work(connection, &opened).map_err(fault)
    }

    /// In what state the file is, if its name still leads to it. Two system calls, and
    /// neither waits for a disk or for anybody's lock: names and index are in memory.
    pub(super) fn state(&self) -> Option<FileState> {
        self.current()?.state()
    }

    /// What is open, if the name still leads there.
    fn current(&self) -> Option<Arc<Opened>> {
        let opened = self.opened()?;
        let is_current = match self.path.metadata() {
            Ok(found) => opened.database == Identity::of(&found),
            // Other errors are for SQLite to tell.
            Err(error) => error.kind() != ErrorKind::NotFound,
        };
        is_current.then_some(opened)
    }

    fn opened(&self) -> Option<Arc<Opened>> {
        locked(&self.opened).clone()
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut seats: Vec<_> = self.seats.iter().map(locked).collect();
        if self.current().is_some() {
            // Another thread was here first.
            return Ok(());
        }
        // All close before one opens: two files of one name must never share a log.
        for seat in &mut seats {
            **seat = None;
        }
        let lost = locked(&self.opened).take();
        if let Some(lost) = lost {
            tracing::warn!(
                "the session file was deleted or replaced: opening the one that is there now"
            );
            lost.remove_orphaned_log();
            // Who still looks at its index has a system call to go, and closes it then: not
            // after the same file was opened again (its directory was away for a moment).
            while Arc::strong_count(&lost) > 1 {
                thread::yield_now();
            }
        }
        create_private(&self.path)?;
        let database = Identity::at(&self.path);
        let mut writer = connect(&self.path)?;
        migrate(&mut writer)?;
        *seats[0] = Some(writer);
        for seat in seats.iter_mut().skip(1) {
            let reader = connect(&self.path)?;
            reader
                .pragma_update(None, "query_only", true)
                .map_err(fault)?;
            **seat = Some(reader);
        }
        let turn = self.turns.fetch_add(1, atomic::Ordering::Relaxed);
        let opened = Opened::at(&self.path, turn)?;
        if Some(opened.database) != database {
            return Err(StoreError::Unavailable(
                "the file was replaced while it was opened".into(),
            ));
        }
        *locked(&self.opened) = Some(Arc::new(opened));
        Ok(())
    }
}

impl Opened {
    fn at(path: &Path, turn: u64) -> Result<Self, StoreError> {
        let look = || {
            let real = path.canonicalize()?;
            Ok(Self {
                turn,
                index: WalIndex::open(&beside(&real, "-shm")),
                database: Identity::of(&real.metadata()?),
                log: Identity::at(&beside(&real, "-wal")),
                real,
            })
        };
        look().map_err(|error: std::io::Error| StoreError::Unavailable(error.into()))
    }

    /// In what state the file is. `None`: it does not tell.
    pub(super) fn state(&self) -> Option<FileState> {
        let header = self.index.as_ref()?.header()?;
        Some(FileState {
            turn: self.turn,
            header,
        })
    }

    /// The log of a file that is gone would be read into its successor and destroy it. A log
    /// that came with the successor stays.
    fn remove_orphaned_log(&self) {
        let log = beside(&self.real, "-wal");
        if self.log.is_some() && Identity::at(&log) == self.log {
            for file in [log, beside(&self.real, "-shm")] {
                let _ = std::fs::remove_file(file);
            }
        }
    }
}

impl FileState {
    /// Whether the file came to this state after it was in `other`; with equally many commits
    /// nobody knows, and it counts as no.
    pub(super) fn is_after(&self, other: &Self) -> bool {
        match self.turn.cmp(&other.turn) {
            // The count wraps around.
            Ordering::Equal => {
                matches!(self.commits_since(other), 1..=0x7FFF_FFFF)
            }
            order => order == Ordering::Greater,
        }
    }

    /// Whether one commit at most leads from `other` to this state.
    pub(super) fn is_at_most_one_commit_after(&self, other: &Self) -> bool {
        self == other || (self.turn == other.turn && self.commits_since(other) == 1)
    }

    fn commits_since(&self, other: &Self) -> u32 {
        self.header.commits().wrapping_sub(other.header.commits())
    }

    /// One that could be, for tests of what is decided by it.
    #[cfg(test)]
    pub(super) fn of(turn: u64, header: Header) -> Self {
        Self { turn, header }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}

impl Identity {
    fn of(found: &Metadata) -> Self {
        Self(found.dev(), found.ino())
    }

    fn at(path: &Path) -> Option<Self> {
        path.metadata().ok().map(|found| Self::of(&found))
    }
}

/// A panic left no half-done work: its transaction rolled back.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
