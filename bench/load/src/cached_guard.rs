//! `bench-load cached-guard`: what a cache of verified access tokens would bring to a resource
//! server. An experiment, and no part of the product, which remembers signatures and judges the
//! claims each time: this one believes a token whose key the provider has withdrawn until it
//! expires.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, PoisonError, RwLock};

use api_guard::{Authenticated, Guard, Rejection};
use axum::extract::{FromRef, FromRequestParts};
use axum::routing::get;
use axum::{Json, Router};
use clap::Args;
use http::header::AUTHORIZATION;
use http::request::Parts;
use oidc::{
    AccessTokenPolicy, AccessTokenVerifier, AllowedAlgorithms, Audience, Clock, ClockSkew,
    Discovery, HttpClient, Issuer, SigningKeys, SystemClock, SystemRandom, UnixTime,
    VerifiedAccessToken,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

/// Tokens that are remembered. More of them empty the cache: that is enough for an experiment.
const CAPACITY: usize = 10_000;

#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    port: u16,
    /// Who issues the tokens
    #[arg(long)]
    issuer: String,
    /// For whom they are issued
    #[arg(long)]
    audience: String,
}

/// Three routes that answer the same: to anybody, to a token that is judged each time, and to
/// one that was judged before.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/api/ping", get(async || Json(json!({"ping": "pong"}))))
        .route("/api/pong", get(judged_now))
        .route("/api/pong-cached", get(judged_before))
        .with_state(Experiment::new(arguments)?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    remote_api::serve(listener, router, std::future::pending()).await;
    Ok(())
}

#[derive(Clone, FromRef)]
struct Experiment {
    guard: Guard,
    clock: Arc<dyn Clock>,
    remembered: Arc<Remembered<VerifiedAccessToken>>,
}

impl Experiment {
    fn new(arguments: &Arguments) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let discovery = Discovery::new(
            Issuer::parse(&arguments.issuer)?,
            HttpClient::new()?,
            Arc::clone(&clock),
            Arc::new(SystemRandom),
        );
        let policy = AccessTokenPolicy {
            audience: Audience::new(&arguments.audience),
            algorithms: AllowedAlgorithms::rs256(),
            clock_skew: ClockSkew::default(),
            max_lifetime_seconds: None,
            allowed_clients: None,
        };
        let verifier = AccessTokenVerifier::new(SigningKeys::new(discovery), policy);
        Ok(Self {
            guard: Guard::new(verifier, Arc::clone(&clock)),
            clock,
            remembered: Arc::default(),
        })
    }

    /// The guard's judgement, or what it said of this very header before.
    async fn authenticate(&self, request: &Parts) -> Result<Arc<VerifiedAccessToken>, Rejection> {
        let key = request.headers.get(AUTHORIZATION).map(|header| {
            let key: Key = Sha256::digest(header.as_bytes()).into();
            key
        });
        if let Some(token) = key.and_then(|key| self.remembered.find(&key, self.clock.now())) {
            return Ok(token);
        }
        let token = Arc::new(self.guard.authenticate(request).await?);
        if let Some(key) = key {
            self.remembered
                .insert(key, token.expires_at(), Arc::clone(&token));
        }
        Ok(token)
    }
}

/// A hash of the header: what is in the cache opens nothing elsewhere.
type Key = [u8; 32];

/// Tokens by their hashes, each until it expires.
struct Remembered<T> {
    tokens: RwLock<HashMap<Key, (UnixTime, Arc<T>)>>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self {
            tokens: RwLock::default(),
        }
    }
}

impl<T> Remembered<T> {
    fn find(&self, key: &Key, now: UnixTime) -> Option<Arc<T>> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let (expires_at, token) = tokens.get(key)?;
        (now < *expires_at).then(|| Arc::clone(token))
    }

    fn insert(&self, key: Key, expires_at: UnixTime, token: Arc<T>) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= CAPACITY {
            tokens.clear();
        }
        tokens.insert(key, (expires_at, token));
    }
}

/// A token as the experiment's guard admits it.
struct Admitted(Arc<VerifiedAccessToken>);

impl FromRequestParts<Experiment> for Admitted {
    type Rejection = Rejection;

    async fn from_request_parts(
        parts: &mut Parts,
        experiment: &Experiment,
    ) -> Result<Self, Rejection> {
        experiment.authenticate(parts).await.map(Self)
    }
}

async fn judged_now(Authenticated(token): Authenticated) -> Json<Value> {
    answer(&token)
}

async fn judged_before(Admitted(token): Admitted) -> Json<Value> {
    answer(&token)
}

fn answer(token: &VerifiedAccessToken) -> Json<Value> {
    Json(json!({"sub": token.subject().to_string(), "scope": token.scope().to_string()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime(seconds)
    }

    #[test]
    fn a_token_is_remembered_until_it_expires_and_under_its_own_header_only() {
        let remembered = Remembered::default();
        remembered.insert([1; 32], at(100), Arc::new("claims"));
        assert_eq!(
            remembered.find(&[1; 32], at(99)).as_deref(),
            Some(&"claims")
        );
        assert_eq!(remembered.find(&[1; 32], at(100)), None);
        assert_eq!(remembered.find(&[2; 32], at(99)), None);
    }

    #[test]
    fn more_tokens_than_there_is_room_for_begin_anew() {
        let remembered = Remembered::default();
        for number in 0..=CAPACITY {
            let key: Key = Sha256::digest(number.to_le_bytes()).into();
            remembered.insert(key, at(100), Arc::new(number));
        }
        assert_eq!(remembered.tokens.read().unwrap().len(), 1);
    }
}
