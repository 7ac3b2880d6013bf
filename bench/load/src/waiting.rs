//! `bench-load waiting`: frames that each hold a long poll, from as many addresses as their
//! limits ask for. Plain sockets: ten thousand HTTP clients would outweigh what is measured.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use clap::Args;
use futures::future::try_join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;

use crate::values::random_256;

/// Below the companion's limit of those that wait from one address.
const OF_ONE_ADDRESS: usize = 250;
/// Connections that are being made at once: a listener's queue is short.
const CONNECTING: usize = 64;
/// What a person who watches sees, and the caller waits for.
const ALL_WAIT: &str = "all wait";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Port of the companion on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Frames
    #[arg(long, default_value_t = 10_000)]
    count: usize,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let connecting = Arc::new(Semaphore::new(CONNECTING));
    let frames = (0..arguments.count).map(|number| {
        let connecting = Arc::clone(&connecting);
        async move {
            let _turn = connecting.acquire().await?;
            Frame::open(number, arguments.port).await
        }
    });
    let frames = try_join_all(frames).await?;
    println!("{ALL_WAIT}");
    for frame in frames {
        tokio::spawn(frame.wait());
    }
    // The caller closes it, or dies: in both cases the frames go home.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

struct Frame {
    stream: TcpStream,
    request: String,
}

impl Frame {
    /// Connects and sends the first poll.
    async fn open(number: usize, port: u16) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((address(number)?, 0)))?;
        let stream = socket
            .connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await
            .with_context(|| format!("frame {number} was not let in"))?;
        let mut frame = Self {
            stream,
            request: poll(port, &random_256()?),
        };
        frame.ask().await?;
        Ok(frame)
    }

    async fn ask(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(self.request.as_bytes()).await?;
        Ok(())
    }

    /// Asks again after each answer, as the frame does; ends with its connection.
    async fn wait(mut self) -> anyhow::Result<()> {
        // An answer without a body of note fits, and comes in one piece.
        let mut answer = [0; 2_048];
        loop {
            let read = self.stream.read(&mut answer).await?;
            ensure!(answer[..read].starts_with(b"HTTP/1.1 202"), "not held");
            self.ask().await?;
        }
    }
}

/// 127.0.1.1 and on: the whole of 127/8 is loopback.
fn address(number: usize) -> anyhow::Result<Ipv4Addr> {
    let host = u32::try_from(number / OF_ONE_ADDRESS)?;
    Ok(Ipv4Addr::from_bits(0x7f00_0101 + host))
}

fn poll(port: u16, verifier: &str) -> String {
    let body = format!(r#"{{"verifier":"{verifier}"}}"#);
    format!(
        "POST /api/auth/handoff HTTP/1.1\r\n\
         Host: localhost:{port}\r\n\
         Origin: http://localhost:{port}\r\n\
         X-Component-Auth0: frame\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_has_more_frames_than_it_may() {
        assert_eq!(address(0).unwrap(), Ipv4Addr::new(127, 0, 1, 1));
        assert_eq!(address(249).unwrap(), Ipv4Addr::new(127, 0, 1, 1));
        assert_eq!(address(250).unwrap(), Ipv4Addr::new(127, 0, 1, 2));
        assert!(address(20_000).unwrap().is_loopback());
    }

    #[test]
    fn a_poll_says_how_long_it_is() {
        let poll = poll(3001, "v");
        assert!(poll.ends_with("Content-Length: 16\r\n\r\n{\"verifier\":\"v\"}"));
    }
}
