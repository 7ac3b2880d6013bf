//! Where a first-party login may end: a local path, or a known Streamlit origin.
//!
//! Anything else is ignored, never repaired: a repaired redirect is an open redirect with
//! more steps (A06, A09, A21).

use crate::config::Settings;

const LONGEST: usize = 256;

/// A place that a login may end at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// Accepts `text` or nothing.
    #[must_use]
    pub fn parse(text: &str, settings: &Settings) -> Option<Self> {
        let streamlit = settings.is_streamlit_origin(text.strip_suffix('/').unwrap_or(text));
        (streamlit || is_local_path(text)).then(|| Self(text.to_owned()))
    }

    /// As it goes into `Location`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_local_path(text: &str) -> bool {
    // `//host` and `/\host` are other hosts to a browser; a path that decodes to one, or
    // climbs to one, is refused as well. Only plain visible ASCII goes into a header.
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#');
    let path = text.split('?').next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    let hidden = [
        "//", "/.", "%2f", "%5c", "%00", "%25", "%09", "%0a", "%0d", "@",
    ];
    text.len() <= LONGEST
        && text.starts_with('/')
        && plain
        && !hidden.iter().any(|trick| lower.contains(trick))
        && is_normal(path)
        && !is_api(&lower)
}

/// Whether each encoding stands for what must be encoded. Others are the same path in other
/// words (RFC 3986, section 6.2.2.2), which a proxy may put straight: `/%61pi` is `/api`, and
/// `/%2e%2e` climbs.
fn is_normal(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| {
        let digits = rest.get(..2).filter(|two| !two.starts_with('+'));
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        byte.is_some_and(|byte| !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte))
    })
}

/// Whether `lower` is of the API, whatever a proxy cuts off behind its name.
fn is_api(lower: &str) -> bool {
    let rest = lower.strip_prefix("/api");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ';', '%']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    #[test]
    fn local_paths_pass() {
        for good in ["/", "/streamlit", "/app/page?x=1&y=%2F", "/a-b_c~d"] {
            assert!(is_local_path(good), "{good}");
        }
    }

    #[test]
    fn redirect_tricks_do_not() {
        // A21: each of these has led some proxy's users elsewhere.
        for bad in [
            "",
            "evil.test",
            "https://evil.test",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\/evil.test",
            "/\t/evil.test",
            "/%09/evil.test",
            "/%2f/evil.test",
            "/%2Fevil.test",
            "/%5cevil.test",
            "/./evil.test",
            "/../evil.test",
            "//evil.test/%2e%2e",
            "/%2e%2e//evil.test",
            "/%2e%2e/evil.test",
            "/%2E%2E/evil.test",
            "/a%00b",
            "/a%0ab",
            "/a%0Db",
            "/.evil.test",
            "/ /evil.test",
            "/a\r\nSet-Cookie: x=1",
            "/\u{2215}evil.test",
            "/\u{ff0f}evil.test",
            "javascript:alert(1)",
            "/a@evil.test",
            "/%252fevil.test",
            "/x#y",
            "/api",
            "/api/auth/logout",
            "/API/auth/logout",
            "/api?x",
            "/api;x",
            "/api%3fx",
            "/api%20",
        ] {
            assert!(!is_local_path(bad), "{bad:?}");
        }
        assert!(!is_local_path(&format!("/{}", "a".repeat(LONGEST))));
    }

    #[test]
    fn a_path_that_a_proxy_would_rewrite_does_not() {
        // RFC 3986, section 6.2.2.2: these and what they stand for are the same path.
        for bad in [
            "/%61pi/auth/logout",
            "/a%70i/auth/logout",
            "/%41PI/auth/logout",
            "/a%50%49/auth/logout",
            "/ap%69",
            "/page%30",
            "/page%39",
            "/a%2Db",
            "/a%5fb",
            "/a%5Ab",
            "/a%7Ab",
            "/%7euser",
            "/a%C3%A9%7E",
            // No encoding at all (section 2.1): whoever reads it guesses.
            "/%",
            "/100%",
            "/a%6",
            "/a%g1",
            "/a%+61pi",
        ] {
            assert!(!is_local_path(bad), "{bad:?}");
        }
        // What must be encoded stays, and a query is the page's own.
        for good in ["/a%20b", "/caf%C3%A9", "/a%3Ab%26c", "/app?x=%61&y=100%"] {
            assert!(is_local_path(good), "{good:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_passes_stays_on_our_origin(text in "[/\\\\%.@a-z0-9:?#\t ]{0,40}") {
            if is_local_path(&text) {
                let base = Url::parse("https://login.example.org/api/auth/callback").unwrap();
                let target = base.join(&text).unwrap();
                prop_assert_eq!(target.host_str(), Some("login.example.org"));
                prop_assert_eq!(target.scheme(), "https");
                prop_assert!(!target.path().starts_with("/api/"));
            }
        }
    }
}
