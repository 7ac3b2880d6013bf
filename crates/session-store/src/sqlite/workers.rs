//! A thread that writes and a few that read, each with a connection of its own.
//!
//! Calls wait in bounded queues: a file that somebody keeps locked costs a few threads and
//! an honest "unavailable", never a growing pile of blocked ones.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::cache::{ReadCache, Touched};
use super::file::{DatabaseFile, FileState, Opened};
use crate::store::StoreError;

const READERS: usize = 2;
/// Calls that wait for a thread; one more is refused at once.
const QUEUE: usize = 1024;
/// How long a call may wait for its turn. It then waits for the file's lock at most
/// `BUSY_TIMEOUT`, so that who is told "unavailable" is told before the deadline, and a write
/// that was refused is not done afterwards.
const TURN_DEADLINE: Duration = Duration::from_millis(1500);
/// How long a caller waits in all: only a disk that hangs takes so long.
const CALL_DEADLINE: Duration = Duration::from_millis(2500);

type Job = Box<dyn FnOnce(&DatabaseFile, usize) + Send>;

/// The threads. They end when this value is dropped and their queues are empty.
pub(super) struct Workers {
    writes: SyncSender<Job>,
    reads: SyncSender<Job>,
    file: Arc<DatabaseFile>,
    cache: Arc<ReadCache>,
}

impl Workers {
    /// Opens the file and starts the threads.
    pub(super) fn start(path: &Path) -> Result<Self, StoreError> {
        let file = Arc::new(DatabaseFile::open(path, 1 + READERS)?);
        let (writes, to_write) = sync_channel(QUEUE);
        let (reads, to_read) = sync_channel(QUEUE);
        spawn("sessions-writer", 0, &file, Arc::new(Mutex::new(to_write)))?;
        let to_read = Arc::new(Mutex::new(to_read));
        for seat in 1..=READERS {
            spawn("sessions-reader", seat, &file, Arc::clone(&to_read))?;
        }
        Ok(Self {
            writes,
            reads,
            file,
            cache: Arc::new(ReadCache::new()),
        })
    }

    /// Runs `work` in a transaction, after all writes that came before it. It changes
    /// `touched` and no other row that was there before.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        touched: Touched,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let cache = Arc::clone(&self.cache);
        // All of it on the writer's thread: whoever asked may be gone before the commit.
        call(&self.writes, move |connection, opened| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let rows_before = transaction.total_changes();
            let result = work(&transaction)?;
            let has_changed = transaction.total_changes() != rows_before;
            let before = opened.state();
            let committing = cache.about_to_commit(before);
            transaction.commit()?;
            let after = opened.state();
            if has_changed && before.is_some() && before == after {
                committing.give_up();
            } else {
                committing.settle(touched, after);
            }
            Ok(result)
        })
        .await
    }

    /// Runs `work`, which must not write, beside others.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        call(&self.reads, |connection, _| work(connection)).await
    }

    /// As [`read`](Self::read), and `keep` keeps what it found for [`kept`](Self::kept).
    pub(super) async fn read_and_keep<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        keep: impl FnOnce(&ReadCache, FileState, &T) + Send + 'static,
    ) -> Result<T, StoreError> {
        let cache = Arc::clone(&self.cache);
        call(&self.reads, move |connection, opened| {
            // Before the read: after it, a commit may have come between that it has not seen.
            let state = opened.state();
            let found = work(connection)?;
            if let Some(state) = state {
                keep(&cache, state, &found);
            }
            Ok(found)
        })
        .await
    }

    /// What `look` finds among what is kept, at once.
    pub(super) fn kept<T>(
        &self,
        look: impl FnOnce(&ReadCache, FileState) -> Option<T>,
    ) -> Option<T> {
        look(&self.cache, self.file.state()?)
    }
}

async fn call<T: Send + 'static>(
    queue: &SyncSender<Job>,
    work: impl FnOnce(&mut Connection, &Opened) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let (reply, answer) = oneshot::channel();
    let asked = Instant::now();
    let job: Job = Box::new(move |file, seat| {
        // Nobody waits any more: what was not begun is not done. So a queue behind a locked
        // file empties at once, instead of each call waiting for the lock in its turn.
        if reply.is_closed() {
            return;
        }
        let result = if asked.elapsed() < TURN_DEADLINE {
            file.with(seat, work)
        } else {
            Err(unavailable("the session store is too busy"))
        };
        let _ = reply.send(result);
    });
    queue.try_send(job).map_err(|refused| match refused {
        TrySendError::Full(_) => unavailable("too many calls wait for the session store"),
        TrySendError::Disconnected(_) => StoreError::Faulty("its thread has ended".into()),
    })?;
    match timeout(CALL_DEADLINE, answer).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(StoreError::Faulty("a call to the store panicked".into())),
        Err(_) => Err(unavailable("the session store did not answer in time")),
    }
}

fn unavailable(why: &'static str) -> StoreError {
    StoreError::Unavailable(why.into())
}

fn spawn(
    name: &str,
    seat: usize,
    file: &Arc<DatabaseFile>,
    queue: Arc<Mutex<Receiver<Job>>>,
) -> Result<(), StoreError> {
    let file = Arc::clone(file);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            while let Some(job) = next(&queue) {
                // The transaction of a call that panics rolls back; the thread goes on.
                let _ = catch_unwind(AssertUnwindSafe(|| job(&file, seat)));
            }
        })
        .map(|_| ())
        .map_err(|error| StoreError::Unavailable(error.into()))
}

/// The next call; `None` once the store is gone. Readers wait in turns.
fn next(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .recv()
        .ok()
}
