//! The commands of the binary: `serve` (default), `check-config`, `check-api`, `dev-tenant`.

mod check_api;
mod tenant;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use oidc::{SystemClock, SystemRandom};
use secrecy::ExposeSecret as _;
use session_store::{RedisStore, SessionStore, SqliteStore};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::assets::Assets;
use crate::closing::Closing;
use crate::config::{Lookup, Problem, Settings, StoreLocation, parse_env_file};
use crate::sessions::Sessions;
use crate::state::{AppState, Outside};
use crate::{app, development, open_files, operator_router, serve, telemetry, upkeep};

/// Sign-in for Streamlit apps, with Auth0 or any OpenID Connect provider.
#[derive(Parser)]
#[command(name = "component-auth0", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the companion server (the default).
    Serve(Serve),
    /// Reports every problem of the configuration, one line each; exits with 2 if there is one.
    CheckConfig(Serve),
    /// Calls the remote API's /api/pong with a token of `API_CLIENT_ID`, and prints its answer.
    CheckApi(Serve),
    /// Runs the development OpenID Provider alone. Loopback only.
    DevTenant(tenant::Tenant),
}

#[derive(Args, Default)]
struct Serve {
    /// Runs the dev tenant beside it, with matching settings. Loopback only.
    #[arg(long)]
    dev: bool,
    /// File of settings, below the environment.
    #[arg(long, value_name = "FILE", default_value = ".env")]
    env_file: PathBuf,
}

/// Exit status for a configuration that cannot be run.
pub const BAD_CONFIGURATION: u8 = 2;

/// How a command ended.
pub enum Outcome {
    /// All is well.
    Done,
    /// The configuration has these problems, one line each.
    Misconfigured(Vec<String>),
}

impl Outcome {
    fn misconfigured(problems: &[Problem]) -> Self {
        Self::Misconfigured(problems.iter().map(ToString::to_string).collect())
    }
}

/// Runs the command.
///
/// # Errors
/// What keeps it from running, beside the configuration.
pub async fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let command = cli.command.unwrap_or(Command::Serve(Serve {
        env_file: ".env".into(),
        dev: false,
    }));
    match command {
        Command::Serve(options) => match configured(&options) {
            Ok((settings, lookup)) => serve_companion(settings, &lookup, options.dev).await,
            Err(problems) => Ok(Outcome::misconfigured(&problems)),
        },
        Command::CheckConfig(options) => Ok(match configured(&options) {
            Ok((settings, _)) => report_good(&settings),
            Err(problems) => Outcome::misconfigured(&problems),
        }),
        Command::CheckApi(options) => match configured(&options) {
            Ok((settings, _)) => check_api::check_api(settings).await,
            Err(problems) => Ok(Outcome::misconfigured(&problems)),
        },
        Command::DevTenant(options) => tenant::run(options).await,
    }
}

fn report_good(settings: &Settings) -> Outcome {
    settings
        .warnings
        .iter()
        .for_each(|warning| say(&format!("warning: {warning}")));
    say("the configuration is good");
    Outcome::Done
}

fn lookup(options: &Serve) -> Result<Lookup, Vec<Problem>> {
    let file = match std::fs::read_to_string(&options.env_file) {
        Ok(text) => parse_env_file(&text)?,
        Err(_) => Lookup::default(),
    };
    let lookup = Lookup::environment().over(file);
    Ok(if options.dev {
        development::with_defaults(lookup)
    } else {
        lookup
    })
}

fn configured(options: &Serve) -> Result<(Settings, Lookup), Vec<Problem>> {
    let lookup = lookup(options)?;
    let settings = Settings::parse(&lookup)?;
    if options.dev {
        development::refuse_public(&settings)?;
    }
    if let StoreLocation::Redis(url) = &settings.session_store {
        RedisStore::new(url.expose_secret()).map_err(|error| {
            vec![Problem::new(
                "SESSION_STORE",
                format!("is no Redis: {error}"),
            )]
        })?;
    }
    Ok((settings, lookup))
}

async fn serve_companion(
    settings: Settings,
    lookup: &Lookup,
    dev: bool,
) -> anyhow::Result<Outcome> {
    let telemetry = telemetry::start(settings.log_format, lookup)?;
    open_files::raise_limit();
    settings
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    let assets = match Assets::load(&settings) {
        Ok(assets) => assets,
        Err(error) => {
            tracing::error!(%error, directory = %settings.static_dir.display(),
                "STATIC_DIR holds no built frontend (run `cargo xtask build`): serving without it");
            Assets::without_frontend()
        }
    };
    let store = open_store(&settings.session_store)?;
    if dev {
        tracing::warn!("--dev: for development only. Anyone on this machine can sign in as anyone");
        let (listener, tenant) = development::tenant(&settings).await?;
        tracing::info!("dev tenant on {}", tenant.issuer());
        // To the very end: a login that is being finished still needs it.
        tokio::spawn(dev_tenant::serve(listener, tenant, std::future::pending()));
    }
    let address = SocketAddr::new(settings.bind_address, settings.port);
    let base = settings.base.to_string();
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is the port taken? set PORT"))?;
    let outside = Outside {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        store,
        assets,
    };
    let operator = operator_listener(&settings).await?;
    let state = AppState::new(settings, outside)?;
    let (closing, audit) = (state.closing().clone(), state.audit().clone());
    start_beside(&state, operator);
    tokio::spawn(close_on_signals(closing.clone()));
    // With PORT=0 the system has chosen one.
    let address = listener.local_addr()?;
    tracing::info!("component-auth0 listening on {address}, reached as {base}");
    serve::serve(listener, app(state), &closing).await?;
    audit.flush().await;
    telemetry.end().await;
    Ok(Outcome::Done)
}

/// What goes on beside the requests.
fn start_beside(state: &AppState, operator: Option<TcpListener>) {
    let (sessions, metrics) = (state.sessions().clone(), state.metrics().clone());
    tokio::spawn(warn_if_unusable(sessions.clone()));
    tokio::spawn(upkeep::for_ever(sessions, metrics));
    tokio::spawn(state.clone().warm_up());
    if let Some(listener) = operator {
        let (router, closing) = (operator_router(state.clone()), state.closing().clone());
        tokio::spawn(async move { serve::serve(listener, router, &closing).await });
    }
}

/// A SQLite file is opened now: one that cannot be is a mistake. A Redis is connected to when
/// it is needed: one that is down keeps no companion from starting.
fn open_store(location: &StoreLocation) -> anyhow::Result<Arc<dyn SessionStore>> {
    Ok(match location {
        StoreLocation::Sqlite(path) => Arc::new(
            SqliteStore::open(path)
                .with_context(|| format!("SESSION_STORE: {} cannot be opened", path.display()))?,
        ),
        StoreLocation::Redis(url) => {
            Arc::new(RedisStore::new(url.expose_secret()).context("SESSION_STORE")?)
        }
    })
}

async fn warn_if_unusable(sessions: Sessions) {
    if let Err(error) = sessions.store().probe().await {
        let error = crate::error::causes(&error);
        tracing::warn!(error, "the session store is not ready yet");
    }
}

async fn operator_listener(settings: &Settings) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = settings.metrics_address else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("METRICS_ADDR: cannot listen on {address}"))?;
    tracing::info!("metrics on {}", listener.local_addr()?);
    Ok(Some(listener))
}

/// Begins the end at SIGTERM or Ctrl-C; a second one hurries it.
async fn close_on_signals(closing: Closing) {
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        closing.begin();
    }
}

/// Resolves at SIGTERM or Ctrl-C.
async fn stop_signal() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping");
}

#[expect(
    clippy::print_stdout,
    reason = "the answer of a command belongs on standard output"
)]
fn say(line: &str) {
    println!("{line}");
}
