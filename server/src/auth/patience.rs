//! Waiting for what another request or replica is doing: soon looked for at first, rarely at
//! last, and not for ever. It must not know what is waited for.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than a provider that is slow takes for a login or a refresh.
const PATIENCE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// Between two looks at most.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// What is left of it.
pub(super) struct Patience {
    deadline: Instant,
    pause: Duration,
}

impl Patience {
    /// All of it, from now on.
    pub(super) fn new() -> Self {
        Self {
            deadline: Instant::now() + PATIENCE,
            pause: FIRST_PAUSE,
        }
    }

    /// Waits until it is time to look again; `false`, at once: long enough.
    pub(super) async fn lasts(&mut self) -> bool {
        if Instant::now() >= self.deadline {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}
