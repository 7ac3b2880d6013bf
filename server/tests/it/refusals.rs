//! Responses that must not sign anybody in, beyond the suite in `conformance`: refusals of
//! the provider, injected codes, and a provider in trouble. After each, nothing is left behind.

use std::time::Duration;

use dev_tenant::FaultPlan;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use url::Url;

use crate::harness::{Answer, Browser, Fault, Handoff, Host, World, eventually};

/// A login that is going to fail.
struct Attempt {
    world: World,
    browser: Browser,
    handoff: Handoff,
    host: Host,
}

impl Attempt {
    fn at(world: World) -> Self {
        Self {
            browser: world.browser(),
            handoff: Handoff::new(&world),
            host: Host::new(&world),
            world,
        }
    }

    async fn with(fault: impl FnOnce(&mut FaultPlan)) -> Self {
        let world = World::new().await;
        world.tenant.faults().set(fault);
        Self::at(world)
    }

    async fn callback(&self) -> Url {
        let authorize = self.browser.begin_popup(&self.handoff).await;
        self.browser.authenticate(&authorize, "ada").await
    }

    async fn run(&self) -> Answer {
        let callback = self.callback().await;
        self.browser.arrive(&callback).await
    }

    /// No session, no cookie, no transaction, and the frame hears of it.
    #[track_caller]
    fn assert_nothing_came_of(&self, answer: &Answer, what: &str) -> impl Future<Output = ()> {
        assert!(
            !answer.sets_session_cookie(),
            "{what}: {:?}",
            answer.set_cookie_lines()
        );
        assert!(self.browser.transactions().is_empty(), "{what}");
        let what = what.to_owned();
        async move {
            assert_eq!(
                self.browser.open("/api/auth/me").await.status,
                401,
                "{what}"
            );
            let told = self.browser.claim(&self.handoff, &self.host).await;
            assert_eq!(
                (told.status.as_u16(), told.code()),
                (409, "login_refused".into()),
                "{what}"
            );
            assert!(!told.sets_session_cookie(), "{what}");
        }
    }

    fn code_requests(&self) -> u64 {
        self.world
            .tenant
            .journal()
            .token_requests_of("authorization_code")
    }
}

// E32
#[tokio::test]
async fn a_person_who_declines_sees_why_and_is_not_signed_in() {
    let attempt = Attempt::with(|_| {}).await;
    let authorize = attempt.browser.begin_popup(&attempt.handoff).await;
    let callback = attempt
        .browser
        .provider
        .decline(&authorize)
        .await
        .redirect();
    let answer = attempt.browser.arrive(&callback).await;
    answer.assert_page(409, "login_refused");
    assert_eq!(attempt.code_requests(), 0);
    attempt.assert_nothing_came_of(&answer, "declined").await;
}

#[tokio::test]
async fn every_error_of_the_provider_is_a_refusal() {
    for error in [
        "access_denied",
        "login_required",
        "consent_required",
        "interaction_required",
        "server_error",
        "temporarily_unavailable",
        "something_new",
    ] {
        let attempt = Attempt::with(|plan| plan.authorize.error = Some(error.into())).await;
        let answer = attempt.run().await;
        answer.assert_page(409, "login_refused");
        attempt.assert_nothing_came_of(&answer, error).await;
    }
}

#[tokio::test]
async fn a_response_with_both_error_and_code_is_a_refusal() {
    let attempt = Attempt::with(|_| {}).await;
    let mut callback = attempt.callback().await;
    callback
        .query_pairs_mut()
        .append_pair("error", "access_denied");
    let answer = attempt.browser.arrive(&callback).await;
    answer.assert_page(409, "login_refused");
    assert_eq!(attempt.code_requests(), 0);
    attempt.assert_nothing_came_of(&answer, "both").await;
}

// A05, D43: whatever the provider writes never becomes markup, and is not repeated.
#[tokio::test]
async fn the_error_page_shows_nothing_of_the_providers_text() {
    for text in [
        "<script>alert(1)</script>",
        "</script><img src=x onerror=alert(1)>",
        "javascript:alert(1)\u{2028}\u{2029}",
        "\"><svg onload=alert(1)>\r\nSet-Cookie: a=b",
    ] {
        let attempt = Attempt::with(|plan| {
            plan.authorize.error = Some(text.into());
            plan.authorize.error_description = Some(text.into());
        })
        .await;
        let answer = attempt.run().await;
        answer.assert_page(409, "login_refused");
        assert!(!answer.body.contains("alert"), "{}", answer.body);
        assert!(!answer.body.contains("<script>"));
        assert!(
            answer
                .header("content-security-policy")
                .contains("script-src 'self'")
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

// D37: a code of another login fails at the provider, by PKCE.
#[tokio::test]
async fn an_injected_code_of_another_login_signs_nobody_in() {
    let attempt = Attempt::with(|_| {}).await;
    let attacker = attempt.world.browser();
    let authorize = attacker.begin_page().await;
    let stolen = attacker.authenticate(&authorize, "linus").await;
    let stolen = stolen
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    let honest = attempt.callback().await;
    let mut callback = honest.clone();
    callback.query_pairs_mut().clear();
    for (name, value) in honest.query_pairs() {
        let value = if name == "code" {
            stolen.as_str().into()
        } else {
            value
        };
        callback.query_pairs_mut().append_pair(&name, &value);
    }
    let answer = attempt.browser.arrive(&callback).await;
    answer.assert_page(502, "provider_error");
    assert!(!answer.body.contains(&stolen));
    attempt
        .assert_nothing_came_of(&answer, "injected code")
        .await;
}

fn claims(patch: &Value) -> Map<String, Value> {
    patch.as_object().unwrap().clone()
}

#[tokio::test]
async fn an_id_token_that_cannot_be_trusted_signs_nobody_in() {
    let faults: [(&str, Fault); 4] = [
        ("another key under our kid", |plan| {
            plan.id_token.wrong_key = true;
        }),
        ("an unknown kid", |plan| {
            plan.id_token.header = claims(&json!({"kid": "unknown"}));
        }),
        ("C30 exp as text", |plan| {
            plan.id_token.claims = claims(&json!({"exp": "never"}));
        }),
        ("C20 an unknown crit", |plan| {
            plan.id_token.header = claims(&json!({"crit": ["x"], "x": 1}));
        }),
    ];
    for (what, fault) in faults {
        let attempt = Attempt::with(fault).await;
        let answer = attempt.run().await;
        answer.assert_page(502, "provider_error");
        attempt.assert_nothing_came_of(&answer, what).await;
    }
}

// E30; all its other rows are in `faults::token_endpoint`.
#[tokio::test]
async fn a_token_endpoint_that_never_answers_gives_503_after_the_deadline() {
    let attempt = Attempt::with(|plan| plan.token.hang = true).await;
    let callback = attempt.callback().await;
    let browser = attempt.browser.clone();
    let delivery = tokio::spawn(async move { browser.arrive(&callback).await });
    eventually(async || attempt.code_requests() == 1).await;
    // Past the deadline of a request to the provider, and no further: the store has its own.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    let answer = delivery.await.unwrap();
    answer.assert_page(503, "provider_unavailable");
    attempt.assert_nothing_came_of(&answer, "hang").await;
}

#[tokio::test]
async fn a_token_endpoint_that_cuts_the_connection_gives_503() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}/oauth/token", listener.local_addr().unwrap());
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let attempt = Attempt::with(|plan| {
        plan.discovery.body = claims(&json!({ "token_endpoint": endpoint }));
    })
    .await;
    let answer = attempt.run().await;
    answer.assert_page(503, "provider_unavailable");
    attempt.assert_nothing_came_of(&answer, "reset").await;
}

// E20, E21: keys that cannot be had are no reason to believe anything.
#[tokio::test]
async fn without_the_providers_keys_nobody_is_signed_in() {
    let faults: [(&str, Fault); 4] = [
        ("500", |plan| plan.jwks.status = Some(500)),
        ("HTML", |plan| plan.jwks.html = true),
        ("broken off", |plan| plan.jwks.malformed = true),
        ("empty", |plan| plan.jwks.empty = true),
    ];
    for (what, fault) in faults {
        let attempt = Attempt::with(fault).await;
        let answer = attempt.run().await;
        assert!(answer.status.is_server_error(), "{what}: {}", answer.status);
        attempt.assert_nothing_came_of(&answer, what).await;
    }
}
