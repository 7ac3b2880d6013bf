//! What is done once a minute and nobody waits for: expired sessions are removed, live ones
//! counted for the operator.

use std::time::Duration;

use session_store::{Purged, StoreError};

use crate::error::causes;
use crate::metrics::Metrics;
use crate::sessions::Sessions;

const EVERY: Duration = Duration::from_mins(1);

/// Goes on as long as the process lives.
pub async fn for_ever(sessions: Sessions, metrics: Metrics) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        if let Err(error) = once(&sessions, &metrics).await {
            tracing::warn!(
                error = causes(&error),
                "expired sessions were not purged or counted"
            );
        }
    }
}

/// One round.
///
/// # Errors
/// If the store does not answer; the next round tries again.
pub async fn once(sessions: &Sessions, metrics: &Metrics) -> Result<(), StoreError> {
    let store = sessions.store();
    // One batch at a time, so that nobody waits long for the store, until nothing is left.
    while store.purge(sessions.now()).await? != Purged::default() {}
    metrics.sessions_live(store.count_live(sessions.now()).await?);
    Ok(())
}
