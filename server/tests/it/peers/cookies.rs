//! Cookies that others left behind (A33, A46, A47, A48): those of older versions, keys and
//! configurations, of other apps on the same host, and numbers that clients chose.

use std::collections::BTreeSet;
use std::time::Duration;

use cookie::Cookie;
use http::{Method, StatusCode};
use url::Url;

use crate::harness::{Answer, Browser, Call, Host, World};

/// A cookie id that nobody minted, and a sealed value that no key opens.
const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn leftovers() -> Vec<String> {
    let many: Vec<_> = (0..40).map(|n| format!("other{n}=x")).collect();
    let own: Vec<_> = (0..3)
        .map(|n| format!("component-auth0={n:A>43}"))
        .collect();
    vec![
        // The 2022 product's, and those of other libraries.
        format!("appSession=eyJhbGciOiJkaXIi.{UNKNOWN}..{UNKNOWN}"),
        format!("appSession.0={UNKNOWN}; appSession.1={UNKNOWN}; auth_verification={UNKNOWN}"),
        format!("__session={UNKNOWN}; __txn_{UNKNOWN}={UNKNOWN}"),
        format!("RefreshToken={UNKNOWN}; OauthHMAC={UNKNOWN}; OauthExpires=9999999999"),
        // Ours: of an older release, another key, another configuration.
        format!("component-auth0={UNKNOWN}; component-auth0-frame={UNKNOWN}"),
        format!("component-auth0-frame-lax={UNKNOWN}"),
        format!("__Host-component-auth0={UNKNOWN}; __Host-component-auth0-frame={UNKNOWN}"),
        format!("__Host-component-auth0-login-{UNKNOWN}={UNKNOWN}"),
        format!("component-auth0-login-AAAAAAAAAAAA={UNKNOWN}{UNKNOWN}"),
        "component-auth0-login-=; component-auth0-login-x=; component-auth0=".to_owned(),
        "component-auth0=eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.".to_owned(),
        own.join("; "),
        // Of other apps on this host. Browsers send bytes of scripts as they are.
        "name=José; city=Zürich; 名=前".to_owned(),
        "a=\"b; c=\\; d={\"e\":[1]}; =f; g; ;;; h==".to_owned(),
        "_streamlit_xsrf=2|x|y|1; ajs_anonymous_id=%22x%22".to_owned(),
        many.join("; "),
        format!("big={}", "x".repeat(3_000)),
    ]
}

async fn with(browser: &Browser, path: &str, leftover: &str) -> Answer {
    let call = Call::navigation(path, "none").header("cookie", leftover);
    browser.send(call).await
}

fn path_of(url: &Url) -> String {
    url[url::Position::BeforePath..].to_owned()
}

#[tokio::test]
async fn a_login_works_whatever_cookies_were_left_behind() {
    let world = World::new().await;
    for leftover in leftovers() {
        let browser = world.browser();
        let launcher = with(&browser, "/", &leftover).await;
        assert_eq!(launcher.status, StatusCode::OK, "{leftover}");
        let me = with(&browser, "/api/auth/me", &leftover).await;
        assert_eq!(me.status, StatusCode::UNAUTHORIZED, "{leftover}");
        let begun = with(&browser, "/api/auth/login", &leftover).await;
        let callback = browser.authenticate(&begun.location(), "ada").await;
        let answer = with(&browser, &path_of(&callback), &leftover).await;
        assert_eq!(
            answer.header("location"),
            "/signed-in",
            "{leftover}: {}",
            answer.body
        );
        let me = with(&browser, "/api/auth/me", &leftover).await.ok();
        assert_eq!(me["user"]["sub"], "auth0|ada", "{leftover}");
    }
}

#[tokio::test]
async fn a_frame_works_whatever_cookies_were_left_behind() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    for leftover in leftovers() {
        let body = serde_json::json!({
            "challenge": someone.host.challenge(),
            "host_origin": someone.host.origin,
        });
        let call = someone.browser.frame_call("/api/auth/ticket", &body);
        let answer = someone.browser.send(call.header("cookie", &leftover)).await;
        assert!(answer.ok()["ticket"].is_string(), "{leftover}");
    }
}

/// A redirect that our own answer makes follow on a failure would be a loop.
#[tokio::test]
async fn stale_cookies_lead_to_a_page_and_never_round_in_a_circle() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let callback = {
        let authorize = someone.browser.begin_page().await;
        someone.browser.authenticate(&authorize, "ada").await
    };
    // After a change of keys all that it has is stale.
    let other = world.restarted(&[("AUTH0_SECRET", "quite-another-session-secret-of-32-bytes")]);
    let browser = someone.browser.before(&other);
    for path in [
        "/",
        "/signed-in",
        "/api/auth/me",
        "/api/pong",
        &path_of(&callback),
    ] {
        for _ in 0..3 {
            let answer = browser.follow_foreign(path).await;
            assert!(!answer.status.is_redirection(), "{path}: {}", answer.status);
            assert!(!answer.headers.contains_key("refresh"), "{path}");
            assert!(!answer.body.contains("http-equiv"), "{path}");
        }
    }
    let answer = browser.page_login("ada").await;
    assert_eq!(
        answer.header("location"),
        "/signed-in",
        "the next login works"
    );
    browser.open("/api/auth/me").await.ok();
}

/// A number in a cookie is a number of the client's: we read none (A33, A48).
#[tokio::test]
async fn numbers_in_cookies_cost_nothing_and_mean_nothing() {
    let world = World::new().await;
    let browser = world.browser();
    let before = processor_time();
    for number in [
        "99999999",
        "-1",
        "1e9",
        "NaN",
        "0",
        "9999999999999999999999",
        "0x7fffffff",
    ] {
        for name in [
            "component-auth0_chunks",
            "session_chunks",
            "mod_auth_openidc_session_chunks",
            "component-auth0.",
            "component-auth0",
            "component-auth0-login-",
        ] {
            let cookies = format!(
                "{name}={number}; {name}{number}=chunks-{number}; component-auth0=chunks-{number}"
            );
            let me = with(&browser, "/api/auth/me", &cookies).await;
            assert_eq!(me.status, StatusCode::UNAUTHORIZED, "{cookies}");
            let callback = with(&browser, "/api/auth/callback?code=c&state=s", &cookies).await;
            assert_eq!(callback.status, StatusCode::BAD_REQUEST, "{cookies}");
        }
    }
    // Some 80 requests; any loop over such a number would take longer by far.
    let spent = processor_time().saturating_sub(before);
    assert!(spent < Duration::from_secs(20), "{spent:?}");
}

/// What this thread, on which the companion runs too, has used up; not what it waited for
/// on a busy machine.
fn processor_time() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let running = times.split_whitespace().next().unwrap();
    Duration::from_nanos(running.parse().unwrap())
}

/// Name and attributes, without value and lifetime.
fn marked(answer: &Answer) -> BTreeSet<String> {
    let cookies = answer.set_cookies().into_iter();
    let cookies = cookies.filter(|cookie| !cookie.name().contains("-login-"));
    cookies
        .map(|mut cookie: Cookie<'static>| {
            cookie.set_value("");
            cookie.unset_expires();
            cookie.set_max_age(None);
            cookie.to_string()
        })
        .collect()
}

// A46: a cookie that is cleared with other attributes, or under another name, stays.
#[tokio::test]
async fn a_logout_clears_each_cookie_with_the_attributes_that_it_was_set_with() {
    for base in ["http://localhost:3001", "https://localhost:3001"] {
        let world = World::with(&[("AUTH0_BASE_URL", base)]).await;
        let (browser, host) = (world.browser(), Host::new(&world));
        let handoff = crate::harness::Handoff::new(&world);
        let of_page = marked(&browser.popup_login(&handoff, "ada").await);
        let of_frame = marked(&browser.claim(&handoff, &host).await);
        assert!(!of_page.is_empty() && !of_frame.is_empty());
        let frame_out = browser
            .frame_post("/api/auth/logout", &serde_json::json!({}))
            .await;
        assert_eq!(marked(&frame_out), of_frame, "{base}");
        let browser = world.browser();
        assert_eq!(marked(&browser.page_login("ada").await), of_page, "{base}");
        let page_out = browser.submit("/api/auth/logout", &[]).await;
        assert_eq!(marked(&page_out), of_page, "{base}");
        for answer in [frame_out, page_out] {
            let cleared = answer.set_cookies();
            let cleared = cleared.iter().all(|cookie| cookie.value().is_empty());
            assert!(cleared, "{base}");
        }
    }
}

// A46, CVE-2023-35941: what was sealed for one field cannot be read as another.
#[tokio::test]
async fn the_sealed_cookie_of_a_login_is_no_session_and_no_other_login() {
    let world = World::new().await;
    let browser = world.browser();
    browser.begin_page().await;
    let sealed = browser.cookies_of_window("-login-");
    let names = [
        "component-auth0",
        "component-auth0-frame",
        "component-auth0-login-AAAAAAAAAAAA",
    ];
    for name in names {
        let call =
            Call::new(Method::GET, "/api/auth/me").header("cookie", format!("{name}={sealed}"));
        world
            .browser()
            .send(call)
            .await
            .assert(401, "not_authenticated");
    }
}
