//! The login transaction: what must be remembered between the authorization request and
//! its response. It lives in an encrypted cookie of this one login and nowhere else, so
//! that a flood of logins costs this server no memory (invariant 4), and a response can
//! only be finished by the browser that made the request (login CSRF, D30, D31).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use oidc::{CodeVerifier, Nonce, PreparedAuthorizationRequest, Random, RequestState};
use serde::{Deserialize, Serialize};
use session_store::{KeyHash, KeyRing};

use super::return_to::ReturnTo;
use crate::config::Settings;
use crate::cookies::CookiePolicy;

/// A login that takes longer has to begin again. `state` is remembered as spent for as long.
pub const LIFETIME_SECONDS: i64 = 600;
/// Logins under way in one browser; the oldest goes first (A34).
const MOST_AT_ONCE: usize = 8;
/// Characters of the cookie's id: 72 bits of the state's hash.
const ID_LENGTH: usize = 12;
/// Longest cookie that is looked at.
const LONGEST_COOKIE: usize = 2048;

/// A login under way.
pub struct Transaction {
    /// To be found again in the response.
    pub state: RequestState,
    /// To be found again in the ID token.
    pub nonce: Nonce,
    /// To be sent with the code.
    pub code_verifier: CodeVerifier,
    /// Who waits for the result.
    pub handoff_challenge: Option<String>,
    /// Where a first-party login ends.
    pub return_to: Option<ReturnTo>,
    /// `max_age` that was asked for, to be verified.
    pub max_age: Option<u32>,
    /// `acr_values` that were asked for, to be verified.
    pub acr_values: Vec<String>,
    /// Page cookie that the response does not bring along.
    pub page_cookie: Option<String>,
}

/// Short names: the sealed form must stay below 1 KB with all options in use.
#[derive(Serialize, Deserialize)]
struct Sealed {
    s: String,
    n: String,
    v: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    h: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    m: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    a: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    p: Option<String>,
    t: i64,
}

/// Seals and opens transactions. Cheap to clone.
#[derive(Clone)]
pub struct Transactions {
    keys: Arc<KeyRing>,
    cookies: CookiePolicy,
    settings: Arc<Settings>,
}

impl Transactions {
    /// Sealed with these keys, in cookies of this policy.
    #[must_use]
    pub fn new(keys: KeyRing, cookies: CookiePolicy, settings: Arc<Settings>) -> Self {
        Self {
            keys: Arc::new(keys),
            cookies,
            settings,
        }
    }

    /// The cookies that begin a transaction: its own, and the ends of those that are too
    /// many, too old or no longer to be opened.
    pub fn begin(
        &self,
        request: &PreparedAuthorizationRequest,
        wanted: Wanted,
        headers: &HeaderMap,
        random: &dyn Random,
        now: i64,
    ) -> Vec<HeaderValue> {
        let id = cookie_id(request.state.expose());
        let sealed = Sealed {
            s: request.state.expose().to_owned(),
            n: request.nonce.expose().to_owned(),
            v: request.code_verifier.expose().to_owned(),
            h: wanted.handoff_challenge,
            r: wanted.return_to.map(|place| place.as_str().to_owned()),
            m: wanted.max_age,
            a: wanted.acr_values,
            p: wanted.page_cookie,
            t: now,
        };
        let payload = serde_json::to_vec(&sealed)
            .unwrap_or_else(|_| unreachable!("strings and numbers always serialize"));
        let mut nonce = [0; 12];
        random.fill(&mut nonce);
        let sealed = URL_SAFE_NO_PAD.encode(self.keys.seal(nonce, id.as_bytes(), &payload));
        let mut cookies = self.ends_of_surplus(headers, now);
        cookies.push(self.cookies.transaction(&id, sealed, LIFETIME_SECONDS));
        cookies
    }

    fn ends_of_surplus(&self, headers: &HeaderMap, now: i64) -> Vec<HeaderValue> {
        let mut under_way = Vec::new();
        let mut ends = Vec::new();
        for (id, value) in self.cookies.transactions(headers) {
            if !is_cookie_id(&id) {
                continue;
            }
            match self.open(&id, &value, now) {
                Some(sealed) => under_way.push((sealed.t, id)),
                None => ends.push(self.cookies.clear_transaction(&id)),
            }
        }
        under_way.sort();
        let surplus = (under_way.len() + 1).saturating_sub(MOST_AT_ONCE);
        ends.extend(
            under_way
                .drain(..surplus)
                .map(|(_, id)| self.cookies.clear_transaction(&id)),
        );
        ends
    }

    /// The transaction that belongs to `state`, and the cookie that ends it. `None`: this
    /// browser did not begin that login, or too long ago.
    #[must_use]
    pub fn find(
        &self,
        headers: &HeaderMap,
        state: &str,
        now: i64,
    ) -> Option<(Transaction, HeaderValue)> {
        let wanted = cookie_id(state);
        // Somebody may have planted a second cookie of that name: the one that opens counts (D49).
        let sealed = self
            .cookies
            .transactions(headers)
            .into_iter()
            .filter(|(id, _)| *id == wanted)
            .find_map(|(id, value)| self.open(&id, &value, now))?;
        let transaction = Transaction {
            state: RequestState::new(sealed.s),
            nonce: Nonce::new(sealed.n),
            code_verifier: CodeVerifier::new(sealed.v),
            handoff_challenge: sealed.h,
            return_to: sealed
                .r
                .and_then(|place| ReturnTo::parse(&place, &self.settings)),
            max_age: sealed.m,
            acr_values: sealed.a,
            page_cookie: sealed.p,
        };
        transaction
            .state
            .matches(state)
            .then(|| (transaction, self.cookies.clear_transaction(&wanted)))
    }

    fn open(&self, id: &str, value: &str, now: i64) -> Option<Sealed> {
        if value.len() > LONGEST_COOKIE {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let opened = self.keys.open(id.as_bytes(), &sealed).ok()?;
        let sealed: Sealed = serde_json::from_slice(&opened.plaintext).ok()?;
        // The browser's `Max-Age` is a courtesy; this is the limit.
        (now - sealed.t < LIFETIME_SECONDS).then_some(sealed)
    }
}

/// What a login wants to be remembered, beside the protocol's own values.
#[derive(Default)]
pub struct Wanted {
    /// Who waits for the result.
    pub handoff_challenge: Option<String>,
    /// Where a first-party login ends.
    pub return_to: Option<ReturnTo>,
    /// Requested `max_age`.
    pub max_age: Option<u32>,
    /// Requested `acr_values`.
    pub acr_values: Vec<String>,
    /// Page cookie that the response will not bring along.
    pub page_cookie: Option<String>,
}

fn cookie_id(state: &str) -> String {
    let hash = KeyHash::of_parts(&["transaction", state]);
    let mut id = URL_SAFE_NO_PAD.encode(hash.as_bytes());
    id.truncate(ID_LENGTH);
    id
}

fn is_cookie_id(id: &str) -> bool {
    id.len() == ID_LENGTH
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use oidc::SystemRandom;
    use secrecy::SecretString;

    use super::*;
    use crate::config::Lookup;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: i64 = 1_800_000_000;

    fn transactions() -> Transactions {
        let settings = Lookup::of([
            ("AUTH0_BASE_URL", "http://localhost:3001"),
            ("AUTH0_ISSUER_BASE_URL", "https://tenant.eu.auth0.com"),
            ("AUTH0_SECRET", SECRET),
            ("AUTH0_CLIENT_ID", "client"),
            ("AUTH0_CLIENT_SECRET", "client-secret"),
        ]);
        let settings = Arc::new(Settings::parse(&settings).unwrap());
        let keys = KeyRing::derive(&[SecretString::from(SECRET)], "transaction").unwrap();
        Transactions::new(keys, CookiePolicy::new(&settings), settings)
    }

    impl Transactions {
        /// The sealed cookie of this name that holds the login of `state`.
        fn sealed(&self, id: &str, state: &str, begun: i64, return_to: Option<String>) -> String {
            let sealed = Sealed {
                s: state.into(),
                n: "nonce".into(),
                v: "verifier".into(),
                h: None,
                r: return_to,
                m: None,
                a: Vec::new(),
                p: None,
                t: begun,
            };
            let payload = serde_json::to_vec(&sealed).unwrap();
            URL_SAFE_NO_PAD.encode(self.keys.seal([7; 12], id.as_bytes(), &payload))
        }

        /// What a new login sets in a browser that has these cookies.
        fn set_beside(&self, cookies: &[(String, String)]) -> Vec<String> {
            let request = PreparedAuthorizationRequest {
                url: "https://tenant.eu.auth0.com/authorize".parse().unwrap(),
                state: RequestState::new("the new one".into()),
                nonce: Nonce::new("nonce".into()),
                code_verifier: CodeVerifier::new("verifier".into()),
            };
            let headers = headers(cookies);
            let set = self.begin(&request, Wanted::default(), &headers, &SystemRandom, NOW);
            set.iter()
                .map(|line| line.to_str().unwrap().into())
                .collect()
        }
    }

    fn headers(cookies: &[(String, String)]) -> HeaderMap {
        let line: Vec<_> = cookies
            .iter()
            .map(|(id, value)| format!("component-auth0-login-{id}={value}"))
            .collect();
        let mut headers = HeaderMap::new();
        headers.insert("cookie", line.join("; ").parse().unwrap());
        headers
    }

    // E50, splice: each of the two checks alone, since they cover for each other.
    #[test]
    fn a_transaction_opens_under_its_own_name_and_for_its_own_state_only() {
        let transactions = transactions();
        let (one, other) = (cookie_id("one"), cookie_id("other"));
        let value = transactions.sealed(&one, "one", NOW, None);
        assert!(transactions.open(&one, &value, NOW).is_some());
        assert!(transactions.open(&other, &value, NOW).is_none());
        let sent = headers(&[(one.clone(), value)]);
        assert!(transactions.find(&sent, "one", NOW).is_some());
        let mixed = transactions.sealed(&one, "other", NOW, None);
        let sent = headers(&[(one, mixed)]);
        assert!(transactions.find(&sent, "one", NOW).is_none());
        assert!(transactions.find(&sent, "other", NOW).is_none());
    }

    // E50: no work for a cookie that none of ours can be.
    #[test]
    fn a_transaction_of_more_than_two_kilobytes_is_not_opened() {
        let transactions = transactions();
        let id = cookie_id("state");
        let padded = |length| Some("x".repeat(length));
        let short = transactions.sealed(&id, "state", NOW, padded(1_000));
        assert!(transactions.open(&id, &short, NOW).is_some());
        let long = transactions.sealed(&id, "state", NOW, padded(2_000));
        assert!(transactions.open(&id, &long, NOW).is_none());
    }

    // A34: in whatever order the browser sends them.
    #[test]
    fn of_too_many_logins_the_oldest_ends_and_those_that_are_over_end_as_well() {
        let transactions = transactions();
        let cookie = |state: &str, begun| {
            let id = cookie_id(state);
            let value = transactions.sealed(&id, state, begun, None);
            (id, value)
        };
        let mut cookies: Vec<_> = (0..8)
            .map(|age| cookie(&format!("state {age}"), NOW - age))
            .collect();
        let set = transactions.set_beside(&cookies);
        assert_eq!(set.len(), 2, "{set:?}");
        assert!(set[0].contains(&cookies[7].0) && set[0].contains("Max-Age=0"));
        cookies.truncate(2);
        cookies.push(cookie("over", NOW - LIFETIME_SECONDS));
        cookies.push((cookie_id("broken"), "nothing".into()));
        let set = transactions.set_beside(&cookies);
        assert_eq!(set.len(), 3, "{set:?}");
        for (line, (id, _)) in set.iter().zip(&cookies[2..]) {
            assert!(line.contains(id) && line.contains("Max-Age=0"), "{line}");
        }
    }

    // Whoever can plant a cookie cannot make us write a name of theirs into a header.
    #[test]
    fn a_cookie_whose_name_is_none_of_ours_is_left_alone() {
        let foreign = [
            ("of-an-app-of-our-host".to_owned(), "x".to_owned()),
            (String::new(), "x".to_owned()),
        ];
        assert_eq!(transactions().set_beside(&foreign).len(), 1);
    }
}
