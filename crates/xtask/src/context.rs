//! What every command works with; holds no state of any one command.

use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::workspace::Workspace;

/// The place, the voice and the stop signal of a running command.
pub(crate) struct Context {
    pub(crate) workspace: Workspace,
    pub(crate) progress: Progress,
    pub(crate) interrupt: Interrupt,
}

impl Context {
    /// Finds the workspace and starts to listen for Ctrl-C.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            workspace: Workspace::locate()?,
            progress: Progress::start(),
            interrupt: Interrupt::install()?,
        })
    }
}
