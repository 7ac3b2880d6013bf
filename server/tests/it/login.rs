//! `/api/auth/login`: what begins a login, what may go along, and what may not begin one.

use std::fmt::Write as _;

use http::{Method, StatusCode};
use url::Url;

use crate::harness::{Browser, Call, Handoff, World};

/// The authorization request with what is random, and the port, blanked.
fn redacted(url: &Url) -> String {
    let mut shown = format!("{}\n", url.path());
    for (name, value) in url.query_pairs() {
        let random = ["state", "nonce", "code_challenge"].contains(&name.as_ref());
        let value = if random {
            assert_eq!(value.len(), 43, "256 bits in base64url: {name}");
            "…".into()
        } else {
            value
        };
        writeln!(shown, "{name}={value}").unwrap();
    }
    shown
}

fn parameter(url: &Url, wanted: &str) -> Option<String> {
    url.query_pairs()
        .find(|(name, _)| name == wanted)
        .map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn the_authorization_request_is_as_specified() {
    let world = World::new().await;
    let url = world.browser().begin_page().await;
    assert_eq!(
        url.origin(),
        Url::parse(world.tenant.issuer()).unwrap().origin()
    );
    insta::assert_snapshot!(redacted(&url), @r"
    /authorize
    response_type=code
    client_id=dev-OEStreamlitApp
    state=…
    code_challenge=…
    code_challenge_method=S256
    redirect_uri=http://localhost:3001/api/auth/callback
    scope=openid profile email offline_access read:messages read:chart read:export write:import write:solve
    nonce=…
    audience=http://oe.streamlit.app/api
    ");
}

#[tokio::test]
async fn no_two_logins_share_a_value() {
    let world = World::new().await;
    let browser = world.browser();
    let (first, second) = (browser.begin_page().await, browser.begin_page().await);
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(parameter(&first, name), parameter(&second, name), "{name}");
    }
}

#[tokio::test]
async fn a_login_sets_one_short_lived_sealed_cookie_and_nothing_else() {
    let world = World::new().await;
    let answer = world.browser().open("/api/auth/login?returnTo=/").await;
    let lines = answer.set_cookie_lines();
    assert_eq!(lines.len(), 1);
    let (name, attributes) = lines[0].split_once("=…").unwrap();
    assert!(name.starts_with("component-auth0-login-"));
    assert_eq!(attributes, "; HttpOnly; SameSite=Lax; Path=/; Max-Age=600");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_transaction_cookie_stays_below_one_kilobyte_with_everything_in_it() {
    let options = "login_hint,max_age,acr_values";
    let world = World::with(&[("LOGIN_OPTIONS", options)]).await;
    let handoff = Handoff::new(&world);
    let place = format!("/{}", "p".repeat(255));
    let fields = [
        ("handoff_challenge", handoff.challenge()),
        ("returnTo", place),
        ("max_age", "3600".into()),
        ("acr_values", "urn:mace:incommon:iap:silver".into()),
    ];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let answer = world.browser().submit("/api/auth/login", &fields).await;
    let cookies = answer.set_cookies();
    let size = cookies[0].name().len() + cookies[0].value().len();
    assert!(size <= 1024, "{size} bytes");
}

// A07: only named options reach the provider.
#[tokio::test]
async fn only_allowed_login_options_reach_the_provider() {
    let world = World::new().await;
    let hostile = "/api/auth/login?redirect_uri=https://evil.test&scope=all&client_id=evil\
        &response_type=token&response_mode=fragment&request=eyJ&request_uri=urn:x&audience=evil\
        &state=x&nonce=x&code_challenge=x&connection=evil&max_age=1&claims=x&id_token_hint=x\
        &prompt=login&login_hint=ada%40example.com&screen_hint=signup&ui_locales=de";
    let url = world.browser().open(hostile).await.location();
    let honest = world.browser().begin_page().await;
    let added: Vec<_> = url
        .query_pairs()
        .filter(|(name, value)| {
            let own = parameter(&honest, name);
            own.is_none_or(|own| own != *value && own.len() != 43)
        })
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        added,
        [
            "login_hint=ada@example.com",
            "screen_hint=signup",
            "prompt=login",
            "ui_locales=de"
        ]
    );
    assert_eq!(parameter(&url, "state").unwrap().len(), 43);
}

#[tokio::test]
async fn an_option_that_is_doubled_empty_huge_or_has_line_ends_is_left_out() {
    let world = World::new().await;
    for query in [
        "prompt=login&prompt=none",
        "prompt=",
        &format!("login_hint={}", "x".repeat(257)),
        "login_hint=a%0d%0aSet-Cookie:%20x=1",
    ] {
        let url = world
            .browser()
            .open(&format!("/api/auth/login?{query}"))
            .await
            .location();
        for name in ["prompt", "login_hint"] {
            assert_eq!(parameter(&url, name), None, "{query}");
        }
    }
}

// A06, A09, A21: each of these has led some product's users elsewhere.
#[tokio::test]
async fn a_login_ends_at_local_paths_and_known_apps_only() {
    let world = World::new().await;
    for (wanted, ends_at) in [
        ("/", "/"),
        ("/signed-out?x=1", "/signed-out?x=1"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
        ("http://127.0.0.1:4010/", "http://127.0.0.1:4010/"),
        ("https://portal.example.org", "/signed-in"),
        ("http://127.0.0.1:4011", "/signed-in"),
        ("http://127.0.0.1:4010@evil.test", "/signed-in"),
        ("http://127.0.0.1:4010.evil.test", "/signed-in"),
        ("https://evil.test", "/signed-in"),
        ("//evil.test", "/signed-in"),
        ("///evil.test", "/signed-in"),
        ("/\\evil.test", "/signed-in"),
        ("/%5cevil.test", "/signed-in"),
        ("/%2f/evil.test", "/signed-in"),
        ("/\t/evil.test", "/signed-in"),
        ("//evil.test/%2e%2e", "/signed-in"),
        ("/a\r\nSet-Cookie: x=1", "/signed-in"),
        ("javascript:alert(1)", "/signed-in"),
        ("/api/auth/logout", "/signed-in"),
        ("/API/auth/logout", "/signed-in"),
        ("/．．/evil", "/signed-in"),
    ] {
        let browser = world.browser();
        let query = serde_urlencoded::to_string([("returnTo", wanted)]).unwrap();
        let authorize = browser
            .open(&format!("/api/auth/login?{query}"))
            .await
            .location();
        let callback = browser.authenticate(&authorize, "ada").await;
        let answer = browser.arrive(&callback).await;
        assert_eq!(answer.header("location"), ends_at, "{wanted:?}");
    }
}

#[tokio::test]
async fn a_path_of_more_than_256_bytes_is_ignored() {
    let world = World::new().await;
    let browser = world.browser();
    let path = format!("/api/auth/login?returnTo=/{}", "a".repeat(256));
    let authorize = browser.open(&path).await.location();
    let callback = browser.authenticate(&authorize, "ada").await;
    assert_eq!(
        browser.arrive(&callback).await.header("location"),
        "/signed-in"
    );
}

#[tokio::test]
async fn what_is_no_navigation_of_a_person_begins_nothing() {
    let world = World::new().await;
    let typed = || Call::navigation("/api/auth/login", "none");
    let cases = [
        (
            "a prefetch",
            typed().header("sec-purpose", "prefetch;prerender"),
            204,
        ),
        (
            "an old prefetch",
            typed().header("purpose", "prefetch"),
            204,
        ),
        ("an image", typed().replace("sec-fetch-dest", "image"), 400),
        ("a frame", typed().replace("sec-fetch-dest", "iframe"), 400),
        ("a fetch", typed().replace("sec-fetch-mode", "cors"), 400),
    ];
    for (what, call, status) in cases {
        let answer = world.browser().send(call).await;
        assert_eq!(answer.status, status, "{what}");
        assert!(answer.set_cookies().is_empty(), "{what}");
    }
    let mut head = Call::navigation("/api/auth/login", "none");
    head.method = Method::HEAD;
    let answer = world.browser().send(head).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.set_cookies().is_empty());
    assert_eq!(world.tenant.journal().requests_to("authorize"), 0);
}

// Old browsers and plain http off loopback send no Fetch Metadata.
#[tokio::test]
async fn a_navigation_without_fetch_metadata_begins_a_login() {
    let world = World::new().await;
    let answer = world
        .browser()
        .send(Call::new(Method::GET, "/api/auth/login"))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

// Invariant 3, D26: a form of anybody else.
#[tokio::test]
async fn a_form_from_another_origin_is_refused_and_sets_no_cookie() {
    let world = World::new().await;
    let browser = world.browser();
    let challenge = Handoff::new(&world).challenge();
    let form = || browser.own_form("/api/auth/login", &[("handoff_challenge", &challenge)]);
    let cases = [
        (
            "another site",
            form().replace("origin", "https://evil.test"),
        ),
        (
            "the Streamlit page",
            form().replace("origin", "http://127.0.0.1:4010"),
        ),
        (
            "another port",
            form().replace("origin", "http://localhost:3002"),
        ),
        ("a sandboxed frame", form().replace("origin", "null")),
        ("nobody", form().without("origin")),
        (
            "another site without metadata",
            form()
                .replace("origin", "https://evil.test")
                .without("sec-fetch-site"),
        ),
        (
            "nobody without metadata",
            form().without("origin").without("sec-fetch-site"),
        ),
        ("two origins", form().header("origin", "https://evil.test")),
        (
            "a same-site page",
            form().replace("sec-fetch-site", "same-site"),
        ),
        (
            "a foreign page",
            form().replace("sec-fetch-site", "cross-site"),
        ),
        ("an address bar", form().replace("sec-fetch-site", "none")),
    ];
    for (what, call) in cases {
        let answer = browser.send(call).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
        assert!(answer.body.contains("forbidden_origin"), "{what}");
        assert!(answer.set_cookies().is_empty(), "{what}");
    }
    let honest = browser.send(form().without("sec-fetch-site")).await;
    assert_eq!(
        honest.status,
        StatusCode::SEE_OTHER,
        "plain http sends no metadata"
    );
}

#[tokio::test]
async fn a_malformed_handoff_challenge_is_refused() {
    let world = World::new().await;
    for bad in ["short", &"a".repeat(44), &"=".repeat(43)] {
        let browser = world.browser();
        let answer = browser
            .submit("/api/auth/login", &[("handoff_challenge", bad)])
            .await;
        answer.assert_page(400, "invalid_request");
        assert!(answer.set_cookies().is_empty());
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let world = World::new().await;
    let browser = world.browser();
    let call = browser
        .own_form("/api/auth/login", &[])
        .replace("content-type", "text/plain");
    browser
        .send(call)
        .await
        .assert_page(415, "unsupported_media_type");
}

// A34: abandoned logins neither grow the cookies without end nor spoil the next one.
#[tokio::test]
async fn a_hundred_abandoned_logins_leave_eight_cookies_and_the_next_one_works() {
    let world = World::new().await;
    let browser = world.browser();
    for _ in 0..100 {
        browser.begin_page().await;
        world.clock.advance(1);
        assert!(browser.transactions().len() <= 8);
    }
    assert_eq!(browser.transactions().len(), 8);
    let answer = browser.page_login("ada").await;
    assert_eq!(answer.header("location"), "/signed-in");
    assert_eq!(
        browser.open("/api/auth/me").await.ok()["user"]["sub"],
        "auth0|ada"
    );
}

#[tokio::test]
async fn the_oldest_login_under_way_is_dropped_first() {
    let world = World::new().await;
    let browser = world.browser();
    let mut logins = Vec::new();
    for _ in 0..9 {
        logins.push(browser.begin_page().await);
        world.clock.advance(1);
    }
    let (oldest, second) = (&logins[0], &logins[1]);
    let dropped = browser.authenticate(oldest, "ada").await;
    browser
        .arrive(&dropped)
        .await
        .assert_page(400, "invalid_transaction");
    let kept = browser.authenticate(second, "ada").await;
    assert_eq!(browser.arrive(&kept).await.header("location"), "/signed-in");
}

// E01: the companion runs; the login says so, and works when the provider does.
#[tokio::test]
async fn a_provider_that_is_down_gives_503_with_retry_after_and_recovers() {
    let world = World::new().await;
    let browser = world.browser();
    world.tenant.faults().set(|plan| plan.down = true);
    let answer = browser.open("/api/auth/login").await;
    answer.assert_page(503, "provider_unavailable");
    assert_eq!(answer.header("retry-after"), "5");
    assert!(answer.set_cookies().is_empty());
    world.tenant.faults().reset();
    world.clock.advance(60);
    assert_eq!(
        browser.page_login("ada").await.header("location"),
        "/signed-in"
    );
}

#[tokio::test]
async fn metadata_of_another_issuer_gives_502_and_no_login() {
    let world = World::new().await;
    world
        .tenant
        .faults()
        .set(|plan| plan.discovery.wrong_issuer = true);
    let answer = world.browser().open("/api/auth/login").await;
    answer.assert_page(502, "provider_error");
}

async fn form_post_login(
    world: &World,
    browser: &Browser,
    username: &str,
) -> crate::harness::Answer {
    let handoff = Handoff::new(world);
    let authorize = browser.begin_popup(&handoff).await;
    assert_eq!(
        parameter(&authorize, "response_mode").as_deref(),
        Some("form_post")
    );
    let sent = browser.provider.sign_in(&authorize, username).await;
    browser.arrive_by(sent).await
}

// The provider posts cross-site: a Lax cookie would stay at home.
#[tokio::test]
async fn a_login_by_form_post_works_and_its_transaction_cookie_is_none_and_secure() {
    let world = World::with(&[("AUTH0_RESPONSE_MODE", "form_post")]).await;
    let browser = world.browser();
    let begun = world.browser().open("/api/auth/login").await;
    assert!(
        begun.set_cookie_lines()[0]
            .ends_with("=…; HttpOnly; SameSite=None; Secure; Path=/; Max-Age=600")
    );
    let answer = form_post_login(&world, &browser, "ada").await;
    assert_eq!(answer.header("location"), "/signed-in?close");
    assert_eq!(
        browser.open("/api/auth/me").await.ok()["user"]["sub"],
        "auth0|ada"
    );
}

// B22
#[tokio::test]
async fn a_refusal_by_form_post_shows_an_error_and_makes_no_session() {
    let world = World::with(&[("AUTH0_RESPONSE_MODE", "form_post")]).await;
    let browser = world.browser();
    world
        .tenant
        .faults()
        .set(|plan| plan.authorize.error = Some("login_required".into()));
    let answer = form_post_login(&world, &browser, "ada").await;
    answer.assert_page(409, "login_refused");
    assert!(!answer.sets_session_cookie());
}

// A18: the provider's cross-site post leaves the Lax cookie of the page at home.
#[tokio::test]
async fn a_login_by_form_post_ends_another_persons_session_in_that_browser() {
    let world = World::with(&[("AUTH0_RESPONSE_MODE", "form_post")]).await;
    let of_ada = world.browser();
    form_post_login(&world, &of_ada, "ada").await;
    of_ada.open("/api/auth/me").await.ok();
    // The same cookies of ours, but nobody signed in at the provider.
    let of_linus = world.browser();
    of_linus.jar.copy_from(&of_ada.jar);
    form_post_login(&world, &of_linus, "linus").await;
    let user = of_linus.open("/api/auth/me").await.ok();
    assert_eq!(user["user"]["sub"], "auth0|linus");
    of_ada
        .open("/api/auth/me")
        .await
        .assert_page(401, "not_authenticated");
}
