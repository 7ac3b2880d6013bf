//! `/api/auth/ticket` and `/api/auth/redeem`: what a ticket is worth, to whom, and once.

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Answer, Browser, Host, STREAMLIT_ORIGIN, Topology, World};

async fn fresh_ticket(browser: &Browser, host: &Host) -> String {
    let answer = browser.ticket(host).await.ok();
    answer["ticket"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_signed_out_frame_gets_401() {
    let world = World::new().await;
    let answer = world.browser().ticket(&Host::new(&world)).await;
    answer.assert(401, "not_authenticated");
}

#[tokio::test]
async fn a_signed_in_frame_gets_display_data_and_a_ticket_and_nothing_else() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let answer = someone.browser.ticket(&someone.host).await.ok();
    let names: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(names, ["expires_at", "ref", "ticket", "user"]);
    let names: Vec<_> = answer["user"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["email", "name", "picture"]);
    assert_eq!(answer["ref"], someone.frame["ref"]);
    assert_ne!(answer["ticket"], someone.frame["ticket"]);
}

#[tokio::test]
async fn no_ticket_is_minted_for_what_the_host_knows_already() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let ask = async |known: &Value| {
        let body = json!({
            "challenge": someone.host.challenge(),
            "host_origin": STREAMLIT_ORIGIN,
            "known_ref": known,
        });
        someone
            .browser
            .frame_post("/api/auth/ticket", &body)
            .await
            .ok()
    };
    assert_eq!(ask(&someone.frame["ref"]).await["ticket"], json!(null));
    assert!(ask(&json!("another")).await["ticket"].is_string());
    assert!(ask(&json!(null)).await["ticket"].is_string());
}

// G02, invariant 9.
#[tokio::test]
async fn a_page_that_is_no_streamlit_page_gets_no_ticket() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    for origin in [
        "https://portal.example.org",
        "https://evil.test",
        "null",
        "http://127.0.0.1:40100",
    ] {
        let host = someone.host.at(origin);
        someone
            .browser
            .ticket(&host)
            .await
            .assert(403, "unknown_host_origin");
    }
}

#[tokio::test]
async fn tickets_are_for_our_own_frame_only() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let body = json!({ "challenge": someone.host.challenge(), "host_origin": STREAMLIT_ORIGIN });
    let call = || someone.browser.frame_call("/api/auth/ticket", &body);
    for call in [
        call().replace("origin", STREAMLIT_ORIGIN),
        call().replace("origin", "null"),
        call().without("origin"),
        call().replace("sec-fetch-site", "cross-site"),
    ] {
        someone
            .browser
            .send(call)
            .await
            .assert(403, "forbidden_origin");
    }
    let simple = call().replace("content-type", "text/plain");
    someone
        .browser
        .send(simple)
        .await
        .assert(415, "unsupported_media_type");
    let short = json!({ "challenge": "short", "host_origin": STREAMLIT_ORIGIN });
    let answer = someone.browser.frame_post("/api/auth/ticket", &short).await;
    answer.assert(400, "invalid_request");
}

// G03: two cookies never mix two people, even where the frame sees both.
#[tokio::test]
async fn a_frame_is_judged_by_its_own_cookie_and_a_page_by_its_own() {
    let world = World::new().await;
    let browser = Browser::new(&world, Topology::SameSite);
    let host = Host::new(&world);
    browser.page_login("ada").await;
    browser.ticket(&host).await.assert(401, "not_authenticated");
    browser
        .frame_get("/api/auth/me")
        .await
        .assert(401, "not_authenticated");
    browser.provider.forget();
    let other = world.browser();
    let frame = other.sign_in_frame(&world, &host, "grace").await;
    assert_eq!(frame["user"]["name"], "Grace Hopper");
    other.page_get("/api/auth/me").await.ok();
    assert_eq!(
        browser.page_get("/api/auth/me").await.ok()["user"]["sub"],
        "auth0|ada"
    );
}

#[tokio::test]
async fn a_redeemed_ticket_gives_the_verified_person_and_the_access_token() {
    let world = World::new().await;
    let someone = world.signed_in("grace").await;
    let redeemed = &someone.redeemed;
    let user = &redeemed["user"];
    assert_eq!(
        [
            &user["sub"],
            &user["issuer"],
            &user["name"],
            &user["email"],
            &user["email_verified"]
        ],
        [
            &json!("auth0|grace"),
            &json!(world.tenant.issuer()),
            &json!("Grace Hopper"),
            &json!("grace@example.com"),
            &json!(true)
        ]
    );
    assert_eq!(user["claims"]["sub"], "auth0|grace");
    // What the person may not have, the provider left out.
    assert_eq!(
        redeemed["scope"],
        "openid profile email offline_access read:chart"
    );
    assert_eq!(redeemed["permissions"], json!(["read:chart"]));
    assert_eq!(redeemed["roles"], json!(["analyst"]));
    assert_eq!(redeemed["ref"], someone.frame["ref"]);
    let now = world.clock.seconds();
    assert_eq!(redeemed["access_token_expires_at"], now + 86_400);
    assert_eq!(redeemed["session_expires_at"], now + 86_400);
    assert_eq!(
        redeemed["access_token"]
            .as_str()
            .unwrap()
            .split('.')
            .count(),
        3
    );
    assert_eq!(someone.grant().len(), 43);
}

#[tokio::test]
async fn a_host_may_name_several_origins_of_its_own() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let ticket = fresh_ticket(&someone.browser, &someone.host).await;
    let body = json!({
        "ticket": ticket,
        "verifier": someone.host.verifier,
        "origin": ["http://localhost:4010", STREAMLIT_ORIGIN],
    });
    someone.host.post("/api/auth/redeem", &body).await.ok();
}

/// The one answer to every ticket that is not good, whatever is wrong with it.
fn assert_invalid(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
    assert_eq!(
        answer.json(),
        json!({
            "code": "invalid_ticket",
            "message": "The ticket is unknown, spent or expired, or not for this Streamlit session.",
        }),
        "{what}"
    );
}

// D20, D23, G01: a stolen ticket is worth nothing, and stealing it breaks nothing.
#[tokio::test]
async fn a_wrong_verifier_or_origin_is_refused_and_does_not_spend_the_ticket() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let ticket = fresh_ticket(&someone.browser, &someone.host).await;
    let thief = someone.host.knowing(&world.random_256());
    assert_invalid(&thief.redeem(&ticket).await, "another verifier");
    let with_challenge = someone.host.knowing(&someone.host.challenge());
    assert_invalid(
        &with_challenge.redeem(&ticket).await,
        "the challenge itself",
    );
    let huge = someone.host.knowing(&"v".repeat(300));
    assert_invalid(&huge.redeem(&ticket).await, "a huge verifier");
    for origin in [
        "http://localhost:4010",
        "https://evil.test",
        "",
        "http://127.0.0.1:4010/",
    ] {
        let other_app = someone.host.at(origin);
        assert_invalid(&other_app.redeem(&ticket).await, origin);
    }
    someone.host.redeem(&ticket).await.ok();
}

#[tokio::test]
async fn an_unknown_malformed_expired_or_orphaned_ticket_is_refused_alike() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    assert_invalid(&someone.host.redeem(&world.random_256()).await, "unknown");
    assert_invalid(&someone.host.redeem("short").await, "malformed");
    assert_invalid(&someone.host.redeem(&"t".repeat(60_000)).await, "huge");
    // A grant, a verifier and a `ref` are no tickets.
    assert_invalid(&someone.host.redeem(someone.grant()).await, "a grant");
    let late = fresh_ticket(&someone.browser, &someone.host).await;
    world.clock.advance(60);
    assert_invalid(&someone.host.redeem(&late).await, "expired");
    let orphan = fresh_ticket(&someone.browser, &someone.host).await;
    assert_eq!(
        someone.host.revoke(someone.grant()).await.status,
        StatusCode::NO_CONTENT
    );
    assert_invalid(&someone.host.redeem(&orphan).await, "its session has ended");
}

// D21: a ticket that comes twice was stolen from one of the two.
#[tokio::test]
async fn a_second_redeem_fails_and_ends_the_grant_of_the_first() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    someone.host.session(someone.grant()).await.ok();
    let ticket = someone.frame["ticket"].as_str().unwrap();
    let thief = someone.host.knowing(&world.random_256());
    assert_invalid(&thief.redeem(ticket).await, "a thief without the verifier");
    someone.host.session(someone.grant()).await.ok();
    world.clock.advance(3600);
    assert_invalid(&someone.host.redeem(ticket).await, "spent");
    someone
        .host
        .session(someone.grant())
        .await
        .assert(401, "session_ended");
    someone
        .host
        .token(someone.grant())
        .await
        .assert(401, "session_ended");
    // The session itself lives: the frame can mint another ticket.
    let ticket = fresh_ticket(&someone.browser, &someone.host).await;
    someone.host.redeem(&ticket).await.ok();
}

// D21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_redeems_at_once_at_most_one_succeeds() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let ticket = fresh_ticket(&someone.browser, &someone.host).await;
    let mut redeems = JoinSet::new();
    for _ in 0..100 {
        let (host, ticket) = (someone.host.clone(), ticket.clone());
        redeems.spawn(async move { host.redeem(&ticket).await });
    }
    let answers = redeems.join_all().await;
    let (good, bad): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|answer| answer.status == StatusCode::OK);
    assert_eq!(good.len(), 1);
    for answer in bad {
        assert_invalid(answer, "one of the others");
    }
    let grant = good[0].json()["grant"].as_str().unwrap().to_owned();
    someone
        .host
        .session(&grant)
        .await
        .assert(401, "session_ended");
}

#[tokio::test]
async fn every_back_channel_route_refuses_a_host_without_its_credential() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let ticket = fresh_ticket(&someone.browser, &someone.host).await;
    let secret = &someone.host.authorization[0]["Bearer ".len()..];
    let wrong: [(&str, Vec<String>); 8] = [
        ("none", vec![]),
        (
            "another secret",
            vec!["Bearer another-secret-of-the-right-length-0123456789".into()],
        ),
        (
            "a prefix",
            vec![format!("Bearer {}", &secret[..secret.len() - 1])],
        ),
        ("more", vec![format!("Bearer {secret}x")]),
        ("another scheme", vec![format!("Basic {secret}")]),
        ("no scheme", vec![secret.to_owned()]),
        ("empty", vec!["Bearer ".into()]),
        ("two", vec![format!("Bearer {secret}"), "Bearer x".into()]),
    ];
    for (what, authorization) in wrong {
        let stranger = someone.host.showing(authorization);
        for answer in [
            stranger.redeem(&ticket).await,
            stranger.token(someone.grant()).await,
            stranger.session(someone.grant()).await,
            stranger.revoke(someone.grant()).await,
        ] {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
            assert_eq!(answer.code(), "invalid_host_credential", "{what}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    // Nothing was spent, nobody was signed out (G12).
    someone.host.session(someone.grant()).await.ok();
    someone.host.redeem(&ticket).await.ok();
}

// G12
#[tokio::test]
async fn rotating_the_host_credential_signs_nobody_out() {
    let world = World::new().await;
    let someone = world.signed_in("ada").await;
    let old = someone.host.authorization[0]["Bearer ".len()..].to_owned();
    let new = "the-next-credential-of-the-streamlit-hosts";
    let both = world.restarted(&[("STREAMLIT_SECRET", &format!("{new},{old}"))]);
    let with_old = someone.host.before(&both);
    let with_new = with_old.showing(vec![format!("Bearer {new}")]);
    with_old.session(someone.grant()).await.ok();
    with_new.session(someone.grant()).await.ok();
    let only_new = world.restarted(&[("STREAMLIT_SECRET", new)]);
    let answer = with_old.before(&only_new).session(someone.grant()).await;
    answer.assert(401, "invalid_host_credential");
    with_new
        .before(&only_new)
        .session(someone.grant())
        .await
        .ok();
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn bodies_that_are_no_request_are_refused_with_the_right_status() {
    let world = World::new().await;
    let host = Host::new(&world);
    for path in [
        "/api/auth/redeem",
        "/api/auth/token",
        "/api/auth/session",
        "/api/auth/revoke",
    ] {
        for body in [
            "",
            "{",
            "null",
            "[]",
            "7",
            "\"x\"",
            "{}",
            "{\"ticket\":1,\"grant\":1}",
            "\u{feff}{}",
        ] {
            host.send(path, &[JSON], body)
                .await
                .assert(400, "invalid_request");
        }
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        host.send(path, &[JSON], deep)
            .await
            .assert(400, "invalid_request");
        let large = format!("{{\"grant\":\"{}\"}}", "x".repeat(70_000));
        host.send(path, &[JSON], large)
            .await
            .assert(413, "payload_too_large");
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "",
        ] {
            let answer = host.send(path, &[("content-type", kind)], "{}").await;
            answer.assert(415, "unsupported_media_type");
        }
        host.send(path, &[], "{}")
            .await
            .assert(415, "unsupported_media_type");
    }
    let charset = ("content-type", "Application/JSON; charset=utf-8");
    let body = json!({ "grant": world.random_256() }).to_string();
    host.send("/api/auth/session", &[charset], body)
        .await
        .assert(401, "session_ended");
}

// G08: the provider fails in the middle of a redeem; the host tries again.
#[tokio::test]
async fn a_redeem_that_fails_for_the_providers_sake_does_not_spend_the_ticket() {
    let world = World::with_tenant(&[], |mut sheet| {
        sheet.apis[0].token_seconds = 300;
        sheet
    })
    .await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(301);
    let ticket = fresh_ticket(&someone.browser, &someone.host).await;
    world.tenant.faults().set(|plan| plan.down = true);
    someone
        .host
        .redeem(&ticket)
        .await
        .assert(503, "provider_unavailable");
    world.tenant.faults().reset();
    let redeemed = someone.host.redeem(&ticket).await.ok();
    assert_eq!(
        redeemed["access_token_expires_at"],
        world.clock.seconds() + 300
    );
}
