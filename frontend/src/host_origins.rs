//! The origins of Streamlit pages that may give this frame orders: `STREAMLIT_ORIGINS`, as
//! the companion wrote them into the page (design §2.9).
//!
//! It must not read them from anywhere that the embedding page controls: the query string,
//! `document.referrer`, a message.

/// The page's meta element that holds them, space-separated.
pub const META_SELECTOR: &str = "meta[name='component-auth0:origins']";

/// A closed list of exact origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostOrigins {
    exact: Vec<String>,
    any_loopback_port: bool,
}

impl HostOrigins {
    /// Parses the meta element's content.
    ///
    /// Under `trunk serve` nobody fills the element in; `development` then admits pages of
    /// this machine. A release build never does: an unfilled element admits nobody.
    #[must_use]
    pub fn parse(content: &str, development: bool) -> Self {
        let exact: Vec<String> = content.split_whitespace().map(str::to_owned).collect();
        Self {
            any_loopback_port: development && exact.is_empty(),
            exact,
        }
    }

    /// Whether a message from `origin` (as the browser reports it) may be obeyed.
    ///
    /// Compared whole: prefixes and suffixes are how `https://app.example.evil.test` gets in
    /// (catalogue D26). An opaque origin reports `null` and is nobody.
    #[must_use]
    pub fn admit(&self, origin: &str) -> bool {
        if origin == "null" {
            return false;
        }
        self.exact.iter().any(|known| known == origin)
            || (self.any_loopback_port && is_loopback(origin))
    }
}

fn is_loopback(origin: &str) -> bool {
    ["http://localhost", "http://127.0.0.1"].iter().any(|host| {
        origin.strip_prefix(host).is_some_and(|rest| {
            rest.is_empty()
                || rest
                    .strip_prefix(':')
                    .is_some_and(|port| port.parse::<u16>().is_ok())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_origin_is_admitted() {
        let origins = HostOrigins::parse("https://app.example http://127.0.0.1:4010", false);
        assert!(origins.admit("https://app.example"));
        assert!(origins.admit("http://127.0.0.1:4010"));
        for other in [
            "https://app.example.evil.test",
            "https://evilapp.example",
            "https://app.example:8443",
            "https://app.example.",
            "https://APP.example",
            "http://app.example",
            "https://app.example/",
            "http://127.0.0.1:40100",
            "http://localhost:4010",
            "null",
            "",
        ] {
            assert!(!origins.admit(other), "{other}");
        }
    }

    #[test]
    fn a_release_build_with_nothing_filled_in_admits_nobody() {
        let origins = HostOrigins::parse("", false);
        for origin in ["http://localhost:4010", "null", ""] {
            assert!(!origins.admit(origin), "{origin}");
        }
    }

    #[test]
    fn a_development_build_with_nothing_filled_in_admits_this_machine_only() {
        let origins = HostOrigins::parse("", true);
        assert!(origins.admit("http://localhost:4010"));
        assert!(origins.admit("http://127.0.0.1"));
        for other in [
            "http://localhost.evil.test",
            "http://localhost:4010@evil.test",
            "http://localhost:evil",
            "https://app.example",
            "null",
        ] {
            assert!(!origins.admit(other), "{other}");
        }
        assert!(!HostOrigins::parse("https://app.example", true).admit("http://localhost:4010"));
    }

    #[test]
    fn the_word_null_in_the_list_admits_no_opaque_origin() {
        assert!(!HostOrigins::parse("null", false).admit("null"));
    }
}
