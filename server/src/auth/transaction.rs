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
