//! Configuration of the companion: parsed once, from an injected lookup, into final
//! types. *All* problems are reported together, one line each, naming the variable and
//! the remedy; nothing here prints a value, since values may be secrets.

mod lookup;
mod operator;
mod origin;
mod parse;
mod secrets;
mod service_client;
mod session_store;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use ipnet::IpNet;
use oidc::{AllowedAlgorithms, Audience, ClientId, ClientSecret, ClockSkew, Issuer, Scope};
use secrecy::SecretString;
use url::Url;

pub use self::lookup::{Lookup, parse_env_file};
pub use self::operator::AuditLog;
pub use self::origin::{Origin, is_loopback_host};
use self::parse::Parser;
pub use self::service_client::ServiceClient;
pub use self::session_store::StoreLocation;

/// The development secret between companion and Streamlit host. Published: it protects
/// nothing, and is refused unless base URL and bind address are loopback.
pub const DEVELOPMENT_STREAMLIT_SECRET: &str = "component-auth0-development-secret-do-not-deploy";
/// The development session secret of `serve --dev`. Published likewise.
pub const DEVELOPMENT_AUTH0_SECRET: &str =
    "component-auth0-development-session-secret-do-not-deploy";

/// Everything the companion was told.
pub struct Settings {
    /// `AUTH0_BASE_URL`: our own public origin.
    pub base: Origin,
    /// `HOST` (`127.0.0.1` with a loopback base URL, else `0.0.0.0`).
    pub bind_address: IpAddr,
    /// `PORT` (3001).
    pub port: u16,
    /// `INTERNAL_HOSTS`: further `Host` values by which Streamlit hosts reach us.
    pub internal_hosts: Vec<String>,
    /// `AUTH0_SECRET`, newest first: keys for cookies and store are derived from it.
    pub session_secrets: Vec<SecretString>,
    /// `AUTH0_ISSUER_BASE_URL` (or the 2022 `AUTH0_DOMAIN`).
    pub issuer: Issuer,
    /// `AUTH0_CLIENT_ID`.
    pub client_id: ClientId,
    /// `AUTH0_CLIENT_SECRET`.
    pub client_secret: ClientSecret,
    /// `AUTH0_SCOPE` (`openid profile email offline_access`).
    pub scope: Scope,
    /// `AUTH0_AUDIENCE`: the API that access tokens are for.
    pub audience: Option<Audience>,
    /// `EXTRA_AUDIENCES`: further APIs that Python may ask tokens for.
    pub extra_audiences: Vec<Audience>,
    /// `AUTH0_ALGORITHMS` (`RS256`): the only signature algorithms accepted.
    pub algorithms: AllowedAlgorithms,
    /// `AUTH0_RESPONSE_MODE` (`query`).
    pub response_mode: ResponseMode,
    /// `LOGIN_OPTIONS` (`login_hint,screen_hint,prompt,ui_locales`).
    pub login_options: Vec<String>,
    /// `ROLES_CLAIM`: name of the claim that holds the roles.
    pub roles_claim: Option<String>,
    /// `CLOCK_SKEW_SECONDS` (60, at most 60).
    pub clock_skew: ClockSkew,
    /// `STREAMLIT_ORIGINS`: the pages that may hold the frame and get tickets.
    pub streamlit_origins: Vec<Origin>,
    /// `EMBED_ORIGINS`: outer ancestors when the Streamlit app itself is framed.
    pub embed_origins: Vec<Origin>,
    /// `STREAMLIT_SECRET`, newest first: credential of the Streamlit hosts.
    pub streamlit_secrets: Vec<SecretString>,
    /// `REMOTE_API_BASE_URL` (or the 2022 `NEXT_PUBLIC_REMOTE_API_BASE_URL`), for `/api/pong`.
    pub remote_api: Option<Url>,
    /// `API_CLIENT_ID`, `API_CLIENT_SECRET` and `API_AUDIENCE` (`AUTH0_AUDIENCE`): our own
    /// machine-to-machine access to the remote API.
    pub service_client: Option<ServiceClient>,
    /// `SESSION_STORE` (`sqlite:component-auth0.db`), or a Redis URL for several companions.
    pub session_store: StoreLocation,
    /// `SESSION_ROLLING_SECONDS` (86400) and `SESSION_ABSOLUTE_SECONDS` (604800).
    pub lifetimes: Lifetimes,
    /// `FEDERATED_LOGOUT` (true): sign out at the provider too.
    pub federated_logout: bool,
    /// `LOGOUT_ID_TOKEN_HINT` (false): send the ID token to the end-session page.
    pub logout_id_token_hint: bool,
    /// `TRUSTED_PROXIES` (none): whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `RATE_LIMIT_PER_MINUTE` (1200, or `off`): logins of one client address.
    pub rate_limit: Option<NonZeroU32>,
    /// `STATIC_DIR` (`dist`): the built frontend.
    pub static_dir: PathBuf,
    /// `METRICS_ADDR`: the operator's own listener, the only one with `/metrics` then. Without
    /// it they are on the main listener, and only while the base URL is loopback.
    pub metrics_address: Option<SocketAddr>,
    /// `LOG_FORMAT` (`text`).
    pub log_format: LogFormat,
    /// `AUDIT_LOG` (`stdout`; `off` with `serve --dev`).
    pub audit_log: AuditLog,
    /// What works, but should be known.
    pub warnings: Vec<String>,
}

/// How the provider returns the authorization response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResponseMode {
    /// In the query of a redirect (OAuth 2.0).
    Query,
    /// As a form post (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

/// How long a session lives, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Without use.
    pub rolling: i64,
    /// At most.
    pub absolute: i64,
}

/// Form of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For eyes.
    Text,
    /// For machines.
    Json,
}

/// One thing wrong with the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    variable: &'static str,
    remedy: String,
}

impl Problem {
    pub(crate) fn new(variable: &'static str, remedy: impl Into<String>) -> Self {
        Self {
            variable,
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.variable, self.remedy)
    }
}

impl Settings {
    /// Parses all settings.
    ///
    /// # Errors
    /// Every problem there is, in the order of the variables' documentation.
    pub fn parse(lookup: &Lookup) -> Result<Self, Vec<Problem>> {
        let mut parser = Parser::new(lookup);
        let settings = parser.settings();
        match settings {
            Some(settings) if parser.problems.is_empty() => Ok(settings),
            _ => Err(parser.problems),
        }
    }

    /// The redirection endpoint that is registered with the provider.
    #[must_use]
    pub fn redirect_uri(&self) -> Url {
        self.base.join(shared::routes::CALLBACK)
    }

    /// Where the provider sends the browser after a logout.
    #[must_use]
    pub fn post_logout_redirect_uri(&self) -> Url {
        self.base.join(shared::routes::LAUNCHER)
    }

    /// Whether `origin` is a Streamlit page that may get tickets.
    #[must_use]
    pub fn is_streamlit_origin(&self, origin: &str) -> bool {
        self.streamlit_origins
            .iter()
            .any(|known| known.as_str() == origin)
    }

    /// Whether `audience` may be asked for.
    #[must_use]
    pub fn allows_audience(&self, audience: &str) -> bool {
        self.audience
            .iter()
            .chain(&self.extra_audiences)
            .any(|known| known.as_str() == audience)
    }
}

#[cfg(test)]
mod tests;
