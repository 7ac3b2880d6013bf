//! Headers that a proxy may set and anybody can send: none of them is a reason to let
//! somebody in, or to lead a login elsewhere (A14, A15, A19, A20).

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, Call, Handoff, Host, World};

/// Each changed an answer of some product, or names a person to the app behind a proxy.
const HEADERS: &[(&str, &str)] = &[
    ("x-forwarded-uri", "/healthz"),
    ("x-forwarded-path", "/healthz"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-host", "evil.test"),
    ("x-forwarded-server", "evil.test"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-protocol", "https"),
    ("x-forwarded-scheme", "https"),
    ("x-forwarded-ssl", "on"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-method", "OPTIONS"),
    ("x-forwarded-for", "127.0.0.1, 10.0.0.1"),
    ("x-original-url", "/healthz"),
    ("x-original-uri", "/healthz"),
    ("x-original-method", "OPTIONS"),
    ("x-original-host", "evil.test"),
    ("x-rewrite-url", "/healthz"),
    ("x-host", "evil.test"),
    ("x-http-method-override", "OPTIONS"),
    ("x-http-method", "OPTIONS"),
    ("x-method-override", "OPTIONS"),
    ("x-real-ip", "127.0.0.1"),
    ("x-client-ip", "127.0.0.1"),
    ("true-client-ip", "127.0.0.1"),
    ("cf-connecting-ip", "127.0.0.1"),
    ("front-end-https", "on"),
    ("x-url-scheme", "https"),
    ("forwarded", "for=127.0.0.1;host=evil.test;proto=https"),
    ("via", "1.1 evil.test"),
    ("x-forwarded-user", "auth0|ada"),
    ("x_forwarded_user", "auth0|ada"),
    ("X-Forwarded_User", "auth0|ada"),
    ("x-forwarded-email", "ada@example.com"),
    ("x-forwarded-preferred-username", "ada"),
    ("x-forwarded-groups", "admin"),
    ("x-forwarded-access-token", "anything"),
    ("x-auth-request-user", "auth0|ada"),
    ("x-auth-request-access-token", "anything"),
    ("x-remote-user", "auth0|ada"),
    ("remote-user", "auth0|ada"),
    ("remote_user", "auth0|ada"),
    ("x-webauth-user", "ada"),
    ("x-user", "auth0|ada"),
    ("x-authenticated-user", "auth0|ada"),
    ("x-ms-client-principal-name", "ada@example.com"),
    ("x-goog-authenticated-user-email", "ada@example.com"),
    ("tailscale-user-login", "ada@example.com"),
    ("user-agent", "kube-probe/1.30"),
    ("user-agent", "GoogleHC/1.0"),
    ("user-agent", "ELB-HealthChecker/2.0"),
    ("user-agent", "Consul Health Check"),
    ("x-component-auth0", "host"),
];

/// What is for somebody only, and a login; by whom nobody is.
fn guarded() -> Vec<(Method, &'static str)> {
    let posts = [
        "/api/auth/ticket",
        "/api/auth/handoff",
        "/api/auth/watch",
        "/api/auth/logout",
        "/api/auth/redeem",
        "/api/auth/token",
        "/api/auth/session",
        "/api/auth/revoke",
        "/api/auth/backchannel-logout",
        "/api/auth/login",
    ];
    let posts = posts.map(|path| (Method::POST, path));
    let gets = [
        "/",
        "/api/auth/me",
        "/api/auth/me?x=/healthz",
        "/api/auth/login",
        "/api/auth/callback?code=c&state=s",
        "/api/pong",
    ];
    let gets = gets.map(|path| (Method::GET, path));
    posts.into_iter().chain(gets).collect()
}

/// All of an answer that a header could have changed.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: StatusCode,
    code: Value,
    /// Where to, with the values that are new in each login left out.
    location: Vec<String>,
    /// What follows the value of each cookie.
    cookies: Vec<String>,
}

impl Seen {
    fn of(answer: &Answer) -> Self {
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        Self {
            status: answer.status,
            code: body["code"].clone(),
            location: location(answer),
            cookies: answer
                .set_cookie_lines()
                .iter()
                .map(|line| line.split_once(';').unwrap().1.to_owned())
                .collect(),
        }
    }
}

fn location(answer: &Answer) -> Vec<String> {
    let fresh = ["state", "nonce", "code_challenge"];
    if answer.header("location").is_empty() {
        return Vec::new();
    }
    let url = answer.location();
    let parameters = url.query_pairs().into_owned();
    let place = url[..url::Position::AfterPath].to_owned();
    let kept = parameters
        .filter(|(name, _)| !fresh.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={value}"));
    std::iter::once(place).chain(kept).collect()
}

/// What a new browser sees: one that kept cookies would see them change.
async fn ask(
    world: &World,
    method: &Method,
    path: &str,
    header: Option<(&'static str, &str)>,
) -> Seen {
    let mut call = Call::new(method.clone(), path)
        .header("sec-fetch-site", "none")
        .header("content-type", "application/json");
    call.body = "{}".into();
    if let Some((name, value)) = header {
        call = call.header(name, value);
    }
    Seen::of(&world.browser().send(call).await)
}

#[tokio::test]
async fn no_header_of_a_proxy_lets_anybody_in_or_leads_a_login_elsewhere() {
    let direct = World::with(&[("REMOTE_API_BASE_URL", "http://127.0.0.1:1")]).await;
    // Believed for the address, and for nothing else.
    let behind = direct.restarted(&[("TRUSTED_PROXIES", "127.0.0.0/8")]);
    for world in [direct, behind] {
        for (method, path) in guarded() {
            let plain = ask(&world, &method, path, None).await;
            let is_open = plain.status.is_success() && path != "/";
            assert!(!is_open, "{method} {path}: {plain:?}");
            for (name, value) in HEADERS {
                let answer = ask(&world, &method, path, Some((name, value))).await;
                assert_eq!(answer, plain, "{method} {path} with {name}: {value}");
            }
        }
    }
}

/// Each post as our own pages and hosts send it, by whom nobody is, and what it is answered.
fn own_posts(world: &World) -> Vec<(Call, u16)> {
    let (browser, host) = (world.browser(), Host::new(world));
    let handoff = Handoff::new(world);
    let challenge = handoff.challenge();
    let of_frame = |path: &str, body: Value| browser.frame_call(path, &body);
    let of_host = |path: &str, body: Value| {
        let mut call = Call::new(Method::POST, path).header("content-type", "application/json");
        call.body = body.to_string();
        call
    };
    let watch = json!({ "ref": world.random_256() });
    let asked = json!({ "challenge": host.challenge(), "host_origin": host.origin });
    let redeemed = json!({
        "ticket": world.random_256(), "verifier": host.verifier, "origin": host.origin,
    });
    let granted = json!({ "grant": world.random_256() });
    let login = browser.own_form("/api/auth/login", &[("handoff_challenge", &challenge)]);
    let logout_token = [("logout_token", "junk")];
    vec![
        (of_frame("/api/auth/ticket", asked), 401),
        (of_frame("/api/auth/watch", watch), 401),
        (
            of_frame(
                "/api/auth/handoff",
                json!({ "verifier": handoff.verifier, "hold": 0 }),
            ),
            202,
        ),
        (of_frame("/api/auth/logout", json!({})), 200),
        (login, 303),
        (browser.own_form("/api/auth/logout", &[]), 303),
        (of_host("/api/auth/redeem", redeemed), 401),
        (of_host("/api/auth/token", granted.clone()), 401),
        (of_host("/api/auth/session", granted.clone()), 401),
        (of_host("/api/auth/revoke", granted), 401),
        (
            Call::form("/api/auth/backchannel-logout", &logout_token),
            400,
        ),
    ]
}

// The check of the origin is passed here: what is behind it must not heed such headers either.
#[tokio::test]
async fn nor_does_one_change_what_our_own_pages_and_hosts_are_told() {
    let changes = [("RATE_LIMIT_PER_MINUTE", "off")];
    let direct = World::with(&changes).await;
    let behind = direct.restarted(&[("TRUSTED_PROXIES", "127.0.0.0/8"), changes[0]]);
    for world in [direct, behind] {
        let mut plain = Vec::new();
        for (call, status) in own_posts(&world) {
            let what = format!("POST {}", call.path);
            let answer = world.browser().send(call).await;
            assert_eq!(answer.status, status, "{what}: {}", answer.body);
            assert_ne!(Seen::of(&answer).code, "forbidden_origin", "{what}");
            plain.push(Seen::of(&answer));
        }
        for (name, value) in HEADERS {
            for ((call, _), plain) in own_posts(&world).into_iter().zip(&plain) {
                let what = format!("POST {} with {name}: {value}", call.path);
                let own = call.headers.iter().any(|(own, _)| own == name);
                let call = if own { call } else { call.header(name, *value) };
                let answer = world.browser().send(call).await;
                assert_eq!(&Seen::of(&answer), plain, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn nor_does_one_turn_somebody_into_somebody_else() {
    let world = World::new().await;
    let linus = world.signed_in("linus").await;
    for (name, value) in HEADERS {
        let call = Call::new(Method::GET, "/api/auth/me").header(name, *value);
        let me = linus.browser.send(call).await.ok();
        assert_eq!(me["user"]["sub"], "auth0|linus", "{name}: {value}");
    }
}

/// Whom the audit log names, for a failed login with this header.
async fn audited(world: &World, name: &'static str, value: &str) -> String {
    let path = world.settings["AUDIT_LOG"].clone();
    let call = Call::navigation("/api/auth/callback?code=c&state=s", "none").header(name, value);
    world.browser().send(call).await;
    world.state.audit().flush().await;
    let lines = std::fs::read_to_string(path).unwrap();
    let line: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    line["client"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_audit_log_names_the_address_that_the_nearest_stranger_has() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("audit.log");
    let world = World::with(&[("AUDIT_LOG", file.to_str().unwrap())]).await;
    let forged = "203.0.113.7";
    let names = [
        "x-forwarded-for",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "forwarded",
    ];
    for name in names {
        assert_eq!(audited(&world, name, forged).await, "127.0.0.1", "{name}");
    }
    let world = world.restarted(&[("TRUSTED_PROXIES", "127.0.0.0/8")]);
    for name in &names[1..] {
        assert_eq!(audited(&world, name, forged).await, "127.0.0.1", "{name}");
    }
    let chain = format!("{forged}, 198.51.100.9");
    let client = audited(&world, "x-forwarded-for", &chain).await;
    assert_eq!(client, "198.51.100.9", "what the proxy appended");
}
