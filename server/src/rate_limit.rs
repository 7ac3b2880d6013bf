//! Fair shares: how often one client may begin a login, answer one, and wait for one
//! (E46 to E48). Above that the answer is 429 with `Retry-After`, and nothing else happens:
//! no request to the provider, nothing in the store.
//!
//! A client is an address, or an IPv6 network: whoever has one address has 2^64 of them,
//! and whoever has a /48 has 65,536 networks, so those share a wider budget. Who the client
//! is behind proxies is for [`crate::client_address`] to say. The back channel is not
//! counted by address, since all visitors of an app come from its one address there: only
//! wrong credentials are, logout tokens that are refused, and redeems by the Streamlit session
//! that sends them (G10). Tickets are counted by the session that they are for.
//!
//! What a foreign page makes a browser send is refused without being counted: else a loop in
//! one tab would lock out everybody behind the same address.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use hashlink::LruCache;
use http::{HeaderMap, Method};
use session_store::SessionId;
use sha2::{Digest as _, Sha256};
use shared::routes;
use tokio::time::Instant;

use crate::client_address::{ClientAddress, network};
use crate::config::Settings;
use crate::error::AppError;
use crate::requests::{is_document_navigation, is_of_foreign_page, is_prefetch};

/// A frame asks several times while its person signs in.
const POLLS_PER_LOGIN: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// A page asks once for each frame that it shows, and again when the frame is shown anew.
const TICKETS_PER_SESSION: NonZeroU32 = NonZeroU32::new(120).unwrap();
/// Anybody can send them, and each is a line in the log. An honest provider sends none.
const REFUSED_LOGOUT_TOKENS: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// Networks of one site that may use their whole share at once.
const NETWORKS_PER_SITE: NonZeroU32 = NonZeroU32::new(16).unwrap();
/// Clients remembered in each table (about 80 bytes each). Above that the one that has been
/// silent longest is forgotten, which gives it a whole budget again: a flood from more
/// clients than this can make the limit too mild, never lock anybody out.
const REMEMBERED_CLIENTS: usize = 16_384;

/// Limits of one companion. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct RateLimits(Option<Arc<Budgets>>);

struct Budgets {
    login: PerAddress,
    callback: PerAddress,
    handoff: PerAddress,
    wrong_credential: PerAddress,
    refused_logout_token: PerAddress,
    redeem: Limiter,
    ticket: Limiter,
    /// At most one warning a minute.
    warning: Limiter,
}

type Limiter = RateLimiter<u128, BoundedTable, SinceStart, NoOpMiddleware<Duration>>;

impl RateLimits {
    /// `per_minute` logins of one client; `None` is no limit.
    #[must_use]
    pub fn new(per_minute: Option<NonZeroU32>) -> Self {
        Self(per_minute.map(|logins| {
            Arc::new(Budgets {
                login: PerAddress::new(logins),
                callback: PerAddress::new(logins),
                handoff: PerAddress::new(logins.saturating_mul(POLLS_PER_LOGIN)),
                wrong_credential: PerAddress::new(logins),
                refused_logout_token: PerAddress::new(logins.min(REFUSED_LOGOUT_TOKENS)),
                redeem: limiter(logins),
                ticket: limiter(TICKETS_PER_SESSION),
                warning: limiter(NonZeroU32::MIN),
            })
        }))
    }

    /// Counts a request of `client` against its budget for that route.
    ///
    /// # Errors
    /// [`AppError::RateLimited`] when the budget is used up.
    pub fn check(
        &self,
        request: &Request,
        client: ClientAddress,
        settings: &Settings,
    ) -> Result<(), AppError> {
        let Some(budgets) = &self.0 else {
            return Ok(());
        };
        match budgets.of_path(request.uri().path()) {
            Some(budget) if !will_be_refused(request, settings) => budget
                .check(client.0)
                .inspect_err(|_| budgets.warn_of_unknown_proxy(client.0, request.headers())),
            _ => Ok(()),
        }
    }

    /// Counts a redeem of the Streamlit session that knows `verifier`. One session that
    /// floods forged events uses up its own budget and nobody else's.
    ///
    /// # Errors
    /// [`AppError::RateLimited`] when the budget is used up.
    pub fn redeem(&self, verifier: &str) -> Result<(), AppError> {
        let Some(budgets) = &self.0 else {
            return Ok(());
        };
        let mut key = [0; 16];
        key.copy_from_slice(&Sha256::digest(verifier)[..16]);
        check(&budgets.redeem, u128::from_be_bytes(key))
    }

    /// Counts a ticket for this session: each is a row in the store.
    ///
    /// # Errors
    /// [`AppError::RateLimited`] when the budget is used up.
    pub fn ticket(&self, session: SessionId) -> Result<(), AppError> {
        match &self.0 {
            Some(budgets) => check(&budgets.ticket, u128::from_be_bytes(session.0)),
            None => Ok(()),
        }
    }

    /// Counts a wrong credential from `client`. A right one is never refused for it.
    ///
    /// # Errors
    /// [`AppError::RateLimited`] when the budget is used up.
    pub fn wrong_credential(&self, client: ClientAddress) -> Result<(), AppError> {
        match &self.0 {
            Some(budgets) => budgets.wrong_credential.check(client.0),
            None => Ok(()),
        }
    }

    /// Counts a logout token from `client` that is refused, before that is written anywhere.
    /// One that is to be believed is never refused for it.
    ///
    /// # Errors
    /// [`AppError::RateLimited`] when the budget is used up.
    pub fn refused_logout_token(&self, client: ClientAddress) -> Result<(), AppError> {
        match &self.0 {
            Some(budgets) => budgets.refused_logout_token.check(client.0),
            None => Ok(()),
        }
    }
}

impl Budgets {
    fn of_path(&self, path: &str) -> Option<&PerAddress> {
        match path {
            routes::LOGIN => Some(&self.login),
            routes::CALLBACK => Some(&self.callback),
            routes::HANDOFF => Some(&self.handoff),
            _ => None,
        }
    }

    /// Behind a proxy that is not in `TRUSTED_PROXIES` all visitors are one client. Without
    /// this line its operator would only see people who cannot sign in.
    fn warn_of_unknown_proxy(&self, client: IpAddr, headers: &HeaderMap) {
        let looks_forwarded = headers.contains_key("x-forwarded-for");
        if looks_forwarded && is_internal(client) && self.warning.check_key(&0).is_ok() {
            tracing::warn!(
                event = "rate_limit_of_a_proxy",
                %client,
                "too many requests of one internal address that sends X-Forwarded-For: if it is your reverse proxy, name it in TRUSTED_PROXIES"
            );
        }
    }
}

/// Whether the headers alone make the handler refuse it, before it looks at anything else.
/// Clients that say neither `Origin` nor Fetch Metadata are no browsers, and are counted.
fn will_be_refused(request: &Request, settings: &Settings) -> bool {
    let headers = request.headers();
    let is_navigation = match request.uri().path() {
        routes::LOGIN => request.method() != Method::POST,
        routes::CALLBACK => true,
        _ => false,
    };
    if is_navigation {
        is_prefetch(headers) || !is_document_navigation(headers)
    } else {
        is_of_foreign_page(headers, settings.base.as_str())
    }
}

fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// A budget of each address, and one of each IPv6 site.
struct PerAddress {
    of_network: Limiter,
    of_site: Limiter,
}

impl PerAddress {
    fn new(per_minute: NonZeroU32) -> Self {
        Self {
            of_network: limiter(per_minute),
            of_site: limiter(per_minute.saturating_mul(NETWORKS_PER_SITE)),
        }
    }

    fn check(&self, client: IpAddr) -> Result<(), AppError> {
        match network(client) {
            // Mapped as in `::ffff:192.0.2.1`: no IPv6 network has that prefix.
            IpAddr::V4(address) => check(&self.of_network, address.to_ipv6_mapped().into()),
            IpAddr::V6(network) => {
                let network = u128::from(network);
                check(&self.of_network, network)?;
                check(&self.of_site, network >> 80 << 80)
            }
        }
    }
}

fn check(limiter: &Limiter, key: u128) -> Result<(), AppError> {
    limiter.check_key(&key).map_err(|not_until| {
        let wait = not_until.wait_time_from(limiter.clock().now());
        // Rounded up, so that who waits that long is let in.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        AppError::RateLimited {
            retry_after: u32::try_from(seconds.max(1)).unwrap_or(u32::MAX),
        }
    })
}

/// A whole minute's share may come at once: an office arrives at nine o'clock.
fn limiter(per_minute: NonZeroU32) -> Limiter {
    let quota = Quota::per_minute(per_minute);
    RateLimiter::new(quota, BoundedTable::new(), SinceStart(Instant::now()))
}

/// Never set back, as the wall clock can be: a step back would lock clients out (E26).
struct SinceStart(Instant);

impl Clock for SinceStart {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// When each client's budget is whole again; forgets who has been silent longest.
struct BoundedTable(Mutex<LruCache<u128, Nanos>>);

impl BoundedTable {
    fn new() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED_CLIENTS)))
    }
}

impl StateStore for BoundedTable {
    type Key = u128;

    fn measure_and_replace<T, F, E>(&self, key: &u128, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = table.get(key).copied();
        let (outcome, whole_again) = decide(known)?;
        table.insert(*key, whole_again);
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(per_minute: u32) -> PerAddress {
        PerAddress::new(NonZeroU32::new(per_minute).unwrap())
    }

    fn allowed(limits: &PerAddress, addresses: impl Iterator<Item = IpAddr>) -> usize {
        addresses
            .filter(|address| limits.check(*address).is_ok())
            .count()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn retry_after(limits: &PerAddress, client: &str) -> Option<u32> {
        match limits.check(address(client)) {
            Err(AppError::RateLimited { retry_after }) => Some(retry_after),
            _ => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_share_comes_at_once_and_then_as_it_grows_again() {
        let limits = limits(60);
        let burst = std::iter::repeat_n(address("192.0.2.1"), 100);
        assert_eq!(allowed(&limits, burst), 60);
        assert_eq!(retry_after(&limits, "192.0.2.1"), Some(1));
        assert_eq!(retry_after(&limits, "192.0.2.2"), None, "somebody else");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(retry_after(&limits, "192.0.2.1"), None);
        assert_eq!(retry_after(&limits, "192.0.2.1"), Some(1));
        tokio::time::advance(Duration::from_mins(1)).await;
        let burst = std::iter::repeat_n(address("192.0.2.1"), 100);
        assert_eq!(allowed(&limits, burst), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_the_time_after_which_a_request_passes() {
        let limits = limits(2);
        for _ in 0..2 {
            assert_eq!(retry_after(&limits, "192.0.2.1"), None);
        }
        assert_eq!(retry_after(&limits, "192.0.2.1"), Some(30));
        tokio::time::advance(Duration::from_millis(29_500)).await;
        assert_eq!(retry_after(&limits, "192.0.2.1"), Some(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(retry_after(&limits, "192.0.2.1"), None);
    }

    // E48: an address of IPv6 is nothing rare.
    #[tokio::test(start_paused = true)]
    async fn hopping_through_a_network_gains_nothing_and_through_a_site_little() {
        let in_network = |number: u32| address(&format!("2001:db8:1:2::{number:x}"));
        assert_eq!(allowed(&limits(10), (0..1_000).map(in_network)), 10);
        let in_site = |number: u32| address(&format!("2001:db8:1:{number:x}::1"));
        assert_eq!(allowed(&limits(10), (0..1_000).map(in_site)), 160);
        let sites = |number: u32| address(&format!("2001:db8:{number:x}::1"));
        assert_eq!(allowed(&limits(10), (0..1_000).map(sites)), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_of_ipv4_in_ipv6_form_is_the_same_client() {
        let limits = limits(1);
        assert_eq!(retry_after(&limits, "192.0.2.1"), None);
        assert!(retry_after(&limits, "::ffff:192.0.2.1").is_some());
        assert_eq!(retry_after(&limits, "::ffff:192.0.2.2"), None);
    }

    // E46: the flood is remembered only as far as the table reaches, and locks nobody out.
    #[tokio::test(start_paused = true)]
    async fn a_million_clients_cost_a_bounded_table() {
        let limits = limits(1);
        let flood = (0..1_000_000_u32).map(|number| IpAddr::V4(number.into()));
        assert_eq!(allowed(&limits, flood), 1_000_000);
        let table = limits.of_network.into_state_store();
        assert_eq!(table.0.lock().unwrap().len(), REMEMBERED_CLIENTS);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let limits = RateLimits::new(None);
        for _ in 0..10_000 {
            assert!(limits.redeem("verifier").is_ok());
            assert!(limits.ticket(SessionId([0; 16])).is_ok());
            let client = ClientAddress(address("192.0.2.1"));
            assert!(limits.wrong_credential(client).is_ok());
        }
    }
}
