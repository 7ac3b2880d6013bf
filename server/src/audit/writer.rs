//! A thread that writes, and a bounded queue before it: however slow the disk or the pipe,
//! requests go on.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::sink::Sink;
use crate::metrics::Metrics;

/// Lines of some hundred bytes each: about a megabyte at the worst.
const QUEUE: usize = 4096;
/// The process does not wait longer than this for a sink that hangs.
const FLUSH: Duration = Duration::from_secs(2);
const FLUSH_RETRY: Duration = Duration::from_millis(10);

/// The near end of the queue.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    metrics: Metrics,
}

enum Message {
    Line(Vec<u8>),
    Flush(oneshot::Sender<()>),
}

impl Writer {
    pub(super) fn start(sink: Sink, metrics: Metrics) -> io::Result<Self> {
        let (queue, messages) = sync_channel(QUEUE);
        let counting = metrics.clone();
        thread::Builder::new()
            .name("audit-log".into())
            .spawn(move || write_all(sink, &messages, &counting))?;
        Ok(Self { queue, metrics })
    }

    /// Never waits: a line that finds the queue full is lost, and counted.
    pub(super) fn write(&self, line: Vec<u8>) {
        if self.queue.try_send(Message::Line(line)).is_err() {
            self.metrics.audit_line_dropped();
        }
    }

    pub(super) async fn flush(&self) {
        let flushed = async {
            let (done, waiting) = oneshot::channel();
            let mut message = Message::Flush(done);
            // Not by a blocking send: nothing could end one that hangs.
            while let Err(TrySendError::Full(again)) = self.queue.try_send(message) {
                message = again;
                sleep(FLUSH_RETRY).await;
            }
            // An error says that the thread is gone, and nothing is to be waited for.
            let _ = waiting.await;
        };
        if timeout(FLUSH, flushed).await.is_err() {
            tracing::warn!("the end of the audit log could not be written in time");
        }
    }
}

/// Ends with the last [`Writer`].
fn write_all(mut sink: Sink, messages: &Receiver<Message>, metrics: &Metrics) {
    let mut is_failing = false;
    while let Ok(message) = messages.recv() {
        match message {
            Message::Flush(done) => {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
            Message::Line(line) => match sink.write_line(&line) {
                Ok(()) => {
                    if is_failing {
                        tracing::info!("the audit log can be written again");
                    }
                    is_failing = false;
                }
                Err(error) => {
                    metrics.audit_line_dropped();
                    if !is_failing {
                        tracing::error!(%error, "the audit log cannot be written: lines are lost");
                    }
                    is_failing = true;
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(metrics: &Metrics) -> usize {
        let text = metrics.text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("component_auth0_audit_lines_dropped_total "));
        line.unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn lines_are_written_in_order_by_the_time_they_are_flushed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let metrics = Metrics::new();
        let writer = Writer::start(Sink::open(&path).unwrap(), metrics.clone()).unwrap();
        for n in 0..100 {
            writer.write(format!("{n}\n").into_bytes());
        }
        writer.flush().await;
        let text = std::fs::read_to_string(&path).unwrap();
        let numbers: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert!(numbers.into_iter().eq(0..100));
        assert_eq!(dropped(&metrics), 0);
    }

    // A sink that hangs: nobody takes messages off the queue.
    #[tokio::test(start_paused = true)]
    async fn lines_that_find_the_queue_full_are_dropped_and_counted_at_once() {
        let (queue, stuck) = sync_channel(2);
        let metrics = Metrics::new();
        let writer = Writer {
            queue,
            metrics: metrics.clone(),
        };
        for _ in 0..5 {
            writer.write(b"line\n".to_vec());
        }
        assert_eq!(dropped(&metrics), 3);
        // And the end of the process is not held up for ever either.
        let began = tokio::time::Instant::now();
        writer.flush().await;
        assert_eq!(began.elapsed(), FLUSH);
        drop(stuck);
    }
}
