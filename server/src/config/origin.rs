//! An origin as browsers write it (RFC 6454 §6.1): scheme, host, and port unless default.

use std::fmt;

use url::{Host, Url};

/// `https://host[:port]`, or `http` on a loopback host.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    url: Url,
    serialized: String,
}

impl Origin {
    /// Parses an exact origin; a trailing slash is forgiven.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow "must be …".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str =
            "must be an exact origin like https://app.example.org, without path, `*` or `null`";
        let url = Url::parse(text).map_err(|_| FORM)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        if !bare || !anonymous || !matches!(url.scheme(), "http" | "https") || url.host().is_none()
        {
            return Err(FORM);
        }
        let serialized = url.origin().ascii_serialization();
        // What a browser will send is compared as text: only its own spelling can match.
        if text.strip_suffix('/').unwrap_or(text) != serialized {
            return Err("must be written as browsers do: lower case, without the default port");
        }
        let origin = Self { url, serialized };
        if origin.url.scheme() == "http" && !origin.is_loopback() {
            return Err("must use https (http is accepted on loopback hosts only)");
        }
        Ok(origin)
    }

    /// As in an `Origin` header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.serialized
    }

    /// Host without port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Host and, unless default, port: as in a `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// Whether cookies can be `Secure` and `__Host-`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// `localhost`, `*.localhost`, `127.0.0.0/8`, `[::1]`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.url)
    }

    /// The URL of `path` here.
    #[must_use]
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.serialized)
    }
}

/// Whether the URL's host is this machine.
#[must_use]
pub fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_exact_origins() {
        for good in [
            "https://app.example.org",
            "https://app.example.org:8443",
            "http://localhost:4010",
            "http://127.0.0.1:4010/",
        ] {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn refuses_what_is_no_exact_origin() {
        for bad in [
            "*",
            "null",
            "",
            "app.example.org",
            "https://*.example.org/x",
            "https://app.example.org/path",
            "https://app.example.org?x",
            "https://user@app.example.org",
            "http://app.example.org",
            "https://APP.example.org",
            "https://app.example.org:443",
            "ftp://localhost",
            "https://app.example.org#",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
