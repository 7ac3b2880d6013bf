//! Settings of the resource server, parsed once from an injected lookup into final types.
//! All problems are found together.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::HeaderValue;
use oidc::{AllowedAlgorithms, Audience, ClientId, ClockSkew, Issuer};
use url::Url;

/// What the environment says.
#[derive(Debug, Clone)]
pub struct Config {
    /// `AUTH0_ISSUER_BASE_URL`, or the older `AUTH0_DOMAIN` without a scheme. Required.
    pub issuer: Issuer,
    /// `API_AUDIENCE`: this API's identifier at the provider. Required.
    pub audience: Audience,
    /// `AUTH0_ALGORITHMS`, default `RS256`.
    pub algorithms: AllowedAlgorithms,
    /// `CLOCK_SKEW_SECONDS`, default and at most 60.
    pub clock_skew: ClockSkew,
    /// `MAX_TOKEN_LIFETIME_SECONDS`: longest life of an access token. Default: the provider's.
    pub max_token_lifetime_seconds: Option<u32>,
    /// `ALLOWED_CLIENT_IDS`: clients whose tokens count, separated by commas. Default: all
    /// that the provider issues tokens for this API to.
    pub allowed_clients: Option<Vec<ClientId>>,
    /// `HOST`, default `127.0.0.1`, and `PORT`, default 8888; 0 lets the system choose.
    pub address: SocketAddr,
    /// `CORS_ORIGINS`: exact origins, separated by commas, whose pages may call. Default: none.
    pub cors_origins: Vec<HeaderValue>,
    /// `LOG_FORMAT`: `text` (default) or `json`.
    pub log_format: LogFormat,
    /// `RUST_LOG`, default `info`.
    pub log_filter: String,
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// One setting that cannot be used: its name and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct ConfigProblem {
    name: &'static str,
    problem: String,
}

impl Config {
    /// Reads all settings through `lookup`. An empty value counts as unset.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn from_lookup(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut settings = Settings {
            lookup: &lookup,
            problems: Vec::new(),
        };
        let issuer = settings.issuer();
        let audience = settings.required("API_AUDIENCE", |text| Ok(Audience::new(text)));
        let algorithms =
            settings.optional("AUTH0_ALGORITHMS", AllowedAlgorithms::rs256(), |text| {
                AllowedAlgorithms::from_setting(text).map_err(|error| error.to_string())
            });
        let clock_skew = settings.optional("CLOCK_SKEW_SECONDS", ClockSkew::default(), clock_skew);
        let max_token_lifetime_seconds =
            settings.optional("MAX_TOKEN_LIFETIME_SECONDS", None, lifetime);
        let allowed_clients = settings.optional("ALLOWED_CLIENT_IDS", None, clients);
        let address = settings.address();
        let cors_origins = settings.optional("CORS_ORIGINS", Vec::new(), origins);
        let log_format = settings.optional("LOG_FORMAT", LogFormat::Text, log_format);
        let log_filter = settings
            .value("RUST_LOG")
            .unwrap_or_else(|| "info".to_owned());
        match (issuer, audience) {
            (Some(issuer), Some(audience)) if settings.problems.is_empty() => Ok(Self {
                issuer,
                audience,
                algorithms,
                clock_skew,
                max_token_lifetime_seconds,
                allowed_clients,
                address,
                cors_origins,
                log_format,
                log_filter,
            }),
            _ => Err(settings.problems),
        }
    }
}

struct Settings<'a, L> {
    lookup: &'a L,
    problems: Vec<ConfigProblem>,
}

impl<L: Fn(&str) -> Option<String>> Settings<'_, L> {
    fn value(&self, name: &'static str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn parsed<T>(
        &mut self,
        name: &'static str,
        text: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(text)
            .map_err(|problem| self.problem(name, problem))
            .ok()
    }

    fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some(text) = self.value(name) else {
            self.problem(name, "is required".to_owned());
            return None;
        };
        self.parsed(name, &text, parse)
    }

    fn optional<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        match self.value(name) {
            Some(text) => self.parsed(name, &text, parse).unwrap_or(default),
            None => default,
        }
    }

    fn issuer(&mut self) -> Option<Issuer> {
        let parse = |text: &str| Issuer::parse(text).map_err(|error| error.to_string());
        match (
            self.value("AUTH0_ISSUER_BASE_URL"),
            self.value("AUTH0_DOMAIN"),
        ) {
            (None, Some(domain)) => self.parsed("AUTH0_DOMAIN", &domain, |domain| {
                if domain.contains("://") {
                    return Err("is a domain without a scheme".to_owned());
                }
                parse(&format!("https://{}/", domain.trim_end_matches('/')))
            }),
            _ => self.required("AUTH0_ISSUER_BASE_URL", parse),
        }
    }

    fn address(&mut self) -> SocketAddr {
        let host = self.optional("HOST", IpAddr::V4(Ipv4Addr::LOCALHOST), host);
        let port = self.optional("PORT", 8888, |text| {
            text.parse()
                .map_err(|_| "is not a port (0 to 65535)".to_owned())
        });
        SocketAddr::new(host, port)
    }

    fn problem(&mut self, name: &'static str, problem: String) {
        self.problems.push(ConfigProblem { name, problem });
    }
}

fn clock_skew(text: &str) -> Result<ClockSkew, String> {
    let seconds = text
        .parse()
        .map_err(|_| "is not a number of seconds".to_owned())?;
    ClockSkew::from_seconds(seconds).map_err(|_| "must be 60 seconds at most".to_owned())
}

fn lifetime(text: &str) -> Result<Option<u32>, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0 => Ok(Some(seconds)),
        _ => Err("is not a number of seconds above 0".to_owned()),
    }
}

/// Names no client: a list that is there by mistake must not admit everybody.
fn clients(text: &str) -> Result<Option<Vec<ClientId>>, String> {
    let clients: Vec<_> = text
        .split(',')
        .map(str::trim)
        .filter(|client| !client.is_empty())
        .map(ClientId::new)
        .collect();
    if clients.is_empty() {
        return Err("names no client".to_owned());
    }
    Ok(Some(clients))
}

fn host(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse()
        .map_err(|_| "is not an IP address (0.0.0.0 listens everywhere)".to_owned())
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is neither text nor json".to_owned()),
    }
}

fn origins(text: &str) -> Result<Vec<HeaderValue>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|origin| !origin.is_empty())
        .map(origin)
        .collect()
}

/// Exact: no `*`, no `null`, no path. What the browser sends must equal it byte by byte.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let problem = || format!("{text:?} is not an origin such as https://app.example.com");
    let url = Url::parse(text).map_err(|_| problem())?;
    let is_web = matches!(url.scheme(), "http" | "https");
    let serialized = url.origin().ascii_serialization();
    if !is_web || serialized != text.trim_end_matches('/') {
        return Err(problem());
    }
    HeaderValue::try_from(serialized).map_err(|_| problem())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        Config::from_lookup(|name| {
            let found = settings.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    const REQUIRED: [(&str, &str); 2] = [
        ("AUTH0_ISSUER_BASE_URL", "https://tenant.eu.auth0.com"),
        ("API_AUDIENCE", "http://oe.streamlit.app/api"),
    ];

    #[test]
    fn required_settings_are_enough() {
        let config = config(&REQUIRED).unwrap();
        assert_eq!(config.issuer.as_str(), "https://tenant.eu.auth0.com");
        assert_eq!(config.address.to_string(), "127.0.0.1:8888");
        assert!(config.cors_origins.is_empty());
        assert_eq!(config.max_token_lifetime_seconds, None);
        assert_eq!(config.allowed_clients, None);
    }

    #[test]
    fn domain_of_2022_is_understood_without_scheme_only() {
        let audience = ("API_AUDIENCE", "a");
        let understood = config(&[("AUTH0_DOMAIN", "tenant.eu.auth0.com"), audience]).unwrap();
        assert_eq!(understood.issuer.as_str(), "https://tenant.eu.auth0.com/");
        let problems = config(&[("AUTH0_DOMAIN", "http://evil.test"), audience]).unwrap_err();
        assert_eq!(problems, ["AUTH0_DOMAIN: is a domain without a scheme"]);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let problems = config(&[
            ("AUTH0_ISSUER_BASE_URL", "http://tenant.eu.auth0.com"),
            ("API_AUDIENCE", " "),
            ("AUTH0_ALGORITHMS", "HS256"),
            ("CLOCK_SKEW_SECONDS", "61"),
            ("MAX_TOKEN_LIFETIME_SECONDS", "0"),
            ("ALLOWED_CLIENT_IDS", " , "),
            ("HOST", "nowhere"),
            ("PORT", "65536"),
            ("CORS_ORIGINS", "https://a.test, *"),
            ("LOG_FORMAT", "xml"),
        ])
        .unwrap_err();
        let names: Vec<_> = problems
            .iter()
            .map(|line| line.split(':').next().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "AUTH0_ISSUER_BASE_URL",
                "API_AUDIENCE",
                "AUTH0_ALGORITHMS",
                "CLOCK_SKEW_SECONDS",
                "MAX_TOKEN_LIFETIME_SECONDS",
                "ALLOWED_CLIENT_IDS",
                "HOST",
                "PORT",
                "CORS_ORIGINS",
                "LOG_FORMAT"
            ]
        );
    }

    #[test]
    fn only_exact_origins_may_call() {
        for bad in [
            "*",
            "null",
            "https://a.test/path",
            "a.test",
            "ftp://a.test",
            "https://a.test?x",
            "https://A.test",
        ] {
            let problems = config(&[REQUIRED[0], REQUIRED[1], ("CORS_ORIGINS", bad)]).unwrap_err();
            assert_eq!(problems.len(), 1, "{bad}");
        }
        let good = ("CORS_ORIGINS", "https://a.test,http://localhost:4010/");
        let origins = config(&[REQUIRED[0], REQUIRED[1], good])
            .unwrap()
            .cors_origins;
        assert_eq!(origins, ["https://a.test", "http://localhost:4010"]);
    }
}
