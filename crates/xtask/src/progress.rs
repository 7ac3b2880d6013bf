//! Lines that say what goes on, with the time since the command began.
//!
//! Long steps overlap, so each line is whole and names its step; a heartbeat
//! tells what still runs and the last thing that it said.

use std::fmt::Display;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

const HEARTBEAT: Duration = Duration::from_secs(15);

/// Cheap to clone; all clones write to one screen.
#[derive(Clone)]
pub(crate) struct Progress {
    board: Arc<Board>,
}

/// One step that runs now. Dropping it ends it without a word.
pub(crate) struct Step {
    board: Arc<Board>,
    name: String,
    since: Instant,
}

struct Board {
    start: Instant,
    running: Mutex<Vec<Running>>,
    ended: Condvar,
}

struct Running {
    name: String,
    since: Instant,
    latest: String,
}

impl Progress {
    /// Starts the clock and the heartbeat.
    pub(crate) fn start() -> Self {
        let board = Arc::new(Board {
            start: Instant::now(),
            running: Mutex::default(),
            ended: Condvar::new(),
        });
        let weak = Arc::downgrade(&board);
        thread::spawn(move || heartbeat(&weak));
        Self { board }
    }

    /// Prints one line.
    pub(crate) fn say(&self, line: impl Display) {
        self.board.say(line);
    }

    /// Time since the command began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.board.start.elapsed()
    }

    /// Announces a step.
    pub(crate) fn step(&self, name: &str) -> Step {
        let since = Instant::now();
        self.board.running().push(Running {
            name: name.to_owned(),
            since,
            latest: String::new(),
        });
        Step {
            board: Arc::clone(&self.board),
            name: name.to_owned(),
            since,
        }
    }
}

impl Step {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Remembers what the step said last, for the heartbeat.
    pub(crate) fn heard(&self, line: &str) {
        let mut running = self.board.running();
        if let Some(entry) = running.iter_mut().find(|entry| entry.name == self.name) {
            entry.latest = line.trim().chars().take(90).collect();
        }
    }

    /// Prints a line in the step's name.
    pub(crate) fn say(&self, line: impl Display) {
        self.board.say(format_args!("{}: {line}", self.name));
    }

    /// Time since the step began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Ends the step with its time.
    pub(crate) fn done(self, result: impl Display) {
        self.say(format_args!("{result} ({})", seconds(self.since.elapsed())));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let name = &self.name;
        self.board.running().retain(|entry| entry.name != *name);
    }
}

impl Board {
    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, line: impl Display) {
        println!("[{:>7}] {line}", seconds(self.start.elapsed()));
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.ended.notify_all();
    }
}

/// Speaks while steps run, and ends with the last [`Progress`].
fn heartbeat(board: &Weak<Board>) {
    let idle = Mutex::new(());
    loop {
        let Some(board) = board.upgrade() else { return };
        let guard = idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (_guard, waited) = board
            .ended
            .wait_timeout(guard, HEARTBEAT)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            let running = board.running();
            for entry in running
                .iter()
                .filter(|entry| entry.since.elapsed() >= HEARTBEAT)
            {
                board.say(format_args!(
                    "{}: {} … {}",
                    entry.name,
                    seconds(entry.since.elapsed()),
                    entry.latest
                ));
            }
        }
    }
}

/// `4.2 s`, `3 min 05 s`.
pub(crate) fn seconds(elapsed: Duration) -> String {
    if elapsed < Duration::from_secs(100) {
        format!("{:.1} s", elapsed.as_secs_f64())
    } else {
        format!(
            "{} min {:02} s",
            elapsed.as_secs() / 60,
            elapsed.as_secs() % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well_on_both_sides_of_the_minute() {
        assert_eq!(seconds(Duration::from_millis(4_230)), "4.2 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 05 s");
    }
}
