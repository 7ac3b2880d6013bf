//! The token endpoint in every kind of trouble (E30): the code is sent once, nobody is signed
//! in, and the person sees one page that says how to go on and by which number we find it.

use dev_tenant::FaultPlan;
use serde_json::{Map, Value, json};
use url::Url;

use super::strange_provider::{Reply, StrangeProvider};
use crate::harness::{Answer, Browser, Fault, Handoff, Host, World};

const TOKEN: &str = "/oauth/token";

/// A login in the popup, up to its callback.
struct Login {
    world: World,
    browser: Browser,
    handoff: Handoff,
    host: Host,
}

impl Login {
    async fn with(fault: impl FnOnce(&mut FaultPlan)) -> Self {
        let world = World::new().await;
        world.tenant.faults().set(fault);
        Self {
            browser: world.browser(),
            handoff: Handoff::new(&world),
            host: Host::new(&world),
            world,
        }
    }

    /// The token endpoint is elsewhere.
    async fn at(provider: &StrangeProvider) -> Self {
        let endpoint = provider.url(TOKEN);
        Self::with(|plan| plan.discovery.body = members(&json!({ "token_endpoint": endpoint })))
            .await
    }

    async fn callback(&self) -> Url {
        let authorize = self.browser.begin_popup(&self.handoff).await;
        self.browser.authenticate(&authorize, "ada").await
    }

    /// Its page, and that nothing came of it, however often the page is loaded.
    async fn fails(&self, what: &str, status: u16, code: &str) -> Answer {
        let callback = self.callback().await;
        let answer = self.browser.arrive(&callback).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        answer.assert_page(status, code);
        let id = answer.header("x-request-id");
        assert!(
            !id.is_empty() && answer.body.contains(id),
            "{what}: {}",
            answer.body
        );
        assert!(answer.body.contains("try again"), "{what}: {}", answer.body);
        let has_retry_after = !answer.header("retry-after").is_empty();
        assert_eq!(has_retry_after, status == 503, "{what}");
        assert!(!answer.sets_session_cookie(), "{what}");
        assert!(self.browser.transactions().is_empty(), "{what}");
        let again = self.browser.arrive(&callback).await;
        assert!(!again.sets_session_cookie(), "{what}");
        let me = self.browser.page_get("/api/auth/me").await;
        assert_eq!(me.status, 401, "{what}");
        let told = self.browser.claim(&self.handoff, &self.host).await;
        assert_eq!(
            (told.status.as_u16(), told.code()),
            (409, "login_refused".into()),
            "{what}"
        );
        answer
    }

    /// The host's answer about the person who is signed in now.
    async fn succeeds(&self, what: &str) -> Value {
        let callback = self.callback().await;
        let answer = self.browser.arrive(&callback).await;
        assert_eq!(
            answer.header("location"),
            "/signed-in?close",
            "{what}: {}",
            answer.body
        );
        let frame = self.browser.claim(&self.handoff, &self.host).await.ok();
        let ticket = frame["ticket"].as_str().unwrap();
        self.host.redeem(ticket).await.ok()
    }

    fn codes_sent(&self) -> u64 {
        let journal = self.world.tenant.journal();
        journal.token_requests_of("authorization_code")
    }
}

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

const UNACCEPTABLE: (u16, &str) = (502, "provider_error");
const UNAVAILABLE: (u16, &str) = (503, "provider_unavailable");

fn refused(plan: &mut FaultPlan, status: u16, error: &str) {
    plan.token.status = Some(status);
    plan.token.error = Some(error.to_owned());
}

#[tokio::test]
async fn an_error_of_the_token_endpoint_signs_nobody_in_and_is_asked_once() {
    let faults: [(&str, (u16, &str), Fault); 13] = [
        ("400 invalid_grant", UNACCEPTABLE, |plan| {
            refused(plan, 400, "invalid_grant");
        }),
        ("403 invalid_grant", UNACCEPTABLE, |plan| {
            refused(plan, 403, "invalid_grant");
        }),
        ("400 invalid_client", UNACCEPTABLE, |plan| {
            refused(plan, 400, "invalid_client");
        }),
        ("401 invalid_client", UNACCEPTABLE, |plan| {
            refused(plan, 401, "invalid_client");
        }),
        ("400 invalid_request", UNACCEPTABLE, |plan| {
            refused(plan, 400, "invalid_request");
        }),
        ("400 something_new", UNACCEPTABLE, |plan| {
            refused(plan, 400, "something_new");
        }),
        ("400 temporarily_unavailable", UNAVAILABLE, |plan| {
            refused(plan, 400, "temporarily_unavailable");
        }),
        ("429", UNAVAILABLE, |plan| {
            refused(plan, 429, "too_many_attempts");
            plan.token.retry_after = Some(7);
        }),
        ("500", UNAVAILABLE, |plan| {
            refused(plan, 500, "server_error");
        }),
        ("502", UNAVAILABLE, |plan| {
            refused(plan, 502, "invalid_grant");
        }),
        ("503", UNAVAILABLE, |plan| {
            refused(plan, 503, "invalid_grant");
        }),
        ("504", UNAVAILABLE, |plan| {
            refused(plan, 504, "invalid_grant");
        }),
        ("HTML 200", UNACCEPTABLE, |plan| plan.token.html = true),
    ];
    for (what, (status, code), fault) in faults {
        let login = Login::with(fault).await;
        login.fails(what, status, code).await;
        assert_eq!(login.codes_sent(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_token_response_with_one_thing_wrong_signs_nobody_in() {
    for (what, body) in [
        ("no access token", json!({ "access_token": null })),
        ("an empty access token", json!({ "access_token": "" })),
        (
            "an access token with a space",
            json!({ "access_token": "a b" }),
        ),
        ("a numeric access token", json!({ "access_token": 7 })),
        (
            "an access token in a list",
            json!({ "access_token": ["a"] }),
        ),
        ("no id_token", json!({ "id_token": null })),
        ("an empty id_token", json!({ "id_token": "" })),
        ("a numeric id_token", json!({ "id_token": 7 })),
        ("an id_token that is none", json!({ "id_token": "a.b.c" })),
        ("a numeric refresh token", json!({ "refresh_token": 7 })),
        ("no token_type", json!({ "token_type": null })),
        ("token_type mac", json!({ "token_type": "mac" })),
        ("token_type DPoP", json!({ "token_type": "DPoP" })),
        ("a numeric token_type", json!({ "token_type": 1 })),
        ("expires_in -1", json!({ "expires_in": -1 })),
        ("expires_in soon", json!({ "expires_in": "soon" })),
        ("expires_in as a list", json!({ "expires_in": [3600] })),
        ("expires_in true", json!({ "expires_in": true })),
        ("scope as a list", json!({ "scope": ["openid"] })),
    ] {
        let login = Login::with(|plan| plan.token.body = members(&body)).await;
        login.fails(what, UNACCEPTABLE.0, UNACCEPTABLE.1).await;
        assert_eq!(login.codes_sent(), 1, "{what}");
    }
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes()
}

#[tokio::test]
async fn bytes_that_are_no_token_response_sign_nobody_in_and_are_asked_for_once() {
    const LONG: &str = "200 x\r\ncontent-type: application/json\r\ncontent-length: 1000";
    const CHUNKED: &str = "200 x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked";
    let begun = answer(LONG, r#"{"access_token":"#);
    let rows = [
        ("empty 200", UNACCEPTABLE, Reply::json("")),
        ("a list", UNACCEPTABLE, Reply::json("[]")),
        ("null", UNACCEPTABLE, Reply::json("null")),
        ("10,000 deep", UNACCEPTABLE, Reply::json("[".repeat(10_000))),
        (
            "two megabytes",
            UNACCEPTABLE,
            Reply::json(" ".repeat(2 << 20)),
        ),
        (
            "chunks without end",
            UNACCEPTABLE,
            Reply::Endless(answer(CHUNKED, "")),
        ),
        ("204", UNACCEPTABLE, Reply::Bytes(answer("204 x", ""))),
        (
            "400 without words",
            UNACCEPTABLE,
            Reply::of("400 x", "text/plain", ""),
        ),
        (
            "401 without words",
            UNACCEPTABLE,
            Reply::of("401 x", "text/plain", ""),
        ),
        (
            "404",
            UNACCEPTABLE,
            Reply::of("404 x", "text/html", "<html>"),
        ),
        (
            "429 without words",
            UNAVAILABLE,
            Reply::of("429 x", "text/plain", ""),
        ),
        (
            "reset before the answer",
            UNAVAILABLE,
            Reply::Resets(Vec::new()),
        ),
        (
            "reset in mid-body",
            UNAVAILABLE,
            Reply::Resets(begun.clone()),
        ),
        ("end in mid-body", UNAVAILABLE, Reply::Bytes(begun)),
        (
            "end in mid-headers",
            UNAVAILABLE,
            Reply::Bytes(b"HTTP/1.1 200 x\r\nx".to_vec()),
        ),
        (
            "no HTTP",
            UNAVAILABLE,
            Reply::Bytes(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
        ),
    ];
    for (what, (status, code), reply) in rows {
        let provider = StrangeProvider::start().await;
        provider.answers(TOKEN, reply);
        let login = Login::at(&provider).await;
        login.fails(what, status, code).await;
        assert_eq!(provider.requests_to(TOKEN), 1, "{what}");
    }
}

// E08: a code and the client's secret would go wherever it says.
#[tokio::test]
async fn no_redirect_of_the_token_endpoint_is_followed() {
    for status in ["301 x", "302 x", "303 x", "307 x", "308 x"] {
        let provider = StrangeProvider::start().await;
        for target in [
            provider.url("/elsewhere").as_str(),
            "http://169.254.169.254/",
        ] {
            provider.answers(TOKEN, Reply::redirect(status, target));
            let login = Login::at(&provider).await;
            login.fails(status, UNACCEPTABLE.0, UNACCEPTABLE.1).await;
        }
        assert_eq!(provider.requests_to(TOKEN), 2);
        assert_eq!(provider.requests_to("/elsewhere"), 0);
    }
}

#[tokio::test]
async fn lifetimes_of_any_kind_are_read_and_bounded() {
    const MONTH: i64 = 30 * 86_400;
    for (expires_in, seconds) in [
        (Value::Null, 300),
        (json!(3600), 3600),
        (json!("3600"), 3600),
        (json!(3600.9), 3600),
        (json!(1e12), MONTH),
        (json!(u64::MAX), MONTH),
    ] {
        let login = Login::with(|plan| plan.token.expires_in = Some(expires_in.clone())).await;
        let redeemed = login.succeeds(&expires_in.to_string()).await;
        let expires_at = login.world.clock.seconds() + seconds;
        assert_eq!(
            redeemed["access_token_expires_at"], expires_at,
            "{expires_in}"
        );
        assert_eq!(login.codes_sent(), 1);
    }
}

// A token that is dead on arrival is no reason to turn the person away: the refresh helps.
#[tokio::test]
async fn an_access_token_that_has_expired_on_arrival_is_renewed() {
    let login = Login::with(|plan| {
        plan.token.grant_type = Some("authorization_code".to_owned());
        plan.token.expires_in = Some(json!(0));
    })
    .await;
    let redeemed = login.succeeds("expires_in 0").await;
    let expires_at = redeemed["access_token_expires_at"].as_i64().unwrap();
    assert!(expires_at > login.world.clock.seconds());
    let journal = login.world.tenant.journal();
    assert_eq!(journal.token_requests_of("refresh_token"), 1);
}

#[tokio::test]
async fn a_scope_that_the_provider_narrowed_is_the_scope_that_the_host_hears() {
    let narrowed = json!({ "scope": "openid read:chart" });
    let login = Login::with(|plan| plan.token.body = members(&narrowed)).await;
    let redeemed = login.succeeds("narrowed").await;
    assert_eq!(redeemed["scope"], "openid read:chart");
    let grant = redeemed["grant"].as_str().unwrap();
    let wider = json!({ "grant": grant, "scope": "openid write:solve" });
    login
        .host
        .token_with(wider)
        .await
        .assert(400, "scope_not_granted");
}
