//! The audit log: one line for each event, with what identifies it and nothing secret.

use std::path::PathBuf;

use dev_tenant::APP_CLIENT_ID;
use serde_json::{Value, json};

use crate::backchannel::{deliver, good_claims, signed, signed_in};
use crate::harness::World;

/// A companion whose audit log is a file.
struct Audited {
    world: World,
    path: PathBuf,
}

impl Audited {
    async fn world() -> Self {
        Self::with(&[]).await
    }

    async fn with(changes: &[(&str, &str)]) -> Self {
        let world = World::new().await;
        let path = world.directory.path().join("audit.log");
        let log = [("AUDIT_LOG", path.to_str().unwrap())];
        let world = world.restarted(&[log.as_slice(), changes].concat());
        Self { world, path }
    }

    /// All lines so far.
    async fn lines(&self) -> Vec<Value> {
        self.world.state.audit().flush().await;
        let text = std::fs::read_to_string(&self.path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect()
    }

    /// The lines of one event.
    async fn of(&self, event: &str) -> Vec<Value> {
        let mut lines = self.lines().await;
        lines.retain(|line| line["event"] == event);
        lines
    }
}

#[track_caller]
fn only(mut lines: Vec<Value>) -> Value {
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines.remove(0)
}

fn keys(line: &Value) -> Vec<&str> {
    line.as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn a_login_is_reported_with_who_when_and_in_which_request() {
    let audited = Audited::world().await;
    let world = &audited.world;
    let browser = world.browser();
    let answer = browser.page_login("ada").await;
    let line = only(audited.lines().await);
    assert_eq!(line["event"], "login");
    assert_eq!(line["request_id"], answer.header("x-request-id"));
    assert_eq!(line["client"], "127.0.0.1");
    assert_eq!(line["issuer"], world.tenant.issuer());
    assert_eq!(line["subject"], "auth0|ada");
    assert_eq!(line["session"].as_str().unwrap().len(), 16);
    assert_eq!(line["time"], rfc3339(world.clock.seconds()));
    let expected = [
        "client",
        "event",
        "issuer",
        "request_id",
        "session",
        "subject",
        "time",
    ];
    assert_eq!(keys(&line), expected);
}

fn rfc3339(seconds: i64) -> String {
    use time::format_description::well_known::Rfc3339;
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    time.format(&Rfc3339).unwrap()
}

#[tokio::test]
async fn a_login_that_fails_is_reported_with_the_reason_and_without_a_person() {
    let audited = Audited::world().await;
    let faults = audited.world.tenant.faults();
    faults.set(|plan| plan.authorize.error = Some("access_denied".into()));
    let answer = audited.world.browser().page_login("ada").await;
    let line = only(audited.of("login_failed").await);
    assert_eq!(line["reason"], "refused");
    assert_eq!(line["request_id"], answer.header("x-request-id"));
    assert_eq!(
        keys(&line),
        ["client", "event", "reason", "request_id", "time"]
    );
    // The page that the person sees names the same request.
    assert!(
        answer.body.contains(answer.header("x-request-id")),
        "{}",
        answer.body
    );
    faults.reset();
    let stray = audited
        .world
        .browser()
        .open("/api/auth/callback?code=x&state=y")
        .await;
    let lines = audited.of("login_failed").await;
    assert_eq!(lines[1]["reason"], "invalid_transaction");
    assert_eq!(lines[1]["request_id"], stray.header("x-request-id"));
}

#[tokio::test]
async fn each_end_of_a_session_is_reported_with_who_ended_it() {
    let audited = Audited::world().await;
    let world = &audited.world;
    let by_person = world.signed_in("ada").await;
    by_person.browser.submit("/api/auth/logout", &[]).await;
    let by_host = world.signed_in("ada").await;
    by_host.host.revoke(by_host.grant()).await;
    // Nobody ends what has ended.
    by_host.host.revoke(by_host.grant()).await;
    let by_provider = signed_in(world, "ada").await;
    let token = signed(world, &good_claims(world, "jti"));
    assert_eq!(deliver(world, &token).await.status, 200);
    let replaced = world.browser();
    replaced.page_login("ada").await;
    replaced.provider.forget();
    replaced.page_login("grace").await;
    let lines = audited.of("logout").await;
    let ends: Vec<_> = lines
        .iter()
        .map(|line| line["by"].as_str().unwrap())
        .collect();
    assert_eq!(ends, ["person", "host", "provider", "replaced"]);
    let references = [&by_person, &by_host, &by_provider].map(|someone| &someone.redeemed["ref"]);
    assert_eq!([0, 1, 2].map(|end| &lines[end]["session"]), references);
    assert!(lines.iter().all(|line| line["subject"] == "auth0|ada"));
}

#[tokio::test]
async fn a_refusal_of_a_rotated_refresh_token_is_reported_as_possible_reuse() {
    let audited = Audited::world().await;
    let world = &audited.world;
    let someone = world.signed_in("ada").await;
    let wish = json!({ "grant": someone.grant(), "scope": "openid" });
    someone.host.token_with(wish).await.ok();
    assert!(audited.of("refresh_failed").await.is_empty());
    world.clock.advance(86_200);
    world.tenant.revoke_refresh_tokens_of("ada");
    let answer = someone
        .host
        .token_with(json!({ "grant": someone.grant(), "min_ttl": 300 }));
    let answer = answer.await;
    answer.assert(401, "session_ended");
    let lines = audited.lines().await;
    let events: Vec<_> = lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        events,
        ["login", "refresh_failed", "refresh_reuse", "logout"]
    );
    assert_eq!(lines[1]["outcome"], "refused");
    assert_eq!(lines[3]["by"], "refresh");
    // Though the refresh ran on a task of its own.
    let request = answer.headers["x-request-id"].to_str().unwrap();
    assert!(
        lines[1..].iter().all(|line| line["request_id"] == request),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .all(|line| line["session"] == someone.redeemed["ref"])
    );
}

#[tokio::test]
async fn what_no_honest_caller_does_is_reported() {
    let audited = Audited::world().await;
    let world = &audited.world;
    let browser = world.browser();
    let host = crate::harness::Host::new(world);
    let frame = browser.sign_in_frame(world, &host, "ada").await;
    let ticket = frame["ticket"].as_str().unwrap();
    host.showing(vec!["Bearer wrong".into()])
        .redeem(ticket)
        .await;
    host.knowing(&world.random_256()).redeem(ticket).await;
    let redeemed = host.redeem(ticket).await.ok();
    host.redeem(ticket).await;
    let mut claims = good_claims(world, "jti");
    claims["aud"] = json!([APP_CLIENT_ID, "somebody else"]);
    claims["nonce"] = json!("that must not be here");
    assert_eq!(deliver(world, &signed(world, &claims)).await.status, 400);
    only(audited.of("host_credential_refused").await);
    assert_eq!(audited.of("redeem_refused").await.len(), 2);
    let reuse = only(audited.of("ticket_reuse").await);
    assert_eq!(reuse["session"], redeemed["ref"]);
    only(audited.of("logout_token_refused").await);
}

#[tokio::test]
async fn the_client_is_the_one_that_our_own_proxies_name() {
    let audited = Audited::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let call = crate::harness::Call::navigation("/api/auth/callback?code=x&state=y", "none")
        .header("x-forwarded-for", "203.0.113.7, \"}\n{\"event\":\"login\"")
        .header("x-request-id", "of-the-client");
    // Header values hold no line breaks; what is no address ends the list.
    let call = call.replace("x-forwarded-for", "not-an-address, 203.0.113.7");
    audited.world.browser().send(call).await;
    let line = only(audited.lines().await);
    assert_eq!(line["client"], "203.0.113.7");
    assert_ne!(line["request_id"], "of-the-client");
}

#[tokio::test]
async fn a_subject_of_any_form_stays_within_its_line() {
    let audited = Audited::world().await;
    let subject = "a\"}\n{\"event\":\"login\",\"subject\":\"root\u{202e}";
    let claims = serde_json::Map::from_iter([("sub".to_owned(), json!(subject))]);
    audited
        .world
        .tenant
        .faults()
        .set(|plan| plan.id_token.claims = claims);
    let answer = audited.world.browser().page_login("ada").await;
    let line = only(audited.lines().await);
    if answer.sets_session_cookie() {
        assert_eq!(line["subject"], subject);
    } else {
        assert_eq!(line["event"], "login_failed");
    }
}

// E61: the disk is full.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_audit_log_that_cannot_be_written_holds_nobody_up_and_is_counted() {
    let audited = Audited::with(&[("AUDIT_LOG", "/dev/full")]).await;
    let world = &audited.world;
    let someone = world.signed_in("ada").await;
    someone.host.session(someone.grant()).await.ok();
    someone.browser.submit("/api/auth/logout", &[]).await;
    world.state.audit().flush().await;
    assert_eq!(world.count("audit_lines_dropped_total"), 2);
    assert_eq!(world.count("logins_finished_total"), 1);
}

#[tokio::test]
async fn who_needs_no_credential_cannot_fill_the_disk() {
    let audited = Audited::with(&[("RATE_LIMIT_PER_MINUTE", "off")]).await;
    let browser = audited.world.browser();
    for _ in 0..100 {
        browser.open("/api/auth/callback?code=x&state=y").await;
    }
    assert_eq!(audited.lines().await.len(), 60);
    let series = "logins_failed_total{reason=\"invalid_transaction\"}";
    assert_eq!(audited.world.count(series), 100);
    audited.world.clock.advance(60);
    browser.open("/api/auth/callback?code=x&state=y").await;
    assert_eq!(audited.lines().await[60]["suppressed"], 40);
}

// G10: a visitor's forged events make the host redeem, with the host's own credential.
#[tokio::test]
async fn forged_tickets_cannot_fill_the_disk() {
    let audited = Audited::with(&[("RATE_LIMIT_PER_MINUTE", "off")]).await;
    let world = &audited.world;
    let host = crate::harness::Host::new(world);
    for _ in 0..100 {
        host.redeem(&world.random_256()).await;
    }
    assert_eq!(audited.of("redeem_refused").await.len(), 60);
    // Whoever is signed in is reported all the same.
    world.signed_in("ada").await;
    assert_eq!(audited.of("login").await.len(), 1);
}
