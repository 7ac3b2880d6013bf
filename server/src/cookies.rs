//! Names, attributes and reading of our cookies. What is in them is opaque here.
//!
//! On https every name has the `__Host-` prefix, which no sub-domain and no plain-http
//! page can plant (RFC 6265bis §4.1.3.2). On plain http (loopback) there is no prefix and
//! the frame cookie goes out twice, so that each engine keeps one of the two.

use cookie::time::Duration;
use cookie::{Cookie, CookieBuilder, SameSite};
use http::{HeaderMap, HeaderValue, header};

use crate::config::{ResponseMode, Settings};

/// Cookies of one name that are looked at; a planted flood of them must not cost us.
const MOST_OF_ONE_NAME: usize = 4;

/// How cookies are named and marked here.
#[derive(Clone, Copy)]
pub struct CookiePolicy {
    https: bool,
    transaction_same_site: SameSite,
}

/// Which of the two cookies a request is judged by; never by both, so that two cookies
/// never mix two people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    /// The component's frame.
    Frame,
    /// A page of our own, in popup or tab.
    Page,
}

impl Caller {
    /// Frames say so in a header, which no foreign page can send without CORS.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let named = headers.get(shared::routes::CALLER_HEADER);
        if named.is_some_and(|value| value == shared::routes::FRAME) {
            Self::Frame
        } else {
            Self::Page
        }
    }
}

impl CookiePolicy {
    /// The policy for these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            https: settings.base.is_https(),
            transaction_same_site: match settings.response_mode {
                ResponseMode::Query => SameSite::Lax,
                // The provider's page posts cross-site: a Lax cookie would stay at home.
                ResponseMode::FormPost => SameSite::None,
            },
        }
    }

    fn page_name(self) -> &'static str {
        if self.https {
            "__Host-component-auth0"
        } else {
            "component-auth0"
        }
    }

    fn frame_names(self) -> &'static [&'static str] {
        if self.https {
            &["__Host-component-auth0-frame"]
        } else {
            &["component-auth0-frame", "component-auth0-frame-lax"]
        }
    }

    fn transaction_prefix(self) -> &'static str {
        if self.https {
            "__Host-component-auth0-login-"
        } else {
            "component-auth0-login-"
        }
    }

    /// The ids that the request carries for `caller`: more than one if somebody planted
    /// some, and then the valid one counts.
    #[must_use]
    pub fn session_ids(self, headers: &HeaderMap, caller: Caller) -> Vec<String> {
        let names: &[&str] = match caller {
            Caller::Page => &[self.page_name()],
            Caller::Frame => self.frame_names(),
        };
        let mut ids: Vec<String> = Vec::new();
        for (_, id) in cookies(headers).filter(|(name, _)| names.contains(name)) {
            if crate::values::is_random_256(id) && !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
            if ids.len() == MOST_OF_ONE_NAME {
                break;
            }
        }
        ids
    }

    /// `Set-Cookie` values that give `caller` its session cookie for `max_age` seconds.
    #[must_use]
    pub fn session(self, caller: Caller, id: &str, max_age: i64) -> Vec<HeaderValue> {
        let of = |name: &'static str| {
            Cookie::build((name, id.to_owned())).max_age(Duration::seconds(max_age))
        };
        match caller {
            Caller::Page => vec![self.finish(of(self.page_name()).same_site(SameSite::Lax))],
            Caller::Frame => self
                .frame_names()
                .iter()
                .enumerate()
                .map(|(index, name)| match index {
                    0 => finish_secure(of(name).same_site(SameSite::None).partitioned(true), true),
                    _ => finish_secure(of(name).same_site(SameSite::Lax), false),
                })
                .collect(),
        }
    }

    /// `Set-Cookie` values that take `caller`'s session cookie away.
    #[must_use]
    pub fn clear_session(self, caller: Caller) -> Vec<HeaderValue> {
        self.session(caller, "", 0)
    }

    /// All transaction cookies of the request, as id and sealed value.
    #[must_use]
    pub fn transactions(self, headers: &HeaderMap) -> Vec<(String, String)> {
        cookies(headers)
            .filter_map(|(name, sealed)| {
                let id = name.strip_prefix(self.transaction_prefix())?;
                Some((id.to_owned(), sealed.to_owned()))
            })
            .collect()
    }

    /// `Set-Cookie` value for one login's transaction.
    #[must_use]
    pub fn transaction(self, id: &str, sealed: String, max_age: i64) -> HeaderValue {
        let name = format!("{}{id}", self.transaction_prefix());
        let cookie = Cookie::build((name, sealed))
            .same_site(self.transaction_same_site)
            .max_age(Duration::seconds(max_age));
        match self.transaction_same_site {
            SameSite::None => finish_secure(cookie, true),
            _ => self.finish(cookie),
        }
    }

    /// `Set-Cookie` value that takes one login's transaction away.
    #[must_use]
    pub fn clear_transaction(self, id: &str) -> HeaderValue {
        self.transaction(id, String::new(), 0)
    }

    fn finish(self, cookie: CookieBuilder<'static>) -> HeaderValue {
        finish_secure(cookie, self.https)
    }
}

fn finish_secure(cookie: CookieBuilder<'static>, secure: bool) -> HeaderValue {
    let cookie = cookie.http_only(true).secure(secure).path("/").build();
    HeaderValue::try_from(cookie.to_string())
        .unwrap_or_else(|_| unreachable!("our names and base64url values are header-safe"))
}

/// Names and values as browsers understand them (RFC 6265bis §5.6): only space and tab around
/// them are no part of them. A parser that also took away other white space would read a name
/// for `__Host-…` that browsers let any sub-domain set, with a no-break space before it (D49).
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        // Each by itself: bytes that another app of our host wrote into its cookie, and that
        // browsers send as they are, must not make ours unreadable (A47).
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| str::from_utf8(pair).ok())
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (without_spaces(name), without_spaces(value)))
}

fn without_spaces(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Adds `Set-Cookie` values to an answer.
pub fn append(headers: &mut HeaderMap, cookies: impl IntoIterator<Item = HeaderValue>) {
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTPS: CookiePolicy = CookiePolicy {
        https: true,
        transaction_same_site: SameSite::Lax,
    };
    const HTTP: CookiePolicy = CookiePolicy {
        https: false,
        transaction_same_site: SameSite::Lax,
    };
    const ID: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn text(values: &[HeaderValue]) -> Vec<&str> {
        values.iter().map(|value| value.to_str().unwrap()).collect()
    }

    #[test]
    fn attributes_are_as_designed() {
        insta::assert_debug_snapshot!(
            [
                text(&HTTPS.session(Caller::Page, ID, 60)),
                text(&HTTPS.session(Caller::Frame, ID, 60)),
                text(&HTTP.session(Caller::Page, ID, 60)),
                text(&HTTP.session(Caller::Frame, ID, 60)),
                text(&[HTTPS.transaction("id", "sealed".into(), 600)]),
                text(&[CookiePolicy { transaction_same_site: SameSite::None, ..HTTPS }
                    .transaction("id", "sealed".into(), 600)]),
                text(&HTTPS.clear_session(Caller::Frame)),
            ],
            @r#"
            [
                [
                    "__Host-component-auth0=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60",
                ],
                [
                    "__Host-component-auth0-frame=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; HttpOnly; SameSite=None; Partitioned; Secure; Path=/; Max-Age=60",
                ],
                [
                    "component-auth0=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; HttpOnly; SameSite=Lax; Path=/; Max-Age=60",
                ],
                [
                    "component-auth0-frame=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; HttpOnly; SameSite=None; Partitioned; Secure; Path=/; Max-Age=60",
                    "component-auth0-frame-lax=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; HttpOnly; SameSite=Lax; Path=/; Max-Age=60",
                ],
                [
                    "__Host-component-auth0-login-id=sealed; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=600",
                ],
                [
                    "__Host-component-auth0-login-id=sealed; HttpOnly; SameSite=None; Secure; Path=/; Max-Age=600",
                ],
                [
                    "__Host-component-auth0-frame=; HttpOnly; SameSite=None; Partitioned; Secure; Path=/; Max-Age=0",
                ],
            ]
            "#
        );
    }

    #[test]
    fn frame_and_page_are_never_judged_by_the_others_cookie() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            format!("__Host-component-auth0={ID}").parse().unwrap(),
        );
        assert_eq!(HTTPS.session_ids(&headers, Caller::Page), [ID]);
        assert!(HTTPS.session_ids(&headers, Caller::Frame).is_empty());
        assert!(HTTP.session_ids(&headers, Caller::Page).is_empty());
    }

    #[test]
    fn a_name_with_other_white_space_around_it_is_another_name() {
        let spaces = [
            '\u{85}', '\u{a0}', '\u{1680}', '\u{2003}', '\u{2028}', '\u{205f}', '\u{3000}',
            '\u{b}', '\u{c}',
        ];
        let read = |cookies: String| {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::COOKIE,
                HeaderValue::from_bytes(cookies.as_bytes()).unwrap(),
            );
            (
                HTTPS.session_ids(&headers, Caller::Page).len()
                    + HTTPS.session_ids(&headers, Caller::Frame).len(),
                HTTPS.transactions(&headers).len(),
            )
        };
        let all = |before: &str, after: &str| {
            format!(
                "a=b;{before}__Host-component-auth0{after}={before}{ID}{after};\
                 {before}__Host-component-auth0-frame{after}={ID};\
                 {before}__Host-component-auth0-login-id{after}=sealed"
            )
        };
        for space in spaces.map(String::from) {
            if HeaderValue::from_bytes(space.as_bytes()).is_err() {
                continue;
            }
            assert_eq!(read(all(&space, "")), (0, 0), "{space:?} before");
            // What follows the prefix no browser guards, and none of it is ours either.
            assert_eq!(read(all("", &space)).0, 0, "{space:?} after");
            let id = read(all("", &space)).1;
            assert_eq!(id, 1, "a transaction of another id, {space:?}");
        }
        for space in [" ", "\t", " \t"] {
            assert_eq!(read(all(space, space)), (2, 1), "{space:?}");
        }
    }

    #[test]
    fn a_flood_of_cookies_and_malformed_ids_cost_nothing() {
        let other = |n: usize| format!("component-auth0={n:0>43}");
        let flood: Vec<_> = (0..100)
            .map(other)
            .chain(["component-auth0=../etc".into()])
            .collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, flood.join("; ").parse().unwrap());
        assert_eq!(
            HTTP.session_ids(&headers, Caller::Page).len(),
            MOST_OF_ONE_NAME
        );
        headers.insert(header::COOKIE, "component-auth0=../etc".parse().unwrap());
        assert!(HTTP.session_ids(&headers, Caller::Page).is_empty());
    }

    // A47
    #[test]
    fn a_cookie_that_is_no_text_hides_none_of_ours() {
        let foreign = [
            b"name=Jos\xc3\xa9".as_slice(),
            b"x=\xff\xfe",
            b"no-equals-sign",
            b"=",
            b"",
            b"a=\"b",
        ];
        for foreign in foreign {
            let ours = format!("component-auth0={ID}");
            let both = [foreign, b"; ", ours.as_bytes(), b";", foreign].concat();
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_bytes(&both).unwrap());
            assert_eq!(HTTP.session_ids(&headers, Caller::Page), [ID]);
        }
    }
}
