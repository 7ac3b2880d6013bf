//! The commands of the binary: `serve` (default), `check-config`, `dev-tenant`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use oidc::{SystemClock, SystemRandom};
use session_store::{Purged, SessionStore, SqliteStore};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::assets::Assets;
use crate::config::{LogFormat, Lookup, Problem, Settings, StoreLocation, parse_env_file};
use crate::state::{AppState, Outside};
use crate::{development, router, serve, telemetry};

const PURGE_EVERY: Duration = Duration::from_mins(1);

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
    /// Runs the development OpenID Provider alone. Loopback only.
    DevTenant(Tenant),
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

#[derive(Args)]
struct Tenant {
    /// TOML file with users, applications and APIs; without it, the default sheet.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Issuer, and with it the port; over the file's.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Port, for an issuer on localhost.
    #[arg(long, conflicts_with = "issuer")]
    port: Option<u16>,
    /// Base URL of a companion that may sign in here, beside the sheet's.
    #[arg(long, value_name = "URL")]
    allow_base_url: Vec<String>,
    /// Opens the fault switches under /dev, for tests.
    #[arg(long)]
    test_switches: bool,
}

/// Exit status for a configuration that cannot be run.
pub const BAD_CONFIGURATION: u8 = 2;

/// How a command ended.
pub enum Outcome {
    /// All is well.
    Done,
    /// The configuration has these problems.
    Misconfigured(Vec<Problem>),
}

/// Runs the command.
///
/// # Errors
/// What keeps it from running, beside the configuration.
pub async fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command.unwrap_or(Command::Serve(Serve {
        env_file: ".env".into(),
        dev: false,
    })) {
        Command::Serve(options) => {
            let lookup = match lookup(&options) {
                Ok(lookup) => lookup,
                Err(problems) => return Ok(Outcome::Misconfigured(problems)),
            };
            match checked(&lookup, &options) {
                Ok(settings) => serve_companion(settings, &lookup, options.dev).await,
                Err(problems) => Ok(Outcome::Misconfigured(problems)),
            }
        }
        Command::CheckConfig(options) => Ok(
            match lookup(&options).and_then(|lookup| checked(&lookup, &options)) {
                Ok(settings) => {
                    settings
                        .warnings
                        .iter()
                        .for_each(|warning| say(&format!("warning: {warning}")));
                    say("the configuration is good");
                    Outcome::Done
                }
                Err(problems) => Outcome::Misconfigured(problems),
            },
        ),
        Command::DevTenant(options) => serve_tenant(options).await,
    }
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

fn checked(lookup: &Lookup, options: &Serve) -> Result<Settings, Vec<Problem>> {
    let settings = Settings::parse(lookup)?;
    if options.dev {
        development::refuse_public(&settings)?;
    }
    Ok(settings)
}

async fn serve_companion(
    settings: Settings,
    lookup: &Lookup,
    dev: bool,
) -> anyhow::Result<Outcome> {
    telemetry::start(settings.log_format, lookup);
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
        tokio::spawn(dev_tenant::serve(listener, tenant, stop_signal()));
    }
    let address = SocketAddr::new(settings.bind_address, settings.port);
    let base = settings.base.to_string();
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is the port taken? set PORT"))?;
    let outside = Outside {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        store: Arc::clone(&store),
        assets,
    };
    let state = AppState::new(settings, outside)?;
    tokio::spawn(purge_for_ever(store));
    tokio::spawn(state.clone().warm_up());
    tracing::info!("component-auth0 listening on {address}, reached as {base}");
    serve::serve(listener, router(state), stop_signal()).await?;
    Ok(Outcome::Done)
}

fn open_store(location: &StoreLocation) -> anyhow::Result<Arc<dyn SessionStore>> {
    let StoreLocation::Sqlite(path) = location;
    let store = SqliteStore::open(path)
        .with_context(|| format!("SESSION_STORE: {} cannot be opened", path.display()))?;
    Ok(Arc::new(store))
}

async fn purge_for_ever(store: Arc<dyn SessionStore>) {
    use oidc::Clock as _;
    let mut tick = tokio::time::interval(PURGE_EVERY);
    loop {
        tick.tick().await;
        // One batch at a time, so that nobody waits long for the store, until nothing is left.
        loop {
            match store.purge(SystemClock.now().seconds()).await {
                Ok(purged) if purged == Purged::default() => break,
                Ok(_) => {}
                Err(error) => {
                    let error = crate::error::causes(&error);
                    tracing::warn!(error, "expired sessions were not purged");
                    break;
                }
            }
        }
    }
}

async fn serve_tenant(options: Tenant) -> anyhow::Result<Outcome> {
    telemetry::start(LogFormat::Text, &Lookup::environment());
    let mut sheet = match &options.config {
        Some(path) => tenant_file(path)?,
        None => dev_tenant::Settings::default(),
    };
    if let Some(port) = options.port {
        sheet = with_issuer(sheet, &format!("http://localhost:{port}"));
    }
    if let Some(issuer) = options.issuer {
        sheet = with_issuer(sheet, &issuer);
    }
    for base in &options.allow_base_url {
        sheet = sheet.allow_base_url(base);
    }
    if options.test_switches {
        sheet = sheet.with_test_switches();
    }
    let issuer = url::Url::parse(&sheet.issuer).context("the issuer is no URL")?;
    anyhow::ensure!(
        crate::config::is_loopback_host(&issuer),
        "the dev tenant serves loopback only: its issuer must be http://localhost:PORT/"
    );
    let host: IpAddr = issuer
        .host_str()
        .and_then(|host| host.parse().ok())
        .unwrap_or(Ipv4Addr::LOCALHOST.into());
    let address = SocketAddr::new(host, issuer.port_or_known_default().unwrap_or(80));
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is the port taken? use --port"))?;
    tracing::info!("dev tenant listening on {issuer}");
    let tenant = dev_tenant::DevTenant::new(sheet, Arc::new(dev_tenant::SystemClock));
    dev_tenant::serve(listener, tenant, stop_signal()).await?;
    Ok(Outcome::Done)
}

fn with_issuer(sheet: dev_tenant::Settings, issuer: &str) -> dev_tenant::Settings {
    dev_tenant::Settings {
        issuer: format!("{}/", issuer.trim_end_matches('/')),
        ..sheet
    }
}

fn tenant_file(path: &Path) -> anyhow::Result<dev_tenant::Settings> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    dev_tenant::Settings::from_toml(&text)
        .with_context(|| format!("{} is not right", path.display()))
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
