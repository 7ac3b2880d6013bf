//! One method per group of variables; each notes its problems and goes on.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use oidc::{AllowedAlgorithms, Audience, ClientId, ClientSecret, ClockSkew, Issuer, Scope};
use url::Url;

use super::origin::is_loopback_host;
use super::secrets::Reach;
use super::{Lifetimes, LogFormat, Lookup, Origin, Problem, ResponseMode, Settings};

const KNOWN_LOGIN_OPTIONS: [&str; 9] = [
    "login_hint",
    "screen_hint",
    "prompt",
    "ui_locales",
    "connection",
    "organization",
    "invitation",
    "max_age",
    "acr_values",
];
const DEVELOPMENT_ORIGINS: &str = "http://localhost:4010,http://127.0.0.1:4010";

pub(super) struct Parser<'a> {
    pub(super) lookup: &'a Lookup,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(lookup: &'a Lookup) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// `None` only together with at least one problem.
    pub(super) fn settings(&mut self) -> Option<Settings> {
        let base = self.base();
        let loopback = base.as_ref().is_some_and(Origin::is_loopback);
        let bind_address = self.bind_address(loopback);
        let reach = Reach {
            base: loopback,
            socket: bind_address.is_loopback(),
        };
        let session_secrets = self.session_secrets(reach);
        let issuer = self.issuer(loopback);
        let client_id = self.required("AUTH0_CLIENT_ID", "set it to the application's client id");
        let client_secret = self.client_secret();
        let streamlit_origins = self.streamlit_origins(base.as_ref());
        let streamlit_secrets = self.streamlit_secrets(reach);
        let scope = self.scope();
        let audience = self.lookup.value("AUTH0_AUDIENCE").map(Audience::new);
        let settings = Settings {
            bind_address,
            port: self.number(
                "PORT",
                self.lookup
                    .value("NEXT_RUN_PORT")
                    .and_then(|port| port.parse().ok())
                    .unwrap_or(3001),
                0,
                65535,
            ),
            internal_hosts: self.list("INTERNAL_HOSTS"),
            extra_audiences: self
                .list("EXTRA_AUDIENCES")
                .into_iter()
                .map(Audience::new)
                .collect(),
            audience,
            algorithms: self.algorithms(),
            response_mode: self.one_of(
                "AUTH0_RESPONSE_MODE",
                &[
                    ("query", ResponseMode::Query),
                    ("form_post", ResponseMode::FormPost),
                ],
            ),
            login_options: self.login_options(),
            roles_claim: self.lookup.value("ROLES_CLAIM").map(str::to_owned),
            clock_skew: self.clock_skew(),
            embed_origins: self.origins("EMBED_ORIGINS", ""),
            remote_api: self.remote_api(),
            service_client: self.service_client(),
            session_store: self.session_store(),
            lifetimes: self.lifetimes(),
            federated_logout: self.one_of("FEDERATED_LOGOUT", &[("true", true), ("false", false)]),
            logout_id_token_hint: self
                .one_of("LOGOUT_ID_TOKEN_HINT", &[("false", false), ("true", true)]),
            trusted_proxies: self.trusted_proxies(base.as_ref()),
            rate_limit: self.rate_limit(),
            static_dir: PathBuf::from(self.lookup.value("STATIC_DIR").unwrap_or("dist")),
            metrics_address: self.metrics_address(),
            audit_log: self.audit_log(),
            log_format: self.one_of(
                "LOG_FORMAT",
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            ),
            warnings: Vec::new(),
            // The required ones last: all problems above are collected before any `?`.
            base: base?,
            session_secrets,
            issuer: issuer?,
            client_id: ClientId::new(client_id?),
            client_secret: client_secret?,
            scope: scope?,
            streamlit_origins,
            streamlit_secrets,
        };
        Some(Settings {
            warnings: std::mem::take(&mut self.warnings),
            ..settings
        })
    }

    pub(super) fn problem(&mut self, variable: &'static str, remedy: impl Into<String>) {
        self.problems.push(Problem::new(variable, remedy));
    }

    fn required(&mut self, name: &'static str, remedy: &str) -> Option<String> {
        let value = self.lookup.value(name).map(str::to_owned);
        if value.is_none() {
            self.problem(name, format!("is missing: {remedy}"));
        }
        value
    }

    pub(super) fn secret(&mut self, name: &'static str) -> Option<String> {
        self.lookup.secret(name).unwrap_or_else(|problem| {
            self.problems.push(problem);
            None
        })
    }

    /// Comma-separated; the 2022 list form `['a', 'b']` is understood too.
    fn list(&self, name: &str) -> Vec<String> {
        split_list(self.lookup.value(name).unwrap_or_default())
    }

    fn parsed_list<T: FromStr>(&mut self, name: &'static str, remedy: &str) -> Vec<T> {
        let mut parsed = Vec::new();
        for item in self.list(name) {
            // A bare address is a network of one.
            match item
                .parse()
                .or_else(|_| format!("{item}/32").parse())
                .or_else(|_| format!("{item}/128").parse())
            {
                Ok(item) => parsed.push(item),
                Err(_) => self.problem(name, format!("has an entry that cannot be read: {remedy}")),
            }
        }
        parsed
    }

    fn number<T: FromStr + PartialOrd + std::fmt::Display + Copy>(
        &mut self,
        name: &'static str,
        default: T,
        least: T,
        most: T,
    ) -> T {
        match self.lookup.value(name).map(str::parse::<T>) {
            None => default,
            Some(Ok(number)) if number >= least && number <= most => number,
            Some(_) => {
                self.problem(
                    name,
                    format!("must be a whole number from {least} to {most}"),
                );
                default
            }
        }
    }

    /// The first choice is the default.
    fn one_of<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> T {
        let Some(value) = self.lookup.value(name) else {
            return choices[0].1;
        };
        if let Some((_, choice)) = choices
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(value))
        {
            return *choice;
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.problem(name, format!("must be {}", words.join(" or ")));
        choices[0].1
    }

    fn base(&mut self) -> Option<Origin> {
        let text = self.required(
            "AUTH0_BASE_URL",
            "set it to this server's public origin, for instance http://localhost:3001",
        )?;
        Origin::parse(&text)
            .map_err(|remedy| self.problem("AUTH0_BASE_URL", remedy))
            .ok()
    }

    fn bind_address(&mut self, loopback: bool) -> IpAddr {
        let default = if loopback {
            Ipv4Addr::LOCALHOST
        } else {
            Ipv4Addr::UNSPECIFIED
        }
        .into();
        match self.lookup.value("HOST") {
            None => default,
            Some("localhost") => Ipv4Addr::LOCALHOST.into(),
            Some(text) => text.parse().unwrap_or_else(|_| {
                self.problem(
                    "HOST",
                    "must be an IP address to listen on, for instance 0.0.0.0",
                );
                default
            }),
        }
    }

    fn client_secret(&mut self) -> Option<ClientSecret> {
        let known = self.problems.len();
        let secret = self.secret("AUTH0_CLIENT_SECRET");
        if secret.is_none() && self.problems.len() == known {
            self.problem(
                "AUTH0_CLIENT_SECRET",
                "is missing: set it to the application's client secret",
            );
        }
        secret.map(ClientSecret::new)
    }

    fn issuer(&mut self, loopback: bool) -> Option<Issuer> {
        const NAME: &str = "AUTH0_ISSUER_BASE_URL";
        let text = match (self.lookup.value(NAME), self.lookup.value("AUTH0_DOMAIN")) {
            (Some(issuer), _) if issuer.contains("://") => issuer.to_owned(),
            (Some(domain), _) | (None, Some(domain)) => format!("https://{domain}"),
            (None, None) => {
                self.problem(NAME, "is missing: set it to the provider's issuer, for instance https://your-tenant.eu.auth0.com");
                return None;
            }
        };
        let issuer = Issuer::parse(&text)
            .map_err(|_| self.problem(NAME, "must be an https URL without query or fragment"))
            .ok()?;
        if issuer.url().scheme() == "http" && !(loopback && is_loopback_host(issuer.url())) {
            self.problem(NAME, "must use https (http is accepted only while issuer and AUTH0_BASE_URL are loopback)");
            return None;
        }
        Some(issuer)
    }

    fn scope(&mut self) -> Option<Scope> {
        let text = self
            .lookup
            .value("AUTH0_SCOPE")
            .unwrap_or("openid profile email offline_access");
        match Scope::parse(text) {
            Ok(scope) if scope.contains("openid") => Some(scope),
            Ok(_) => {
                self.problem("AUTH0_SCOPE", "must contain openid");
                None
            }
            Err(_) => {
                self.problem(
                    "AUTH0_SCOPE",
                    "must be scope names separated by single spaces",
                );
                None
            }
        }
    }

    fn algorithms(&mut self) -> AllowedAlgorithms {
        let names = self.list("AUTH0_ALGORITHMS");
        if names.is_empty() {
            return AllowedAlgorithms::rs256();
        }
        AllowedAlgorithms::parse(names.iter().map(String::as_str)).unwrap_or_else(|_| {
            // The error would repeat the value, which may be a secret in the wrong line.
            self.problem(
                "AUTH0_ALGORITHMS",
                "may hold only asymmetric signature algorithms that can be verified, such as RS256 or ES256",
            );
            AllowedAlgorithms::rs256()
        })
    }

    fn clock_skew(&mut self) -> ClockSkew {
        let seconds = self.number("CLOCK_SKEW_SECONDS", 60, 0, 60);
        ClockSkew::from_seconds(seconds)
            .unwrap_or_else(|_| unreachable!("60 is the protocol core's own limit"))
    }

    fn login_options(&mut self) -> Vec<String> {
        let options = self.list("LOGIN_OPTIONS");
        if options.is_empty() {
            return KNOWN_LOGIN_OPTIONS[..4]
                .iter()
                .map(|&name| name.to_owned())
                .collect();
        }
        if options
            .iter()
            .any(|name| !KNOWN_LOGIN_OPTIONS.contains(&name.as_str()))
        {
            self.problem(
                "LOGIN_OPTIONS",
                format!("may hold only {}", KNOWN_LOGIN_OPTIONS.join(", ")),
            );
        }
        options
    }

    fn origins(&mut self, name: &'static str, default: &str) -> Vec<Origin> {
        let mut origins = Vec::new();
        for text in split_list(self.lookup.value(name).unwrap_or(default)) {
            match Origin::parse(&text) {
                Ok(origin) => origins.push(origin),
                Err(remedy) => self.problem(name, format!("each entry {remedy}")),
            }
        }
        origins
    }

    fn streamlit_origins(&mut self, base: Option<&Origin>) -> Vec<Origin> {
        const NAME: &str = "STREAMLIT_ORIGINS";
        let loopback = base.is_some_and(Origin::is_loopback);
        if self.lookup.value(NAME).is_none() && !loopback {
            self.problem(
                NAME,
                "is missing: list the origins of your Streamlit apps, comma-separated",
            );
            return Vec::new();
        }
        let origins = self.origins(NAME, DEVELOPMENT_ORIGINS);
        // Cookies know no ports: an app on our own host could read and plant ours.
        if let Some(base) = base
            && origins.iter().any(|origin| origin.host() == base.host())
        {
            if loopback {
                self.warnings.push("STREAMLIT_ORIGINS and AUTH0_BASE_URL share a host, and cookies ignore ports: for development only".into());
            } else {
                self.problem(NAME, "no entry may have AUTH0_BASE_URL's host (cookies ignore ports): give the companion a host name of its own");
            }
        }
        origins
    }

    fn trusted_proxies(&mut self, base: Option<&Origin>) -> Vec<IpNet> {
        const NAME: &str = "TRUSTED_PROXIES";
        // We speak plain http: where people come by https, something of the operator's is
        // between, and every request bears its address.
        if self.lookup.value(NAME).is_none() && base.is_some_and(Origin::is_https) {
            self.warnings.push("TRUSTED_PROXIES is unset: behind a reverse proxy every visitor counts as one client; list the proxies' addresses".into());
        }
        let networks = self.parsed_list(NAME, "list addresses or networks like 10.0.0.0/8");
        // The leftmost address would count then, which is the client's own word (E48). Halves
        // make a whole, too.
        if IpNet::aggregate(&networks)
            .iter()
            .any(|network| network.prefix_len() == 0)
        {
            self.problem(NAME, "must not hold every address there is, or any client could say that it is another: list only your own proxies, by address or as networks like 10.0.0.0/8");
        }
        networks
    }

    /// Five hundred people who arrive at once behind one address, and try twice, fit in.
    fn rate_limit(&mut self) -> Option<NonZeroU32> {
        const NAME: &str = "RATE_LIMIT_PER_MINUTE";
        const MOST: u32 = 1_000_000;
        match self.lookup.value(NAME) {
            None => NonZeroU32::new(1_200),
            Some("off") => None,
            Some(text) => {
                let number = text.parse().ok().filter(|number| *number <= MOST);
                let number = number.and_then(NonZeroU32::new);
                if number.is_none() {
                    let remedy = format!("must be a whole number from 1 to {MOST}, or off");
                    self.problem(NAME, remedy);
                }
                number
            }
        }
    }

    fn remote_api(&mut self) -> Option<Url> {
        let text = self
            .lookup
            .value("REMOTE_API_BASE_URL")
            .or_else(|| self.lookup.value("NEXT_PUBLIC_REMOTE_API_BASE_URL"))?;
        match Url::parse(text) {
            Ok(url)
                if url.scheme() == "https"
                    || (url.scheme() == "http" && is_loopback_host(&url)) =>
            {
                Some(url)
            }
            _ => {
                self.problem(
                    "REMOTE_API_BASE_URL",
                    "must be an https URL (http is accepted on loopback hosts only)",
                );
                None
            }
        }
    }

    fn lifetimes(&mut self) -> Lifetimes {
        const YEAR: i64 = 366 * 86_400;
        let absolute = self.number("SESSION_ABSOLUTE_SECONDS", 604_800, 1, YEAR);
        let rolling = self.number("SESSION_ROLLING_SECONDS", 86_400.min(absolute), 1, YEAR);
        if rolling > absolute {
            self.problem(
                "SESSION_ROLLING_SECONDS",
                "must not be more than SESSION_ABSOLUTE_SECONDS",
            );
        }
        Lifetimes { rolling, absolute }
    }
}

fn split_list(text: &str) -> Vec<String> {
    text.trim_start_matches('[')
        .trim_end_matches(']')
        .split(',')
        .map(|item| item.trim().trim_matches(['\'', '"']).to_owned())
        .filter(|item| !item.is_empty())
        .collect()
}
