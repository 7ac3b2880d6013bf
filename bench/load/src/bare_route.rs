//! The floor: what axum itself costs here, with an answer as long as `/api/ping`'s.

use std::net::Ipv4Addr;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use clap::Args;
use tokio::net::TcpListener;

/// As `/api/ping` answers, with a time that stands still.
const ANSWER: &str = r#"{"ping":"2026-01-01T00:00:00.000000000Z"}"#;

#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    port: u16,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let answer = || async { ([(header::CONTENT_TYPE, "application/json")], ANSWER) };
    let router = Router::new().route("/api/ping", get(answer));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    // As our servers do: without it a small answer may wait for an acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _delayed = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}
