//! Responses that must not sign anybody in: refusals of the provider, spoilt responses,
//! spoilt tokens, and a token endpoint in trouble. After each, nothing is left behind.

use dev_tenant::FaultPlan;
use http::StatusCode;
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

// B67, B72: two readers could understand two responses.
#[tokio::test]
async fn a_parameter_that_stands_twice_is_refused() {
    for name in ["code", "iss", "state"] {
        let attempt = Attempt::with(|_| {}).await;
        let mut callback = attempt.callback().await;
        let value = callback
            .query_pairs()
            .find(|(known, _)| known == name)
            .unwrap()
            .1
            .into_owned();
        callback.query_pairs_mut().append_pair(name, &value);
        let answer = attempt.browser.arrive(&callback).await;
        answer.assert_page(400, "invalid_transaction");
        assert!(!answer.sets_session_cookie());
        assert_eq!(attempt.code_requests(), 0, "{name}");
    }
}

// B66, D36: the mix-up attack.
#[tokio::test]
async fn a_response_of_another_issuer_or_of_none_is_refused() {
    let faults: [Fault; 3] = [
        |plan| plan.authorize.wrong_iss = Some("https://evil.test/".into()),
        |plan| plan.authorize.wrong_iss = Some(String::new()),
        |plan| plan.authorize.omit_iss = true,
    ];
    for (case, fault) in faults.into_iter().enumerate() {
        let attempt = Attempt::with(fault).await;
        let answer = attempt.run().await;
        answer.assert_page(502, "provider_error");
        assert_eq!(attempt.code_requests(), 0, "the code stays here");
        attempt
            .assert_nothing_came_of(&answer, &format!("case {case}"))
            .await;
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

/// Each with one thing wrong. Whoever removes a check in the protocol core sees it here.
#[tokio::test]
async fn an_id_token_with_one_thing_wrong_signs_nobody_in() {
    let now = World::new().await.clock.seconds();
    let patches = [
        ("B02 another issuer", json!({"iss": "https://evil.test/"})),
        ("B03 no subject", json!({"sub": null})),
        ("B04 another audience", json!({"aud": "another-client"})),
        ("B05 no audience", json!({"aud": null})),
        ("B06 no iat", json!({"iat": null})),
        ("B18 no nonce", json!({"nonce": null})),
        ("B60 expired", json!({"exp": now - 61})),
        ("B62 issued in the future", json!({"iat": now + 3600})),
        ("B63 not yet valid", json!({"nbf": now + 3600})),
        (
            "B64 several audiences, no azp",
            json!({"aud": ["dev-OEStreamlitApp", "other"], "azp": null}),
        ),
        ("B65 issued to another client", json!({"azp": "other"})),
        (
            "B74 at_hash of another access token",
            json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
        ),
        ("C30 exp as text", json!({"exp": "never"})),
    ];
    for (what, patch) in patches {
        let attempt = Attempt::with(|plan| plan.id_token.claims = claims(&patch)).await;
        let answer = attempt.run().await;
        answer.assert_page(502, "provider_error");
        attempt.assert_nothing_came_of(&answer, what).await;
    }
}

#[tokio::test]
async fn an_id_token_that_is_not_signed_by_the_provider_signs_nobody_in() {
    let faults: [(&str, Fault); 7] = [
        ("B10 alg none", |plan| plan.id_token.alg_none = true),
        ("B11 a flipped bit", |plan| {
            plan.id_token.bad_signature = true;
        }),
        ("another key under our kid", |plan| {
            plan.id_token.wrong_key = true;
        }),
        ("B18 another nonce", |plan| plan.id_token.wrong_nonce = true),
        ("an unknown kid", |plan| {
            plan.id_token.header = claims(&json!({"kid": "unknown"}));
        }),
        ("C02 alg HS256 in the header", |plan| {
            plan.id_token.header = claims(&json!({"alg": "HS256"}));
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

// B61: our clocks may differ a little.
#[tokio::test]
async fn an_id_token_that_expired_within_the_skew_is_accepted() {
    let world = World::new().await;
    let now = world.clock.seconds();
    world
        .tenant
        .faults()
        .set(|plan| plan.id_token.claims = claims(&json!({"exp": now - 30})));
    assert_eq!(
        world.browser().page_login("ada").await.header("location"),
        "/signed-in"
    );
}

// B70, B71: what was asked for is verified.
#[tokio::test]
async fn a_requested_max_age_or_acr_that_the_id_token_does_not_meet_is_refused() {
    let now = World::new().await.clock.seconds();
    for (option, value, patch) in [
        ("max_age", "60", json!({"auth_time": now - 3600})),
        ("max_age", "60", json!({"auth_time": null})),
        ("acr_values", "urn:strong", json!({"acr": "urn:weak"})),
        ("acr_values", "urn:strong", json!({})),
    ] {
        let world = World::with(&[("LOGIN_OPTIONS", "max_age,acr_values")]).await;
        world
            .tenant
            .faults()
            .set(|plan| plan.id_token.claims = claims(&patch));
        let browser = world.browser();
        let authorize = browser
            .open(&format!("/api/auth/login?{option}={value}"))
            .await
            .location();
        let callback = browser.authenticate(&authorize, "ada").await;
        let answer = browser.arrive(&callback).await;
        answer.assert_page(502, "provider_error");
        assert!(!answer.sets_session_cookie(), "{option}: {patch}");
    }
}

// E30: nothing is retried, since the code may be spent; the person can begin again.
#[tokio::test]
async fn a_token_endpoint_in_trouble_signs_nobody_in_and_is_asked_once() {
    let faults: [(&str, u16, Fault); 10] = [
        ("invalid_grant", 502, |plan| {
            plan.token.error = Some("invalid_grant".into());
        }),
        ("invalid_client", 502, |plan| {
            plan.token.error = Some("invalid_client".into());
        }),
        ("400", 502, |plan| {
            plan.token.status = Some(400);
            plan.token.error = Some("invalid_request".into());
        }),
        ("429", 503, |plan| plan.token.status = Some(429)),
        ("500", 503, |plan| plan.token.status = Some(500)),
        ("503", 503, |plan| plan.token.status = Some(503)),
        ("HTML", 502, |plan| plan.token.html = true),
        ("B68 no ID token", 502, |plan| {
            plan.token.omit_id_token = true;
        }),
        ("B69 another token type", 502, |plan| {
            plan.token.token_type = Some("mac".into());
        }),
        ("no access token", 502, |plan| {
            plan.token.body = claims(&json!({"access_token": null}));
        }),
    ];
    for (what, status, fault) in faults {
        let attempt = Attempt::with(fault).await;
        let answer = attempt.run().await;
        let code = if status == 502 {
            "provider_error"
        } else {
            "provider_unavailable"
        };
        answer.assert_page(status, code);
        assert_eq!(attempt.code_requests(), 1, "{what}");
        attempt.assert_nothing_came_of(&answer, what).await;
    }
}

// B69, RFC 6749 §5.1: the type is compared without regard to case.
#[tokio::test]
async fn token_type_bearer_counts_in_any_case() {
    for token_type in ["bearer", "BEARER"] {
        let world = World::new().await;
        world
            .tenant
            .faults()
            .set(|plan| plan.token.token_type = Some(token_type.into()));
        assert_eq!(
            world.browser().page_login("ada").await.header("location"),
            "/signed-in"
        );
    }
}

#[tokio::test]
async fn a_token_endpoint_that_never_answers_gives_503_after_the_deadline() {
    let attempt = Attempt::with(|plan| plan.token.hang = true).await;
    let callback = attempt.callback().await;
    let browser = attempt.browser.clone();
    let delivery = tokio::spawn(async move { browser.arrive(&callback).await });
    eventually(async || attempt.code_requests() == 1).await;
    // From here on nothing can happen but deadlines: time jumps to the next one.
    tokio::time::pause();
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

// B41, B42: the set is fetched again for a key that it lacks.
#[tokio::test]
async fn a_login_works_after_the_provider_changed_its_key() {
    let world = World::new().await;
    world.browser().page_login("ada").await;
    world.clock.advance(60);
    world.tenant.replace_keys();
    let answer = world.browser().page_login("grace").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
}
