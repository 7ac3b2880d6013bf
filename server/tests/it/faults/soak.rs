//! Memory and descriptors over many whole logins (E67). Minutes in a debug build, so by name
//! only: `cargo test -p server --test it -- --ignored --nocapture faults::soak`.

use http::StatusCode;
use http::header::{COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use oidc::{Clock as _, SystemClock};
use reqwest::{Client, Response, redirect};
use serde_json::json;
use url::Url;

use super::process::open_descriptors;
use crate::harness::{Handoff, Host, World, claim_body};
use crate::hostile_clients::Companion;

const BASE: &str = "http://localhost:3001";
/// Logins between two looks.
const ROUND: usize = 400;
const ROUNDS: usize = 7;
/// So many rounds allocators and caches take to fill.
const FILLING: usize = 3;
/// In all rounds after those together.
const MOST_GROWTH_KIB: u64 = 1024;

struct Person<'a> {
    companion: &'a Companion,
    client: &'a Client,
}

impl Person<'_> {
    async fn post(&self, path: &str, kind: &str, body: String, cookies: &str) -> Response {
        let url = format!("http://{}{path}", self.companion.address);
        let request = self.client.post(url).header(HOST, "localhost:3001");
        let request = request.header(ORIGIN, BASE).header("content-type", kind);
        let request = request
            .header("x-component-auth0", "frame")
            .header(COOKIE, cookies);
        request.body(body).send().await.unwrap()
    }

    /// Signs in by popup, claims in the frame, and signs out or stays; false if the machine was
    /// too busy for the store's deadline.
    async fn comes_and_goes(&self, world: &World, leaves: bool) -> bool {
        let handoff = Handoff::new(world);
        let form = format!("handoff_challenge={}", handoff.challenge());
        let kind = "application/x-www-form-urlencoded";
        let begun = self.post("/api/auth/login", kind, form, "").await;
        let authorize = Url::parse(begun.headers()[LOCATION].to_str().unwrap()).unwrap();
        let back = world.browser().authenticate(&authorize, "ada").await;
        let path = &back[url::Position::BeforePath..];
        let url = format!("http://{}{path}", self.companion.address);
        let callback = self.client.get(url).header(HOST, "localhost:3001");
        let finished = callback
            .header(COOKIE, cookies(&begun))
            .send()
            .await
            .unwrap();
        if finished.status() == StatusCode::SERVICE_UNAVAILABLE {
            return false;
        }
        assert_eq!(finished.status(), StatusCode::SEE_OTHER);
        let claim = claim_body(&handoff, &Host::new(world)).to_string();
        let claimed = self
            .post("/api/auth/handoff", "application/json", claim, "")
            .await;
        if claimed.status() == StatusCode::SERVICE_UNAVAILABLE {
            return false;
        }
        assert_eq!(claimed.status(), StatusCode::OK);
        if leaves {
            let frame = cookies(&claimed);
            let body = json!({}).to_string();
            let left = self
                .post("/api/auth/logout", "application/json", body, &frame)
                .await;
            return left.status() == StatusCode::OK;
        }
        true
    }
}

fn cookies(answer: &Response) -> String {
    let lines = answer.headers().get_all(SET_COOKIE).iter();
    let pairs = lines.map(|line| line.to_str().unwrap().split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes in a debug build: run it by name"]
async fn memory_and_descriptors_stay_flat_over_thousands_of_logins() {
    let world = World::new().await;
    let companion = Companion::start(&world, &[("RATE_LIMIT_PER_MINUTE", "off")]);
    let client = Client::builder().redirect(redirect::Policy::none());
    let client = client.build().unwrap();
    let person = Person {
        companion: &companion,
        client: &client,
    };
    let (mut looks, mut late) = (Vec::new(), 0);
    for round in 1..=ROUNDS {
        let real = SystemClock.now().seconds();
        world.clock.advance(real - world.clock.seconds());
        for number in 0..ROUND {
            late += usize::from(!person.comes_and_goes(&world, number % 2 == 0).await);
        }
        let process = &companion.started.process;
        let (resident, descriptors) = (companion.resident(), open_descriptors(process));
        println!(
            "after {} logins: {resident} KiB, {descriptors} descriptors",
            round * ROUND
        );
        looks.push((resident, descriptors));
    }
    println!("{late} logins met a deadline of the store");
    assert!(late < ROUND / 4, "{late}");
    let (first, last) = (looks[FILLING - 1], looks[ROUNDS - 1]);
    assert!(
        last.0.saturating_sub(first.0) < MOST_GROWTH_KIB,
        "{looks:?}"
    );
    assert!(last.1 <= first.1 + 8, "{looks:?}");
}
