//! C46: sizes. What is too large is refused before any of it is decoded.

use std::time::Duration;

use serde_json::json;
use test_tokens::{Key, catalogue};
use tokio::io::AsyncReadExt;

use super::bench::{
    Bench,
    Verdict::{Accepted, Invalid},
    case,
};

/// One claim makes the token about this long; an RSA signature and the rest are in it.
fn of_length(bench: &Bench, length: usize) -> String {
    let empty = bench.with_claim("padding", json!("")).len();
    // Four characters of base64url hold three.
    bench.with_claim("padding", json!("x".repeat((length - empty) * 3 / 4)))
}

/// A42.
#[tokio::test]
async fn tokens_above_sixteen_kilobytes_are_refused_unread() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let largest = of_length(&bench, 16 * 1024);
    assert!(
        (16_376..=16_384).contains(&largest.len()),
        "{}",
        largest.len()
    );
    let above = of_length(&bench, 16 * 1024 + 8);
    assert!((16_385..=16_400).contains(&above.len()), "{}", above.len());
    let oversized = Invalid("oversized");
    let header = json!({"alg": "RS256", "kid": "first", "a": "x".repeat(14_000)});
    let long_header = Key::first().sign(&header, &bench.claims());
    bench
        .judge(&[
            case("C46", "8 KB", &of_length(&bench, 8 * 1024), Accepted),
            case("C46", "16 KB", &largest, Accepted),
            case("C46", "a little more than 16 KB", &above, oversized),
            case("C46", "24 KB", &of_length(&bench, 24 * 1024), oversized),
            case("C46", "a header of 14 KB", &long_header, oversized),
            case("C46", "dots alone", &".".repeat(20_000), oversized),
            case("C46", "no base64 at all", &"!".repeat(20_000), oversized),
        ])
        .await;
}

/// The server stops reading: what is beyond its limit never gets into its memory.
#[tokio::test]
async fn heads_of_any_size_end_at_the_limit_of_the_server() {
    const TOO_LARGE: &str = "HTTP/1.1 431 Request Header Fields Too Large";
    let bench = Bench::start().await;
    bench.warm_up().await;
    let begun = "GET /api/pong HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ";
    let filler = vec![b'x'; 64 * 1024];
    for (name, repeated) in [("64 KB", 1), ("1 MB", 16), ("500 MB", 8000)] {
        let answer = bench.send_raw(begun.as_bytes(), &filler, repeated).await;
        assert_eq!(answer, TOO_LARGE, "{name}");
        catalogue::tried("C46 C15", catalogue::Verdict::Refused("431"), name);
    }
    // In one piece and complete, a head above the limit must not slip through.
    let whole = format!("{begun}{}\r\n\r\n", "x".repeat(40_000));
    let answer = bench.send_raw(whole.as_bytes(), b"", 0).await;
    assert_eq!(answer, TOO_LARGE);
    catalogue::tried(
        "C46 E41",
        catalogue::Verdict::Refused("431"),
        "40 KB in one piece",
    );
    let fields = "a: b\r\n".repeat(101);
    let many = format!("GET /api/pong HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    assert_eq!(bench.send_raw(many.as_bytes(), b"", 0).await, TOO_LARGE);
    catalogue::tried("E41", catalogue::Verdict::Refused("431"), "102 fields");
    let uri = format!(
        "GET /api/pong?{} HTTP/1.1\r\nhost: a\r\n\r\n",
        "x".repeat(40_000)
    );
    let answer = bench.send_raw(uri.as_bytes(), b"", 0).await;
    assert!(
        ["HTTP/1.1 414 URI Too Long", TOO_LARGE].contains(&&*answer),
        "{answer}"
    );
    catalogue::tried(
        "E41",
        catalogue::Verdict::Refused("414"),
        "an address of 40 KB",
    );
    assert_eq!(bench.provider.requests_for_keys(), 1);
}

/// E40: a client that never ends its head keeps no connection. Takes as long as the server's
/// patience: ten seconds of waiting and no work.
#[tokio::test]
async fn a_head_that_does_not_end_is_given_up() {
    let bench = Bench::start().await;
    let mut stream = bench
        .begin_raw(b"GET /api/ping HTTP/1.1\r\nhost: a\r\n")
        .await;
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut answer));
    ended.await.expect("the connection is closed").unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains("200"), "{answer}");
    catalogue::tried(
        "E40",
        catalogue::Verdict::Refused("closed"),
        "a head without end",
    );
}
