//! Reads the URL of a Redis. What it says of one never shows a password.

use std::fmt;

use ::redis::{Client, ConnectionAddr, IntoConnectionInfo as _};
use url::Url;

/// The URL names no Redis. The text never quotes the URL: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// Not a URL, or of another scheme.
    #[error("it must begin with redis://, rediss:// (TLS) or redis+unix:// and be a whole URL")]
    Scheme,
    /// `redis://` without a host, or with a port or host that cannot be.
    #[error("redis:// and rediss:// need a host: redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]")]
    Host,
    /// `redis+unix://` without an absolute path.
    #[error("redis+unix:// needs an absolute path: redis+unix:///PATH[?db=NUMBER&user=…&pass=…]")]
    Socket,
    /// A database that is no number.
    #[error("the database must be a number from 0, as in redis://HOST/1")]
    Database,
    /// `#…` at its end, by which TLS could be weakened.
    #[error("it must not have a # part; a # in a password is written %23")]
    Fragment,
    /// Anything else that the client library refuses.
    #[error("it has a part that is not understood (a character to be percent-encoded?)")]
    Malformed,
}

/// Where the Redis is, without its credentials.
#[derive(Clone)]
pub(super) struct Location(String);

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Opens a client, which connects to nothing yet.
pub(super) fn client(url: &str) -> Result<(Client, Location), InvalidUrl> {
    let url = Url::parse(url).map_err(|_| InvalidUrl::Scheme)?;
    match url.scheme() {
        "redis" | "rediss" => {
            if url.host_str().is_none_or(str::is_empty) {
                return Err(InvalidUrl::Host);
            }
            check_database(url.path().trim_matches('/'))?;
        }
        "redis+unix" => {
            if url.host_str().is_some_and(|host| !host.is_empty()) || url.path().len() < 2 {
                return Err(InvalidUrl::Socket);
            }
            for (_, database) in url.query_pairs().filter(|(name, _)| name == "db") {
                check_database(&database)?;
            }
        }
        _ => return Err(InvalidUrl::Scheme),
    }
    if url.fragment().is_some() {
        return Err(InvalidUrl::Fragment);
    }
    if url.scheme() == "rediss" {
        // One crypto library for all (aws-lc-rs). Somebody may have chosen it before us.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let information = url
        .into_connection_info()
        .map_err(|_| InvalidUrl::Malformed)?;
    let database = information.redis_settings().db();
    let location = match information.addr() {
        ConnectionAddr::Tcp(host, port) => format!("redis://{host}:{port}/{database}"),
        ConnectionAddr::TcpTls { host, port, .. } => format!("rediss://{host}:{port}/{database}"),
        ConnectionAddr::Unix(path) => format!("redis+unix://{}?db={database}", path.display()),
        _ => return Err(InvalidUrl::Scheme),
    };
    let client = Client::open(information).map_err(|_| InvalidUrl::Malformed)?;
    Ok((client, Location(location)))
}

fn check_database(text: &str) -> Result<(), InvalidUrl> {
    if text.is_empty() || text.parse::<u32>().is_ok() {
        Ok(())
    } else {
        Err(InvalidUrl::Database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(url: &str) -> Result<String, InvalidUrl> {
        client(url).map(|(_, location)| location.to_string())
    }

    #[test]
    fn urls_of_every_kind_are_understood_and_shown_without_credentials() {
        for (url, shown) in [
            ("redis://host", "redis://host:6379/0"),
            ("redis://:word@host:7000/3", "redis://host:7000/3"),
            ("rediss://user:word@host", "rediss://host:6379/0"),
            ("redis://[::1]:7000", "redis://::1:7000/0"),
            (
                "redis+unix:///run/r.sock?db=2&pass=word",
                "redis+unix:///run/r.sock?db=2",
            ),
        ] {
            assert_eq!(location(url).as_deref(), Ok(shown));
        }
    }

    #[test]
    fn what_is_no_redis_is_refused_by_name() {
        for (url, why) in [
            ("", InvalidUrl::Scheme),
            ("localhost:6379", InvalidUrl::Scheme),
            ("http://host", InvalidUrl::Scheme),
            ("unix:///run/r.sock", InvalidUrl::Scheme),
            ("redis://", InvalidUrl::Host),
            ("redis+unix://run/r.sock", InvalidUrl::Socket),
            ("redis+unix://", InvalidUrl::Socket),
            ("redis://host/one", InvalidUrl::Database),
            ("redis://host/-1", InvalidUrl::Database),
            ("redis+unix:///r.sock?db=x", InvalidUrl::Database),
            ("rediss://host#insecure", InvalidUrl::Fragment),
        ] {
            assert_eq!(location(url), Err(why), "{url}");
        }
    }

    #[test]
    fn no_refusal_shows_a_password() {
        for url in [
            "redis://:hunter2@host/x",
            "redis://:hunter2@",
            "http://:hunter2@host",
        ] {
            let error = client(url).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
