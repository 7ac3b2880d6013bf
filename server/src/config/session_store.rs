//! `SESSION_STORE`: where sessions live. A Redis URL may hold a password, so it is a secret
//! from here on, and may come as `SESSION_STORE_FILE`.

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use url::{Host, Url};

use super::parse::Parser;

const NAME: &str = "SESSION_STORE";
const REDIS_SCHEMES: [&str; 3] = ["redis", "rediss", "redis+unix"];
const IN_THE_CLEAR: &str = "SESSION_STORE: a redis:// URL of another machine sends its password and everybody's session handles in the clear; use rediss:// unless that network is yours alone";

/// Where sessions live.
#[derive(Clone, Debug)]
pub enum StoreLocation {
    /// `sqlite:PATH`: one companion, sessions in a file.
    Sqlite(PathBuf),
    /// `redis://…`, `rediss://…` or `redis+unix://…`: any number of companions.
    Redis(SecretString),
}

impl Parser<'_> {
    pub(super) fn session_store(&mut self) -> StoreLocation {
        let known = self.problems.len();
        let text = self.secret(NAME);
        let text = text.as_deref().unwrap_or("sqlite:component-auth0.db");
        let path = text.strip_prefix("sqlite:").filter(|path| !path.is_empty());
        if let Some(path) = path {
            return StoreLocation::Sqlite(PathBuf::from(path));
        }
        if self.problems.len() == known && !is_redis(text) {
            self.problem(NAME, "must be sqlite:PATH, redis://HOST:PORT/NUMBER, rediss://… (with TLS) or redis+unix:///PATH/OF/SOCKET");
        }
        if is_in_the_clear(text) {
            self.warnings.push(IN_THE_CLEAR.to_owned());
        }
        StoreLocation::Redis(text.into())
    }
}

/// The rest of the URL is for the store to judge, when it is made.
fn is_redis(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    REDIS_SCHEMES.contains(&scheme)
}

fn is_in_the_clear(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "redis" && !is_this_machine(&url))
}

/// The scheme is none that browsers know, so addresses come as names.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leaves_the_machine_without_tls_is_in_the_clear() {
        for (url, in_the_clear) in [
            ("redis://cache.example.org", true),
            ("redis://10.0.0.5:6379", true),
            ("redis://localhost.evil.test", true),
            ("rediss://cache.example.org", false),
            ("redis://localhost:6379", false),
            ("redis://127.0.0.1", false),
            ("redis://[::1]:6379", false),
            ("redis+unix:///run/redis.sock", false),
        ] {
            assert_eq!(is_in_the_clear(url), in_the_clear, "{url}");
        }
    }
}
