//! The file and the connections to it, which are opened anew when the file is another.
//!
//! An open SQLite file that somebody deletes or replaces lives on without a name: commits go
//! into it, are read back, and are gone with the process. So every call first looks whether
//! the name still leads to the file that we have open. If not, all connections are closed
//! and the file of that name is opened: another one with its sessions, or a fresh one without
//! any, so that people sign in again.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::connection::{connect, create_private, migrate};
use super::fault;
use crate::store::StoreError;

/// The connections to one file, a seat for each thread; the first writes.
pub(super) struct DatabaseFile {
    path: PathBuf,
    seats: Vec<Mutex<Option<Connection>>>,
    opened: Mutex<Option<Opened>>,
}

/// What the names led to when the file was opened.
struct Opened {
    database: Identity,
    /// The file itself, if `path` is a symbolic link to it: its log lies beside it.
    real: PathBuf,
    /// Its write-ahead log.
    log: Option<Identity>,
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
        };
        file.reopen()?;
        Ok(file)
    }

    /// Does `work` with the connection of this seat.
    pub(super) fn with<T>(
        &self,
        seat: usize,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if !self.is_current() {
            self.reopen()?;
        }
        let mut seat = locked(&self.seats[seat]);
        let connection = seat
            .as_mut()
            .ok_or_else(|| StoreError::Unavailable("the file is being opened anew".into()))?;
        work(connection).map_err(fault)
    }

    fn is_current(&self) -> bool {
        let Some(ours) = locked(&self.opened).as_ref().map(|opened| opened.database) else {
            return false;
        };
        match self.path.metadata() {
            Ok(found) => ours == Identity::of(&found),
            // Other errors are for SQLite to tell.
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut seats: Vec<_> = self.seats.iter().map(locked).collect();
        if self.is_current() {
            // Another thread was here first.
            return Ok(());
        }
        // All close before one opens: two files of one name must never share a log.
        for seat in &mut seats {
            **seat = None;
        }
        if let Some(lost) = locked(&self.opened).take() {
            tracing::warn!(
                "the session file was deleted or replaced: opening the one that is there now"
            );
            lost.remove_orphaned_log();
        }
        create_private(&self.path)?;
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
        *locked(&self.opened) = Some(Opened::at(&self.path)?);
        Ok(())
    }
}

impl Opened {
    fn at(path: &Path) -> Result<Self, StoreError> {
        let look = || {
            let real = path.canonicalize()?;
            Ok(Self {
                database: Identity::of(&real.metadata()?),
                log: Identity::at(&beside(&real, "-wal")),
                real,
            })
        };
        look().map_err(|error: std::io::Error| StoreError::Unavailable(error.into()))
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
