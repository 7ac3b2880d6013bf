//! Cookies as a browser of today keeps them: prefixes, `Secure`, `SameSite`, `Partitioned`
//! and blocked third-party cookies (platform-facts §2).

use std::sync::Mutex;

use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, header};

use super::clock::FakeClock;

/// Where the Streamlit page lives, seen from the companion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Topology {
    /// Another site: the frame shares no storage with the popup.
    CrossSite,
    /// The same site: frame and popup see each other's cookies.
    SameSite,
}

/// Which storage a request uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A window of our own: popup or tab.
    Window,
    /// The frame in the Streamlit page.
    Frame,
}

/// Where a request comes from, as far as `SameSite` asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sender {
    /// Our own pages, or nobody.
    Own,
    /// Another site navigates a window by link or redirect.
    ForeignLink,
    /// Another site posts a form, or fetches.
    ForeignRequest,
}

pub(crate) struct Jar {
    clock: FakeClock,
    topology: Topology,
    cookies: Mutex<Vec<Kept>>,
}

#[derive(Clone)]
struct Kept {
    cookie: Cookie<'static>,
    partition: Option<Place>,
    expires_at: Option<i64>,
}

impl Jar {
    pub(crate) fn new(clock: FakeClock, topology: Topology) -> Self {
        Self {
            clock,
            topology,
            cookies: Mutex::default(),
        }
    }

    /// The `Cookie` header of a request.
    pub(crate) fn header(&self, place: Place, sender: Sender) -> Option<HeaderValue> {
        let now = self.clock.seconds();
        let cookies = self.cookies.lock().unwrap();
        let sent: Vec<String> = cookies
            .iter()
            .filter(|kept| kept.expires_at.is_none_or(|at| at > now))
            .filter(|kept| self.is_visible(kept, place) && is_sent(&kept.cookie, sender))
            .map(|kept| kept.cookie.stripped().to_string())
            .collect();
        (!sent.is_empty()).then(|| sent.join("; ").parse().unwrap())
    }

    fn is_visible(&self, kept: &Kept, place: Place) -> bool {
        match (self.topology, place) {
            (Topology::SameSite, _) => true,
            (Topology::CrossSite, Place::Frame) => kept.partition == Some(Place::Frame),
            (Topology::CrossSite, Place::Window) => kept.partition != Some(Place::Frame),
        }
    }

    /// Takes what an answer sets.
    pub(crate) fn take(&self, headers: &HeaderMap, place: Place) {
        for value in headers.get_all(header::SET_COOKIE) {
            let cookie = Cookie::parse(value.to_str().unwrap().to_owned()).unwrap();
            self.keep(cookie, place);
        }
    }

    fn keep(&self, cookie: Cookie<'static>, place: Place) {
        let secure = cookie.secure() == Some(true);
        assert_eq!(cookie.http_only(), Some(true), "scripts can read {cookie}");
        if cookie.name().starts_with("__Host-") {
            let host_only = cookie.domain().is_none() && cookie.path() == Some("/");
            assert!(secure && host_only, "a browser drops {cookie}");
        }
        if cookie.same_site() == Some(SameSite::None) || cookie.partitioned() == Some(true) {
            assert!(secure, "a browser drops {cookie}");
        }
        let partitioned = cookie.partitioned() == Some(true);
        let third_party = self.topology == Topology::CrossSite && place == Place::Frame;
        if third_party && !partitioned {
            return;
        }
        let partition = partitioned.then_some(place);
        let max_age = cookie.max_age().map(cookie::time::Duration::whole_seconds);
        let mut cookies = self.cookies.lock().unwrap();
        cookies.retain(|kept| kept.cookie.name() != cookie.name() || kept.partition != partition);
        if max_age.is_none_or(|seconds| seconds > 0) {
            cookies.push(Kept {
                cookie,
                partition,
                expires_at: max_age.map(|seconds| self.clock.seconds() + seconds),
            });
        }
    }

    /// Names and values in one place.
    pub(crate) fn cookies(&self, place: Place) -> Vec<(String, String)> {
        let cookies = self.cookies.lock().unwrap();
        cookies
            .iter()
            .filter(|kept| self.is_visible(kept, place))
            .map(|kept| {
                (
                    kept.cookie.name().to_owned(),
                    kept.cookie.value().to_owned(),
                )
            })
            .collect()
    }

    /// Names and values in all places.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let cookies = self.cookies.lock().unwrap();
        let pair = |kept: &Kept| {
            (
                kept.cookie.name().to_owned(),
                kept.cookie.value().to_owned(),
            )
        };
        cookies.iter().map(pair).collect()
    }

    /// Changes values in place, as somebody with access to the disk could.
    pub(crate) fn tamper(&self, change: impl Fn(&str, &str) -> Option<String>) {
        for kept in self.cookies.lock().unwrap().iter_mut() {
            if let Some(value) = change(kept.cookie.name(), kept.cookie.value()) {
                kept.cookie.set_value(value);
            }
        }
    }

    /// Forgets `Max-Age`, as a thief of cookies does.
    pub(crate) fn ignore_expiry(&self) {
        for kept in self.cookies.lock().unwrap().iter_mut() {
            kept.expires_at = None;
        }
    }

    pub(crate) fn copy_from(&self, other: &Self) {
        let copied = other.cookies.lock().unwrap().clone();
        *self.cookies.lock().unwrap() = copied;
    }
}

fn is_sent(cookie: &Cookie<'_>, sender: Sender) -> bool {
    match sender {
        Sender::Own => true,
        Sender::ForeignLink => cookie.same_site() != Some(SameSite::Strict),
        Sender::ForeignRequest => cookie.same_site() == Some(SameSite::None),
    }
}
