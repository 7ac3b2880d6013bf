//! Where a database in WAL mode stands, read without SQLite: one `pread` of 48 bytes.
//!
//! The file beside the database whose name ends in `-shm` begins with the header of SQLite's
//! index of its log. Every commit of every connection of every process changes it, a counter
//! of commits among the rest; it names the log (salts) and the last frame with the checksum of
//! all frames before. SQLite itself holds its page cache to be good as long as this header is
//! the same (`walIndexTryHdr`), and so do we. <https://sqlite.org/walformat.html>
//!
//! The kernel copies it while SQLite may be writing it. Half of one commit and half of the
//! next equals no header that ever was, so nothing is ever served by it.
//!
//! POSIX locks are a process's: who closes any descriptor of this file takes SQLite's locks on
//! it away. So it is closed after SQLite's connections only.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const LENGTH: usize = 48;
/// The only layout there is, as SQLite's own check.
const VERSION: u32 = 3_007_000;

/// The open `-shm` file.
pub(super) struct WalIndex(File);

/// Its header: equal ones mean the same content of the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header([u8; LENGTH]);

impl WalIndex {
    /// `None`: it cannot be read, so that nothing is known of where the database stands.
    pub(super) fn open(path: &Path) -> Option<Self> {
        File::open(path).ok().map(Self)
    }

    /// The header now, if it is one that we know how to read.
    pub(super) fn header(&self) -> Option<Header> {
        let mut header = Header([0; LENGTH]);
        self.0.read_exact_at(&mut header.0, 0).ok()?;
        (header.number_at(0) == VERSION).then_some(header)
    }
}

impl Header {
    /// Commits since the index was made; each adds one.
    pub(super) fn commits(&self) -> u32 {
        self.number_at(8)
    }

    /// In the byte order of this machine: the file is never read on another.
    fn number_at(&self, offset: usize) -> u32 {
        let bytes = &self.0[offset..];
        u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// One that could stand in a file, for tests of what is decided by it.
    #[cfg(test)]
    pub(super) fn of(commits: u32, salt: u8) -> Self {
        let mut header = [salt; LENGTH];
        header[8..12].copy_from_slice(&commits.to_ne_bytes());
        Self(header)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;

    struct Watched {
        ours: Connection,
        other: Connection,
        index: WalIndex,
        _directory: TempDir,
    }

    fn watched() -> Watched {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("some.db");
        let connect = || {
            let connection = Connection::open(&path).unwrap();
            connection
                .pragma_update(None, "journal_mode", "WAL")
                .unwrap();
            connection
        };
        let ours = connect();
        ours.execute_batch("CREATE TABLE t (x)").unwrap();
        Watched {
            ours,
            other: connect(),
            index: WalIndex::open(&directory.path().join("some.db-shm")).unwrap(),
            _directory: directory,
        }
    }

    impl Watched {
        /// By how much `work` moved the count, and whether anything of the header changed.
        fn moved(&self, work: impl FnOnce()) -> (u32, bool) {
            let before = self.index.header().unwrap();
            work();
            let after = self.index.header().unwrap();
            (after.commits() - before.commits(), after != before)
        }
    }

    #[test]
    fn each_commit_of_any_connection_counts_one() {
        let watched = watched();
        for connection in [&watched.ours, &watched.other] {
            let insert = || {
                connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
            };
            assert_eq!(watched.moved(insert), (1, true));
        }
    }

    #[test]
    fn a_commit_larger_than_the_page_cache_counts_one() {
        let watched = watched();
        let fill = || {
            let fill = "PRAGMA cache_size = 10;
                INSERT INTO t WITH RECURSIVE n(i) AS
                    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                    SELECT zeroblob(3000) FROM n";
            watched.ours.execute_batch(fill).unwrap();
        };
        assert_eq!(watched.moved(fill), (1, true));
    }

    #[test]
    fn a_commit_that_begins_the_log_anew_counts_one() {
        let watched = watched();
        for _ in 0..3 {
            let checkpoint = "PRAGMA wal_checkpoint(RESTART)";
            let restart = || watched.other.query_row(checkpoint, [], |_| Ok(())).unwrap();
            assert_eq!(watched.moved(restart).0, 0);
            let insert = || {
                watched
                    .ours
                    .execute("INSERT INTO t VALUES (1)", [])
                    .unwrap();
            };
            assert_eq!(watched.moved(insert), (1, true));
        }
    }

    #[test]
    fn what_writes_nothing_changes_nothing() {
        let watched = watched();
        let idle = || {
            let batch = "BEGIN IMMEDIATE; UPDATE t SET x = 2; COMMIT; SELECT * FROM t;
                         BEGIN IMMEDIATE; INSERT INTO t VALUES (1); ROLLBACK";
            watched.ours.execute_batch(batch).unwrap();
        };
        assert_eq!(watched.moved(idle), (0, false));
    }

    #[test]
    fn what_is_no_index_tells_nothing() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("some.db-shm");
        assert!(WalIndex::open(&path).is_none());
        for content in [vec![], vec![0; 96], vec![7; 96]] {
            std::fs::write(&path, content).unwrap();
            assert!(WalIndex::open(&path).unwrap().header().is_none());
        }
    }
}
