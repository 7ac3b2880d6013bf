//! E48, behind trusted proxies: who is limited is the nearest stranger, whatever stands in
//! the headers, on every limited route; and nobody else is.

use http::StatusCode;

use super::{Client, LIMITED, limited_world};
use crate::harness::{Handoff, World};

const PROXIES: (&str, &str) = ("TRUSTED_PROXIES", "10.0.0.0/8,fd00::/8");

/// One request to each limited route; whether each passed. A redeem is limited by its
/// credential's address as long as that is wrong.
async fn every_limited_route(client: &Client, world: &World) -> Vec<(&'static str, StatusCode)> {
    let handoff = Handoff::new(world);
    let json = "application/json";
    let guessing = client.saying("authorization", "Bearer guess");
    vec![
        (
            "login",
            client.begin_login(&handoff.challenge()).await.status,
        ),
        ("login by link", client.get("/api/auth/login").await.status),
        (
            "callback",
            client.get("/api/auth/callback?code=c&state=s").await.status,
        ),
        ("handoff", client.poll(&handoff.verifier).await.status),
        (
            "redeem",
            guessing
                .send(http::Method::POST, "/api/auth/redeem", json, "{}".into())
                .await
                .status,
        ),
    ]
}

/// After so many rounds of `client`, each of the routes has refused it.
async fn flood(world: &World, mut client: impl FnMut(usize) -> Client) {
    let mut refused = Vec::new();
    for number in 0..60 {
        let answers = every_limited_route(&client(number), world).await;
        let limited = answers.into_iter().filter(|(_, status)| *status == LIMITED);
        refused.extend(limited.map(|(route, _)| route));
    }
    for route in ["login", "login by link", "callback", "handoff", "redeem"] {
        assert!(
            refused.contains(&route),
            "{route} was not limited: {refused:?}"
        );
    }
}

async fn assert_not_limited(client: &Client, world: &World) {
    for (route, status) in every_limited_route(client, world).await {
        assert_ne!(status, LIMITED, "{route}");
    }
}

#[tokio::test]
async fn a_flood_through_a_proxy_limits_its_sender_on_every_route_and_nobody_else() {
    let world = limited_world(&[PROXIES]).await;
    let proxy = Client::at(&world, "10.0.0.1");
    let (busy, other) = ("198.51.100.7", "198.51.100.8");
    flood(&world, |_| proxy.saying("x-forwarded-for", busy)).await;
    assert_not_limited(&proxy.saying("x-forwarded-for", other), &world).await;
    // Through another proxy of ours it is the same client, and not a new one.
    let elsewhere = Client::at(&world, "10.9.9.9").saying("x-forwarded-for", busy);
    assert_eq!(elsewhere.callbacks(1).await, 0);
}

#[tokio::test]
async fn what_a_client_writes_left_of_the_proxys_hop_changes_nothing_on_any_route() {
    let world = limited_world(&[PROXIES]).await;
    let proxy = Client::at(&world, "10.0.0.1");
    let busy = "198.51.100.7";
    flood(&world, |number| {
        let forged = format!("203.0.113.{number}");
        match number % 6 {
            0 => proxy.saying("x-forwarded-for", format!("{forged}, {busy}")),
            // A proxy that appends a line of its own: lines count in their order.
            1 => proxy
                .saying("x-forwarded-for", forged)
                .saying("x-forwarded-for", busy),
            // A hop that looks like a proxy of ours, further left.
            2 => proxy.saying("x-forwarded-for", format!("{forged}, 10.7.7.7, {busy}")),
            3 => proxy
                .saying("forwarded", format!("for={forged}"))
                .saying("x-real-ip", forged)
                .saying("x-forwarded-for", busy),
            4 => proxy.saying("x-forwarded-for", format!("{forged},::ffff:{busy}")),
            _ => proxy.saying(
                "x-forwarded-for",
                format!("junk, , \"{forged}\", {busy}:4{number}"),
            ),
        }
    })
    .await;
    assert_not_limited(&proxy.saying("x-forwarded-for", "198.51.100.8"), &world).await;
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_client_behind_a_proxy_too() {
    let world = limited_world(&[PROXIES]).await;
    let proxy = Client::at(&world, "fd00::1");
    flood(&world, |number| {
        let hop = match number % 3 {
            0 => format!("2001:db8:1:2::{number:x}"),
            1 => format!("[2001:db8:1:2:{number:x}::1]"),
            _ => format!("[2001:db8:1:2:{number:x}::1]:50{number:03}"),
        };
        proxy.saying("x-forwarded-for", hop)
    })
    .await;
    let neighbour = proxy.saying("x-forwarded-for", "2001:db8:1:3::1");
    assert_not_limited(&neighbour, &world).await;
}

#[tokio::test]
async fn without_trusted_proxies_no_header_is_believed_on_any_route() {
    let world = limited_world(&[]).await;
    let client = Client::at(&world, "192.0.2.1");
    flood(&world, |number| {
        let forged = format!("203.0.113.{number}");
        let names = [
            "x-forwarded-for",
            "x-real-ip",
            "true-client-ip",
            "cf-connecting-ip",
        ];
        let forging = client.saying(names[number % names.len()], forged.clone());
        forging.saying("forwarded", format!("for={forged}"))
    })
    .await;
    assert_not_limited(&Client::at(&world, "192.0.2.2"), &world).await;
}
