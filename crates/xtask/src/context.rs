//! What every command works with; holds no state of any one command.

use std::env;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::workspace::Workspace;

/// The place, the voice and the stop signal of a running command.
pub(crate) struct Context {
    pub(crate) workspace: Workspace,
    pub(crate) progress: Progress,
    pub(crate) interrupt: Interrupt,
    /// This program. Asked for at the start: a rebuild meanwhile would make it a deleted file.
    pub(crate) executable: PathBuf,
}

impl Context {
    /// Finds the workspace and starts to listen for Ctrl-C.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            workspace: Workspace::locate()?,
            progress: Progress::start(),
            interrupt: Interrupt::install()?,
            executable: env::current_exe().context("cannot find this executable")?,
        })
    }
}

#[cfg(test)]
impl Context {
    /// A context that takes no signals of the test process.
    pub(crate) fn for_test() -> Self {
        Self {
            workspace: Workspace::locate().unwrap(),
            progress: Progress::start(),
            interrupt: Interrupt::default(),
            executable: env::current_exe().unwrap(),
        }
    }
}
