//! Notices between replicas, by Redis's publish/subscribe on a connection of its own.
//!
//! Redis forgets a notice that nobody hears. So whenever we have (again) begun to listen,
//! subscribers are told [`Notice::Missed`] and look for themselves.

use std::time::Duration;

use ::redis::{Client, Msg, RedisError, RedisResult};
use futures::StreamExt as _;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at, sleep, timeout};

use super::connection::{CONNECT_DEADLINE, FIRST_PAUSE, LONGEST_PAUSE};
use super::scripts::{from_hex, hex};
use crate::store::{KeyHash, Notice, SessionId};

/// A connection that is silent may be dead: ask it this often …
const ASK_EVERY: Duration = Duration::from_secs(5);
/// … and wait so long for its answer.
const ASK_DEADLINE: Duration = Duration::from_secs(2);

/// Where replicas meet. Redis's channels know no databases, so the name tells it.
pub(super) fn channel(client: &Client) -> String {
    let database = client.get_connection_info().redis_settings().db();
    format!("component-auth0:notices:{database}")
}

/// How a notice is written on the channel.
pub(super) fn encode(notice: Notice) -> String {
    match notice {
        Notice::HandoffReady(key) => format!("h{}", hex(key.as_bytes())),
        Notice::SessionEnded(id) => format!("e{}", hex(&id.0)),
        Notice::Missed => "m".to_owned(),
    }
}

/// `None`: of a version that knows more than this one, or not ours.
fn decode(message: &[u8]) -> Option<Notice> {
    let (kind, rest) = message.split_first()?;
    match kind {
        b'h' => KeyHash::from_bytes(&from_hex(rest)?).map(Notice::HandoffReady),
        b'e' => Some(Notice::SessionEnded(SessionId(
            from_hex(rest)?.try_into().ok()?,
        ))),
        b'm' if rest.is_empty() => Some(Notice::Missed),
        _ => None,
    }
}

/// Listens for ever, on a task of its own that ends when the handle is aborted.
pub(super) fn listen(client: Client, notices: broadcast::Sender<Notice>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let channel = channel(&client);
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            let Err(error) = listen_once(&client, &channel, &notices).await;
            if began.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            tracing::debug!(%error, "not listening for notices of other replicas");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    })
}

async fn listen_once(
    client: &Client,
    channel: &str,
    notices: &broadcast::Sender<Notice>,
) -> RedisResult<std::convert::Infallible> {
    let (mut sink, mut messages) = within(CONNECT_DEADLINE, async {
        let mut connection = client.get_async_pubsub().await?;
        connection.subscribe(channel).await?;
        Ok(connection.split())
    })
    .await?;
    // Nobody to hear a notice is no error.
    let _ = notices.send(Notice::Missed);
    let mut ask = interval_at(Instant::now() + ASK_EVERY, ASK_EVERY);
    loop {
        tokio::select! {
            message = messages.next() => {
                let message: Msg = message.ok_or_else(gone)?;
                if let Some(notice) = decode(message.get_payload_bytes()) {
                    let _ = notices.send(notice);
                }
            }
            _ = ask.tick() => within(ASK_DEADLINE, sink.ping::<()>()).await?,
        }
    }
}

async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    match timeout(deadline, work).await {
        Ok(result) => result,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

fn gone() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_read_as_they_were_written() {
        for notice in [
            Notice::HandoffReady(KeyHash::of("challenge")),
            Notice::SessionEnded(SessionId([7; 16])),
            Notice::Missed,
        ] {
            assert_eq!(decode(encode(notice).as_bytes()), Some(notice));
        }
    }

    #[test]
    fn what_is_no_notice_is_ignored() {
        for message in ["", "e", "e00", "h0g", "m1", "x00", "e\u{e4}\u{e4}"] {
            assert_eq!(decode(message.as_bytes()), None, "{message}");
        }
    }
}
