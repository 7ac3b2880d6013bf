//! Invariant 1, D41: after every flow, no secret is in the log, in an answer, or in a URL,
//! but where the design puts it. Each secret is a canary that the test knows by value.

mod printed;
mod process;

use dev_tenant::{APP_CLIENT_SECRET, FaultPlan};
use http::StatusCode;
use serde_json::{Map, Value, json};
use url::Url;

use crate::backchannel;
use crate::harness::{
    Call, CapturedLog, Exchange, Fault, Handoff, Host, StoreFaults, World, eventually,
};

const ACCESS_TOKEN: &str = "canary-of-the-access-token-0123456789";
const REFRESH_TOKEN: &str = "canary-of-the-refresh-token-0123456789";

/// Everything that must not get out, by name.
#[derive(Default)]
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    fn add(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        assert!(value.len() >= 12, "{name} is too short to be looked for");
        self.0.push((name, value));
    }

    #[track_caller]
    fn assert_none_in(&self, text: &str, place: &str, but: &[&str]) {
        for (name, value) in &self.0 {
            let found = text.contains(value.as_str());
            assert!(!found || but.contains(name), "{name} in {place}:\n{text}");
        }
    }

    fn of(world: &World) -> Self {
        let mut canaries = Self::default();
        for name in ["AUTH0_SECRET", "STREAMLIT_SECRET"] {
            canaries.add("secret", world.settings[name].clone());
        }
        canaries.add("secret", APP_CLIENT_SECRET);
        canaries.add("password", "ada-password");
        canaries.add("access token", ACCESS_TOKEN);
        canaries.add("refresh token", REFRESH_TOKEN);
        canaries
    }
}

fn patch(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn known_tokens(plan: &mut FaultPlan) {
    plan.token.body =
        patch(&json!({ "access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN }));
    // The hash is of the honest access token.
    plan.id_token.claims = patch(&json!({ "at_hash": null }));
}

fn parameter(url: &Url, wanted: &str) -> String {
    let found = url.query_pairs().find(|(name, _)| name == wanted);
    found.unwrap().1.into_owned()
}

/// Login, re-check, token, failures of all kinds, and logout; collects what is secret in it.
/// Refreshes fail `later` seconds after the login.
async fn every_flow(world: &World, canaries: &mut Canaries, later: i64) {
    world.tenant.faults().set(known_tokens);
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(world), Host::new(world));
    canaries.add("handoff verifier", handoff.verifier.clone());
    canaries.add("host verifier", host.verifier.clone());
    let authorize = browser.begin_popup(&handoff).await;
    canaries.add("nonce", parameter(&authorize, "nonce"));
    canaries.add("transaction cookie", browser.cookies_of_window("-login-"));
    let callback = browser.authenticate(&authorize, "ada").await;
    canaries.add("code", parameter(&callback, "code"));
    canaries.add("state", parameter(&callback, "state"));
    assert_eq!(
        browser.arrive(&callback).await.status,
        StatusCode::SEE_OTHER
    );
    // A second delivery, a foreign one, and a spoilt one.
    browser.arrive(&callback).await;
    world.browser().arrive(&callback).await;
    let mut spoilt = callback.clone();
    spoilt.query_pairs_mut().append_pair("code", "x");
    browser.arrive(&spoilt).await;
    let frame = browser.claim(&handoff, &host).await.ok();
    browser
        .claim(&handoff, &host)
        .await
        .assert(410, "handoff_gone");
    let ticket = frame["ticket"].as_str().unwrap().to_owned();
    canaries.add("ticket", ticket.clone());
    canaries.add("sign-out key", frame["sign_out_key"].as_str().unwrap());
    for (_, value) in browser.all_cookies() {
        canaries.add("session cookie", value);
    }
    let redeemed = host.redeem(&ticket).await.ok();
    assert_eq!(redeemed["access_token"], ACCESS_TOKEN);
    let grant = redeemed["grant"].as_str().unwrap().to_owned();
    canaries.add("grant", grant.clone());
    host.redeem(&world.random_256()).await;
    host.showing(vec!["Bearer wrong".into()])
        .session(&grant)
        .await;
    browser.ticket(&host).await.ok();
    browser.page_get("/api/auth/me").await.ok();
    browser.open("/").await;
    host.session(&grant).await.ok();
    host.token(&grant).await.ok();
    world.clock.advance(later);
    failing_refreshes(world, &host, &grant).await;
    let logout = browser.submit("/api/auth/logout", &[]).await;
    canaries.add("ID token", parameter(&logout.location(), "id_token_hint"));
    host.token(&grant).await.assert(401, "session_ended");
    host.revoke(&grant).await;
}

async fn failing_refreshes(world: &World, host: &Host, grant: &str) {
    let expiring = json!({ "grant": grant, "min_ttl": 300, "scope": "openid" });
    let faults: [Fault; 3] = [
        |plan| plan.down = true,
        |plan| plan.token.error = Some("invalid_client".into()),
        |plan| plan.token.html = true,
    ];
    for fault in faults {
        world.tenant.faults().reset();
        world.tenant.faults().set(fault);
        let answer = host.token_with(expiring.clone()).await;
        assert!(answer.status.is_server_error(), "{}", answer.body);
    }
    world.tenant.faults().reset();
}

/// Logins that fail, with a code and tokens in them, `pause` seconds apart.
async fn failing_logins(world: &World, canaries: &mut Canaries, pause: i64) {
    let faults: [Fault; 24] = [
        |plan| {
            plan.token.body = patch(&json!({ "access_token": 7, "refresh_token": REFRESH_TOKEN }));
        },
        |plan| {
            plan.token.body = patch(&json!({ "scope": ["x"], "access_token": ACCESS_TOKEN }));
        },
        |plan| plan.id_token.bad_signature = true,
        |plan| plan.id_token.wrong_nonce = true,
        |plan| plan.id_token.claims = patch(&json!({ "aud": "other" })),
        |plan| plan.token.token_type = Some("mac".into()),
        |plan| plan.token.error = Some("invalid_grant".into()),
        |plan| plan.token.omit_id_token = true,
        |plan| plan.authorize.error = Some("access_denied".into()),
        |plan| plan.authorize.wrong_iss = Some("https://evil.test/".into()),
        |plan| plan.authorize.omit_iss = true,
        |plan| plan.id_token.alg_none = true,
        |plan| plan.id_token.wrong_key = true,
        |plan| plan.id_token.es256 = true,
        |plan| plan.id_token.hs256_secret = Some(APP_CLIENT_SECRET.into()),
        |plan| plan.id_token.header = patch(&json!({ "kid": "unknown" })),
        |plan| plan.id_token.claims = patch(&json!({ "sub": null })),
        |plan| plan.id_token.claims = patch(&json!({ "nonce": ACCESS_TOKEN })),
        |plan| plan.id_token.claims = patch(&json!({ "iss": REFRESH_TOKEN })),
        |plan| plan.id_token.claims = patch(&json!({ "exp": 1 })),
        |plan| plan.token.body = patch(&json!({ "id_token": ACCESS_TOKEN })),
        |plan| plan.token.body = patch(&json!({ "expires_in": ACCESS_TOKEN })),
        |plan| plan.token.error = Some(ACCESS_TOKEN.into()),
        |plan| plan.token.status = Some(500),
    ];
    for fault in faults {
        world.tenant.faults().reset();
        world.clock.advance(pause);
        world.tenant.faults().set(known_tokens);
        world.tenant.faults().set(fault);
        let browser = world.browser();
        let authorize = browser.begin_page().await;
        let callback = browser.authenticate(&authorize, "ada").await;
        canaries.add("state", parameter(&callback, "state"));
        if callback.query().unwrap().contains("code=") {
            canaries.add("code", parameter(&callback, "code"));
        }
        let answer = browser.arrive(&callback).await;
        assert!(!answer.status.is_redirection(), "{}", answer.status);
    }
    world.tenant.faults().reset();
}

/// Secrets in places where they do not belong, and requests that are refused with one in
/// them: what is wrong with a request is said without repeating it.
async fn misplaced_secrets(world: &World, canaries: &mut Canaries) {
    const STRAY: &str = "canary-of-a-stray-secret-0123456789";
    canaries.add("stray secret", STRAY);
    let (browser, host) = (world.browser(), Host::new(world));
    canaries.add("host verifier", host.verifier.clone());
    for path in [
        "/",
        "/api/auth/me",
        "/api/auth/login",
        "/api/auth/callback",
        "/api/auth/logout",
        "/streamlit",
        "/nowhere",
    ] {
        let query = format!("access_token={STRAY}&code={STRAY}&state={STRAY}&error={STRAY}");
        browser.open(&format!("{path}?{query}")).await;
        browser.page_get(&format!("{path}/{STRAY}")).await;
        let call = Call::navigation(path, "none")
            .header("authorization", format!("Bearer {STRAY}"))
            .header("cookie", format!("component-auth0={STRAY}; x={STRAY}"))
            .header("origin", format!("https://{STRAY}"))
            .header("user-agent", STRAY)
            .header("referer", format!("http://localhost:3001/?code={STRAY}"))
            .header("x-request-id", STRAY);
        browser.send(call).await;
    }
    for path in [
        "/api/auth/redeem",
        "/api/auth/token",
        "/api/auth/session",
        "/api/auth/revoke",
        "/api/auth/ticket",
        "/api/auth/handoff",
        "/api/auth/watch",
        "/api/auth/logout",
        "/api/auth/backchannel-logout",
    ] {
        let stray = json!({
            "grant": STRAY, "ticket": STRAY, "verifier": STRAY, "challenge": STRAY,
            "host_origin": STRAY, "origin": STRAY, "audience": STRAY, "scope": STRAY,
        });
        browser.frame_post(path, &stray).await;
        host.post(path, &stray).await;
        let strange = host.showing(vec![format!("Bearer {STRAY}")]);
        strange.post(path, &stray).await;
        let json = [("content-type", "application/json")];
        let broken = format!("{{\"ticket\": \"{STRAY}\", \"grant\": ");
        host.send(path, &json, broken).await;
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let logout_token = format!("logout_token={STRAY}.{STRAY}.{STRAY}");
        strange.send(path, &form, logout_token).await;
    }
}

/// The provider ends a session; then the store fails and panics under somebody's requests.
async fn ended_from_outside(world: &World, canaries: &mut Canaries) {
    let someone = backchannel::signed_in(world, "grace").await;
    let token = backchannel::signed(world, &backchannel::good_claims(world, "jti-of-a-canary"));
    canaries.add("logout token", token.clone());
    canaries.add("grant", someone.grant());
    assert_eq!(backchannel::deliver(world, &token).await.status, 200);
    backchannel::deliver(world, &token).await;
    let ended = someone.host.session(someone.grant()).await;
    ended.assert(401, "session_ended");
}

/// Every store call refused, then panicking, while somebody uses all they have.
async fn troubled(world: &World, canaries: &mut Canaries) {
    let store = StoreFaults::default();
    let world = world.behind(|behind| store.before(behind));
    let someone = world.signed_in("ada").await;
    for name in ["ticket", "sign_out_key"] {
        let name_here = if name == "ticket" {
            name
        } else {
            "sign-out key"
        };
        canaries.add(name_here, someone.frame[name].as_str().unwrap());
    }
    canaries.add("grant", someone.grant());
    canaries.add("host verifier", someone.host.verifier.clone());
    for (_, value) in someone.browser.all_cookies() {
        canaries.add("session cookie", value);
    }
    let authorize = someone.browser.begin_page().await;
    let callback = someone.browser.authenticate(&authorize, "ada").await;
    canaries.add("code", parameter(&callback, "code"));
    canaries.add("state", parameter(&callback, "state"));
    let refuse: fn(&StoreFaults, &'static str) = |store, operation| store.refuse(operation);
    let panic: fn(&StoreFaults, &'static str) = |store, operation| store.panic(operation);
    for trouble in [refuse, panic] {
        for operation in [
            "find",
            "load_session",
            "take_handle",
            "peek_handle",
            "put_handle",
        ] {
            trouble(&store, operation);
        }
        let answers = [
            someone.browser.page_get("/api/auth/me").await,
            someone.browser.ticket(&someone.host).await,
            someone.browser.arrive(&callback).await,
            someone
                .host
                .redeem(someone.frame["ticket"].as_str().unwrap())
                .await,
            someone.host.token(someone.grant()).await,
        ];
        let failed = answers
            .iter()
            .filter(|answer| answer.status.is_server_error());
        assert!(failed.count() >= 4, "in trouble");
        store.heal();
    }
}

/// Above the limit: the request that is refused has a code in it.
async fn limited(world: &World, canaries: &mut Canaries) {
    let world = world.restarted(&[("RATE_LIMIT_PER_MINUTE", "1")]);
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    canaries.add("code", parameter(&callback, "code"));
    canaries.add("state", parameter(&callback, "state"));
    world.browser().arrive(&callback).await;
    let answer = browser.arrive(&callback).await;
    answer.assert_page(429, "rate_limited");
}

#[tokio::test]
async fn no_secret_is_in_the_log_or_in_an_answer_but_where_it_belongs() {
    let log = CapturedLog::start();
    let directory = tempfile::tempdir().unwrap();
    let audit = directory.path().join("audit.log");
    let settings = [
        ("LOGOUT_ID_TOKEN_HINT", "true"),
        ("AUDIT_LOG", audit.to_str().unwrap()),
    ];
    let world = World::with(&settings).await;
    let mut canaries = Canaries::of(&world);
    every_flow(&world, &mut canaries, 80_000).await;
    // The pause before keys are fetched again.
    failing_logins(&world, &mut canaries, 60).await;
    misplaced_secrets(&world, &mut canaries).await;
    ended_from_outside(&world, &mut canaries).await;
    troubled(&world, &mut canaries).await;
    limited(&world, &mut canaries).await;
    let log = log.text();
    assert!(log.contains("a person signed in"), "the log is caught");
    assert!(log.lines().count() > 100, "at every level");
    canaries.assert_none_in(&log, "the log", &[]);
    // Where a JWT begins; the exchanges' own are looked at one by one.
    assert!(!log.contains("eyJ"), "{log}");
    let metrics = world.browser().page_get("/metrics").await.body;
    assert!(
        metrics.contains("component_auth0_logins_failed"),
        "{metrics}"
    );
    canaries.assert_none_in(&metrics, "the metrics", &[]);
    let reported = async || {
        let lines = std::fs::read_to_string(&audit).unwrap_or_default();
        lines.contains("\"logout\"") && lines.contains("\"host_credential_refused\"")
    };
    eventually(reported).await;
    let audit = std::fs::read_to_string(&audit).unwrap();
    canaries.assert_none_in(&audit, "the audit log", &[]);
    assert!(!audit.contains("eyJ"), "{audit}");
    for exchange in world.exchanges.lock().unwrap().iter() {
        assert_exchange(&canaries, exchange);
    }
}

/// Each secret goes to whom it is for, and in the place that is for it.
#[track_caller]
fn assert_exchange(canaries: &Canaries, exchange: &Exchange) {
    let answer = &exchange.answer;
    let place = format!("the answer of {}", exchange.path.split('?').next().unwrap());
    let (body, location) = if exchange.to_browser {
        assert!(!answer.body.contains("eyJ"), "a JWT in {place}");
        // The first two are for the frame, state and nonce for the provider.
        (
            vec!["ticket", "sign-out key"],
            vec!["state", "nonce", "ID token"],
        )
    } else {
        (vec!["access token", "grant"], vec![])
    };
    canaries.assert_none_in(&answer.body, &place, &body);
    canaries.assert_none_in(answer.header("location"), &place, &location);
    for (name, value) in &answer.headers {
        if !["location", "set-cookie"].contains(&name.as_str()) {
            let value = value.to_str().unwrap();
            canaries.assert_none_in(value, &format!("{name} of {place}"), &[]);
        }
    }
    for cookie in answer.set_cookies() {
        let own = ["session cookie", "transaction cookie"];
        canaries.assert_none_in(cookie.value(), &format!("a cookie of {place}"), &own);
    }
}
