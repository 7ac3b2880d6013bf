//! What the listener must not be talked into (E41, E43, E49).

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Answer, Call, Handoff, Host, Sender, World, claim_body, eventually};
use crate::hostile_clients::Companion;

/// Bytes that have come for a local port of this machine and that nobody has read yet.
fn unread_at(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local_port) = fields[1].split_once(':').unwrap();
        let (_, unread) = fields[4].split_once(':').unwrap();
        // Listening sockets count connections there.
        let is_ours = u16::from_str_radix(local_port, 16) == Ok(port) && fields[3] != "0A";
        is_ours.then(|| usize::from_str_radix(unread, 16).unwrap())
    };
    table.lines().skip(1).filter_map(of_line).sum()
}

// E41: a limit that holds for each read alone would let the sum pass (hyper 4081).
#[tokio::test]
async fn headers_that_come_in_pieces_count_as_a_whole() {
    const HEAD: &str = "GET /api/ping HTTP/1.1\r\nhost: localhost:3001\r\nconnection: close\r\n";
    let world = World::new().await;
    let companion = Companion::start(&world, &[]);
    let port = companion
        .address
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let header = |name: &str, length: usize| format!("{name}: {}\r\n", "x".repeat(length));
    for (pieces, is_served) in [
        ([7_000, 5_000], true),
        ([31_000, 5_000], false),
        ([16_000, 17_000], false),
        ([100, 40_000], false),
    ] {
        let mut stream = companion.connect().await;
        let first = format!("{HEAD}{}", header("a", pieces[0]));
        stream.write_all(first.as_bytes()).await.unwrap();
        eventually(async || unread_at(port) == 0).await;
        let second = format!("{}\r\n", header("b", pieces[1]));
        stream.write_all(second.as_bytes()).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(
            answer.starts_with("HTTP/1.1 200"),
            is_served,
            "{pieces:?}: {answer}"
        );
        // The answer may be lost where the rest of the request was never read.
        let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 431");
        assert!(is_served || is_refused, "{pieces:?}: {answer}");
    }
}

// E43: what is not spoken cannot be flooded: no rapid reset, no CONTINUATION, no SETTINGS.
#[tokio::test]
async fn http_2_is_not_spoken_however_one_asks() {
    let world = World::new().await;
    let companion = Companion::start(&world, &[]);
    let preface = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
        // SETTINGS, empty.
        &[0, 0, 0, 4, 0, 0, 0, 0, 0],
    ]
    .concat();
    let upgrade = b"GET /api/ping HTTP/1.1\r\nhost: localhost:3001\r\nupgrade: h2c\r\n\
        http2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nconnection: upgrade, http2-settings, close\r\n\r\n";
    for (bytes, starts) in [
        (&preface[..], ["", "HTTP/1.1 4"]),
        (upgrade, ["HTTP/1.1 200"; 2]),
    ] {
        let answer = companion.exchange(bytes).await;
        let is_expected = answer == starts[0] || answer.starts_with(starts[1]);
        assert!(is_expected, "{answer}");
        assert!(!answer.contains("101 Switching"));
    }
}

fn asking_for_compression(call: Call) -> Call {
    call.header("accept-encoding", "gzip, deflate, br, zstd")
}

// E49: beside a secret, nothing of an attacker's choice is compressed (BREACH).
#[tokio::test]
async fn no_answer_that_holds_a_secret_is_compressed() {
    let world = World::new().await;
    let (browser, handoff, host) = (world.browser(), Handoff::new(&world), Host::new(&world));
    let mut answers: Vec<(&str, Answer)> = Vec::new();
    let challenge = handoff.challenge();
    let form = browser.own_form("/api/auth/login", &[("handoff_challenge", &challenge)]);
    let begun = browser.send(asking_for_compression(form)).await;
    let callback = browser.authenticate(&begun.location(), "ada").await;
    answers.push(("login", begun));
    let path = &callback[url::Position::BeforePath..];
    let back = Call::navigation(path, "cross-site").from(Sender::ForeignLink);
    answers.push(("callback", browser.send(asking_for_compression(back)).await));
    let claim = browser.frame_call("/api/auth/handoff", &claim_body(&handoff, &host));
    let claimed = browser.send(asking_for_compression(claim)).await;
    let ticket = claimed.ok()["ticket"].as_str().unwrap().to_owned();
    answers.push(("handoff", claimed));
    let encodings = [
        ("content-type", "application/json"),
        ("accept-encoding", "gzip, br"),
    ];
    let redeem = json!({ "ticket": ticket, "verifier": host.verifier, "origin": host.origin });
    let redeemed = host
        .send("/api/auth/redeem", &encodings, redeem.to_string())
        .await;
    let grant = json!({ "grant": redeemed.ok()["grant"] }).to_string();
    answers.push(("redeem", redeemed));
    for path in ["/api/auth/token", "/api/auth/session"] {
        let answer = host.send(path, &encodings, grant.clone()).await;
        answer.ok();
        answers.push((path, answer));
    }
    let tickets = json!({ "challenge": host.challenge(), "host_origin": host.origin });
    let call = browser.frame_call("/api/auth/ticket", &tickets);
    answers.push(("ticket", browser.send(asking_for_compression(call)).await));
    for path in ["/", "/signed-in", "/api/auth/me", "/api/auth/logout"] {
        let call = asking_for_compression(Call::navigation(path, "none"));
        answers.push((path, browser.send(call).await));
    }
    let me = asking_for_compression(Call::frame(Method::GET, "/api/auth/me"));
    answers.push(("me of the frame", browser.send(me).await));
    for (what, answer) in answers {
        assert!(
            !answer.status.is_server_error() && !answer.status.is_client_error(),
            "{what}"
        );
        assert_eq!(answer.header("content-encoding"), "", "{what}");
        assert_eq!(answer.header("transfer-encoding"), "", "{what}");
    }
}
