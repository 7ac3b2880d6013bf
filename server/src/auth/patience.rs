//! Waiting for what another request or replica is doing, or for a store that is away: soon
//! looked for at first, rarely at last, and not for ever. It must not know what is waited for.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than a provider that is slow takes for a login or a refresh.
const PATIENCE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// Between two looks at most, while somebody waits for the answer.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// So long a store that is away may come back, where nobody waits for it.
const OUTAGE: Duration = Duration::from_mins(1);
/// Between two attempts at most: many may wait for the same store.
const LONGEST_PAUSE_OF_OUTAGE: Duration = Duration::from_secs(5);

/// What is left of it.
pub(super) struct Patience {
    deadline: Instant,
    pause: Duration,
    longest_pause: Duration,
}

impl Patience {
    /// All of it, from now on.
    pub(super) fn new() -> Self {
        Self {
            deadline: Instant::now() + PATIENCE,
            pause: FIRST_PAUSE,
            longest_pause: LONGEST_PAUSE,
        }
    }

    /// With a store that is away, where nobody waits for the answer.
    pub(super) fn with_an_outage() -> Self {
        Self {
            deadline: Instant::now() + OUTAGE,
            pause: LONGEST_PAUSE,
            longest_pause: LONGEST_PAUSE_OF_OUTAGE,
        }
    }

    /// Waits until it is time to look again; `false`, at once: long enough.
    pub(super) async fn lasts(&mut self) -> bool {
        if Instant::now() >= self.deadline {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(self.longest_pause);
        true
    }
}
