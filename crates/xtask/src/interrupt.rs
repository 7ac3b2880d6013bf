//! Ctrl-C and SIGTERM: ends every process group that this command started.
//!
//! Children run in groups of their own, so that a Streamlit or Chromium that
//! forked is ended with all that belongs to it, and nothing else is.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};

/// Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requested: AtomicBool,
    groups: Mutex<BTreeSet<u32>>,
}

impl Interrupt {
    /// Takes SIGINT, SIGTERM and SIGHUP of this process.
    ///
    /// # Errors
    /// When another handler is installed already.
    pub(crate) fn install() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let handler = interrupt.clone();
        ctrlc::set_handler(move || handler.request()).context("cannot listen for Ctrl-C")?;
        Ok(interrupt)
    }

    /// Whether the person asked to stop.
    pub(crate) fn requested(&self) -> bool {
        self.shared.requested.load(Ordering::SeqCst)
    }

    /// Counts a group in; it is ended at once when a stop was asked before.
    pub(crate) fn adopt(&self, group: u32) {
        self.groups().insert(group);
        if self.requested() {
            signal_group(group, Signal::TERM);
        }
    }

    /// Counts a group out, after its leader was waited for.
    pub(crate) fn release(&self, group: u32) {
        self.groups().remove(&group);
    }

    fn request(&self) {
        let again = self.shared.requested.swap(true, Ordering::SeqCst);
        // A second Ctrl-C means it.
        let signal = if again { Signal::KILL } else { Signal::TERM };
        for &group in self.groups().iter() {
            signal_group(group, signal);
        }
    }

    fn groups(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.shared
            .groups
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signals a whole group; one that is gone already is no error.
pub(crate) fn signal_group(group: u32, signal: Signal) {
    let pid = i32::try_from(group).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _gone_already = kill_process_group(pid, signal);
    }
}
