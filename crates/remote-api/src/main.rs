//! Starts the resource server: environment, log, listener, signals.

use std::{io::IsTerminal, process::ExitCode, sync::Arc};

use anyhow::Context;
use oidc::{HttpClient, SystemClock, SystemRandom};
use remote_api::{AppState, Config, LogFormat};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the environment is looked up"
    )]
    let config = Config::from_lookup(|name| std::env::var(name).ok());
    let config = match config {
        Ok(config) => config,
        Err(problems) => {
            for problem in problems {
                eprintln!("remote-api: {problem}");
            }
            return ExitCode::from(2);
        }
    };
    match start(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(config: &Config) -> anyhow::Result<()> {
    init_log(config);
    let http = HttpClient::new()?;
    let state = AppState::new(config, http, Arc::new(SystemClock), Arc::new(SystemRandom));
    let listener = TcpListener::bind(config.address)
        .await
        .with_context(|| format!("cannot listen on {} (HOST, PORT)", config.address))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    tracing::info!("remote-api listening on http://{}", listener.local_addr()?);
    remote_api::serve(listener, remote_api::router(state, config), shutdown).await;
    Ok(())
}

/// To stderr: stdout is for a program's results.
fn init_log(config: &Config) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&config.log_filter))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
