//! Cookies in every wrong form (E50), and how large the honest ones are (E53). Ours are never
//! in pieces: what a session holds is in the store.

use axum::body::Body;
use http::{HeaderValue, Request, header};
use serde_json::{Map, json};
use tower::ServiceExt as _;

use crate::harness::{Answer, Browser, World};

const SESSION: &str = "component-auth0";

/// A navigation with this `Cookie` header, byte for byte.
async fn get(world: &World, path: &str, cookies: &[u8]) -> Answer {
    let request = Request::get(path)
        .header(header::HOST, "localhost:3001")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document")
        .header(header::COOKIE, HeaderValue::from_bytes(cookies).unwrap())
        .body(Body::empty())
        .unwrap();
    Answer::read(world.app.clone().oneshot(request).await.unwrap()).await
}

/// Every form of a cookie that must not be taken for it.
fn spoilt(name: &str, value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let flipped = if value.starts_with('A') { "B" } else { "A" };
    let of = |spoilt: &str| format!("{name}={spoilt}").into_bytes();
    let half = value.len() / 2;
    let (front, back) = value.split_at(half);
    vec![
        ("no cookie", b"x=y".to_vec()),
        ("truncated by one", of(&value[..value.len() - 1])),
        ("truncated to half", of(front)),
        ("longer by one", of(&format!("{value}A"))),
        ("one byte flipped", of(&format!("{flipped}{}", &value[1..]))),
        ("upper case", of(&value.to_uppercase())),
        ("no base64url", of(&format!("!{}", &value[1..]))),
        ("base64 with padding", of(&format!("{}=", &value[1..]))),
        ("percent-encoded", of(&format!("%41{}", &value[1..]))),
        ("quoted", of(&format!("\"{}\"", &value[2..]))),
        ("empty", of("")),
        ("100 KB", of(&"x".repeat(100_000))),
        ("non-ASCII", of(&format!("\u{e9}{}", &value[1..]))),
        ("no UTF-8", [of(&value[1..]), vec![0xff, 0xfe]].concat()),
        ("another name", format!("{name}x={value}").into_bytes()),
        ("no name", format!("={value}").into_bytes()),
        ("name only", name.as_bytes().to_vec()),
        // Others cut their cookies into chunks: with us a chunk is a stranger's cookie.
        (
            "chunks",
            format!("{name}.0={front}; {name}.1={back}").into_bytes(),
        ),
        (
            "chunks the wrong way round",
            format!("{name}.1={back}; {name}.0={front}").into_bytes(),
        ),
        (
            "a chunk missing",
            format!("{name}.0={front}; {name}.2={back}").into_bytes(),
        ),
        (
            "a count of chunks",
            format!("{name}=99999999; {name}.0={value}").into_bytes(),
        ),
        ("spliced", of(&format!("{front}{front}"))),
    ]
}

/// Forms in which the honest cookie is there all the same.
fn accompanied(name: &str, value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let own = format!("{name}={value}");
    vec![
        ("alone", own.clone().into_bytes()),
        ("behind a twin", format!("{name}=AAAA; {own}").into_bytes()),
        ("before a twin", format!("{own}; {name}=AAAA").into_bytes()),
        (
            "behind an empty twin",
            format!("{name}=; {own}").into_bytes(),
        ),
        (
            "beside chunks",
            format!("{name}.0=AAAA; {own}; {name}.1=BBBB").into_bytes(),
        ),
        (
            "beside sixty others",
            format!("{}{own}", "other=value; ".repeat(60)).into_bytes(),
        ),
        ("beside nonsense", format!("; ;;=; {own} ;").into_bytes()),
        // Any app of the same host may set such a one; our people are not signed out by it.
        (
            "beside one in UTF-8",
            format!("theme=dunkelgr\u{fc}n; {own}").into_bytes(),
        ),
        (
            "beside no UTF-8",
            [b"x=\xff\xfe; ", own.as_bytes()].concat(),
        ),
    ]
}

// E50
#[tokio::test]
async fn a_session_cookie_is_whole_or_worth_nothing() {
    let world = World::new().await;
    let browser = world.browser();
    browser.page_login("ada").await;
    let value = browser.cookies_of_window(SESSION);
    for (what, cookies) in spoilt(SESSION, &value) {
        let answer = get(&world, "/api/auth/me", &cookies).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body);
        assert!(!answer.sets_session_cookie(), "{what}");
        // No page falls over it either.
        assert_eq!(get(&world, "/", &cookies).await.status, 200, "{what}");
    }
    for (what, cookies) in accompanied(SESSION, &value) {
        let answer = get(&world, "/api/auth/me", &cookies).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        assert!(answer.body.contains("auth0|ada"), "{what}");
    }
}

/// A login up to its callback: its path, and the transaction's name and value.
async fn begun(browser: &Browser) -> (String, String, String) {
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    let name = browser.transactions().remove(0);
    let value = browser.cookies_of_window(&name);
    (
        callback[url::Position::BeforePath..].to_owned(),
        name,
        value,
    )
}

// E50
#[tokio::test]
async fn a_transaction_cookie_is_whole_or_worth_nothing() {
    let world = World::new().await;
    let (path, name, value) = begun(&world.browser()).await;
    for (what, cookies) in spoilt(&name, &value) {
        let answer = get(&world, &path, &cookies).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.body);
        assert!(!answer.sets_session_cookie(), "{what}");
    }
    let sent = |world: &World| {
        let journal = world.tenant.journal();
        journal.token_requests_of("authorization_code")
    };
    assert_eq!(sent(&world), 0);
    let cases = accompanied(&name, &value).len();
    for case in 0..cases {
        let (path, name, value) = begun(&world.browser()).await;
        let (what, cookies) = accompanied(&name, &value).remove(case);
        let answer = get(&world, &path, &cookies).await;
        assert_eq!(
            answer.header("location"),
            "/signed-in",
            "{what}: {}",
            answer.body
        );
        assert_eq!(sent(&world), case as u64 + 1, "{what}");
    }
}

fn header_length(browser: &Browser) -> usize {
    let cookies = browser.all_cookies();
    cookies
        .iter()
        .map(|(name, value)| name.len() + value.len() + 3)
        .sum()
}

// E53: the bounds of others: nginx and many proxies take 8 KB in one header line, browsers
// 4,096 bytes in one cookie.
#[tokio::test]
async fn cookies_stay_below_what_proxies_take_whatever_a_session_holds() {
    let claims = |bytes: usize| {
        let groups: Vec<String> = (0..bytes / 20)
            .map(|n| format!("group-number-{n:0>4}"))
            .collect();
        Map::from_iter([("https://example.org/groups".to_owned(), json!(groups))])
    };
    let mut sizes = Vec::new();
    for bytes in [0, 2_000, 8_000] {
        let world = World::new().await;
        world
            .tenant
            .faults()
            .set(|plan| plan.id_token.claims = claims(bytes));
        let someone = world.signed_in("ada").await;
        let held = someone.redeemed["user"]["claims"].to_string().len();
        assert!(held >= bytes, "{held}");
        let session = header_length(&someone.browser);
        for _ in 0..20 {
            let handoff = crate::harness::Handoff::new(&world);
            someone.browser.begin_popup(&handoff).await;
            world.clock.advance(1);
        }
        let most = header_length(&someone.browser);
        let cookies = someone.browser.all_cookies();
        let largest = cookies.iter().map(|(_, value)| value.len()).max().unwrap();
        sizes.push((session, most, largest));
        println!(
            "claims of {held} B: cookies of a session {session} B, with eight logins under way \
             {most} B, the largest {largest} B"
        );
        assert!(largest < 1024 && most < 8 * 1024);
    }
    assert!(sizes.iter().all(|found| *found == sizes[0]), "{sizes:?}");
}
