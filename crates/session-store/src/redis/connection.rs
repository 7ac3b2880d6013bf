//! One connection for all calls: made when first needed, shared, replaced when it breaks.
//!
//! It never lets a call wait longer than [`CALL_DEADLINE`], never lets calls queue without
//! bound, and while a Redis is down answers at once instead of knocking for every call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult, ScriptInvocation,
};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::fault::{broke_connection, fault, needs_other_connection, unavailable};
use crate::store::StoreError;

/// To connect, introduce ourselves and choose the database.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(1);
/// A whole call, connecting and asking again included. Below the companion's own deadline, so
/// that a dead connection is noticed here and the next call gets another.
const CALL_DEADLINE: Duration = Duration::from_millis(1_800);
/// Calls under way at once; one more is refused, since waiting would only add to the crowd.
const MAX_CALLS: usize = 1024;
/// After a failed attempt to connect nobody tries for this long, then twice as long …
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// … up to this.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// One call.
pub(super) enum Request<'a> {
    Command(Cmd),
    Script(ScriptInvocation<'a>),
}

impl Request<'_> {
    async fn send<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<T> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            // EVALSHA; only a Redis that does not know the script is sent its text.
            Self::Script(script) => script.invoke_async(connection).await,
        }
    }
}

/// The way to one Redis.
pub(super) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    current: Mutex<Current>,
    connecting: tokio::sync::Mutex<()>,
    calls: Semaphore,
}

#[derive(Default)]
struct Current {
    open: Option<MultiplexedConnection>,
    /// Counts connections: who found one broken drops that one, not its successor.
    number: u64,
    down: Option<Down>,
}

struct Down {
    error: RedisError,
    pause: Duration,
    until: Instant,
}

impl Link {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            config: AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT_DEADLINE))
                // The deadline of the whole call covers it.
                .set_response_timeout(None),
            current: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            calls: Semaphore::new(MAX_CALLS),
        }
    }

    /// Sends `request`, and once more over a new connection if its connection broke.
    ///
    /// It may then be obeyed twice, so every request must be one that can be: reads,
    /// removals, leases (they name their holder), and scripts that carry an operation id by
    /// which the second try recognises what the first one did (see `scripts.rs`).
    ///
    /// What is promised: an answer is the answer of exactly one obedience. An error leaves
    /// open whether it was obeyed; somebody who asks anew then asks as somebody else.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        request: Request<'_>,
    ) -> Result<T, StoreError> {
        let Ok(_call) = self.calls.try_acquire() else {
            return Err(unavailable("too many calls wait for Redis"));
        };
        let used = AtomicU64::new(0);
        if let Ok(result) = timeout(CALL_DEADLINE, self.send(&request, &used)).await {
            return result.map_err(fault);
        }
        // It may lead into a black hole: the next call tries another.
        self.discard(used.load(Ordering::Relaxed));
        Err(unavailable("Redis did not answer in time"))
    }

    async fn send<T: FromRedisValue>(
        &self,
        request: &Request<'_>,
        used: &AtomicU64,
    ) -> RedisResult<T> {
        let mut asked_again = false;
        loop {
            let (number, mut connection) = self.connection().await?;
            used.store(number, Ordering::Relaxed);
            match request.send(&mut connection).await {
                Err(error) if broke_connection(&error) => {
                    self.discard(number);
                    if asked_again {
                        return Err(error);
                    }
                    asked_again = true;
                }
                Err(error) => {
                    if needs_other_connection(&error) {
                        self.discard(number);
                    }
                    return Err(error);
                }
                Ok(answer) => return Ok(answer),
            }
        }
    }

    async fn connection(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        if let Some(open) = self.open()? {
            return Ok(open);
        }
        // One connects; the others wait for what comes of it.
        let _connecting = self.connecting.lock().await;
        if let Some(open) = self.open()? {
            return Ok(open);
        }
        let made = self
            .client
            .get_multiplexed_async_connection_with_config(&self.config)
            .await;
        let mut current = self.current();
        match made {
            Ok(connection) => {
                current.number += 1;
                current.open = Some(connection.clone());
                current.down = None;
                Ok((current.number, connection))
            }
            Err(error) => {
                let pause = current
                    .down
                    .as_ref()
                    .map_or(FIRST_PAUSE, |down| (down.pause * 2).min(LONGEST_PAUSE));
                current.down = Some(Down {
                    error: error.clone(),
                    pause,
                    until: Instant::now() + pause,
                });
                Err(error)
            }
        }
    }

    /// The open connection; the last failure if it is too early to try again.
    fn open(&self) -> RedisResult<Option<(u64, MultiplexedConnection)>> {
        let current = self.current();
        if let Some(open) = &current.open {
            return Ok(Some((current.number, open.clone())));
        }
        match &current.down {
            Some(down) if Instant::now() < down.until => Err(down.error.clone()),
            _ => Ok(None),
        }
    }

    fn discard(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            current.open = None;
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
