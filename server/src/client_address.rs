//! The address of the client, for fair shares. `X-Forwarded-For` is believed only as far as
//! `TRUSTED_PROXIES` reach: whoever forges it behind none of them changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use ipnet::IpNet;

use crate::error::AppError;
use crate::request_id;

/// The nearest address that is not a proxy of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = AppError;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, AppError> {
        let request = request_id::current();
        let outside = || AppError::Internal("a client is asked for outside of a request".into());
        request.map(|request| request.client).ok_or_else(outside)
    }
}

impl ClientAddress {
    /// The sender of a request with these headers that came from `peer`.
    #[must_use]
    pub fn of(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let peer = peer.map_or(localhost, |peer| peer.ip().to_canonical());
        Self(nearest(peer, headers, trusted))
    }
}

/// What counts as one client: an address of IPv4, in whatever form it comes, or a /64 of
/// IPv6, since whoever has one address of it has them all.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

fn nearest(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_ours = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    // Without proxies of ours nothing that is forwarded counts.
    if trusted.is_empty() {
        return peer;
    }
    let mut nearest = peer;
    // As bytes: what a client wrote further left must not make the proxy's own words unreadable.
    let forwarded: Vec<&[u8]> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .collect();
    // From the right: each proxy of ours vouches for the one address that it appended.
    for hop in forwarded.into_iter().rev() {
        let Some(hop) = address(hop.trim_ascii()) else {
            break;
        };
        if !is_ours(&nearest) {
            break;
        }
        nearest = hop;
    }
    nearest
}

/// Some proxies append the port, and some write IPv6 in brackets with or without one.
/// `::ffff:192.0.2.1` is the same client as `192.0.2.1`.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = str::from_utf8(hop).ok()?;
    let bracketed = hop
        .strip_prefix('[')
        .and_then(|hop| hop.strip_suffix(']')?.parse::<Ipv6Addr>().ok());
    let with_port = || hop.parse::<SocketAddr>().map(|address| address.ip());
    bracketed
        .map(IpAddr::V6)
        .or_else(|| hop.parse().or_else(|_| with_port()).ok())
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded: impl AsRef<[u8]>, trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        let forwarded = HeaderValue::from_bytes(forwarded.as_ref()).unwrap();
        headers.insert("x-forwarded-for", forwarded);
        let trusted: Vec<_> = trusted
            .iter()
            .map(|network| network.parse().unwrap())
            .collect();
        nearest(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn forwarded_addresses_count_only_behind_trusted_proxies() {
        assert_eq!(client("198.51.100.1", "203.0.113.9", &[]), "198.51.100.1");
        assert_eq!(
            client("10.0.0.1", "203.0.113.9", &["10.0.0.0/8"]),
            "203.0.113.9"
        );
        // What the client itself wrote stands further left and is not reached.
        assert_eq!(
            client("10.0.0.1", "192.0.2.1, 203.0.113.9", &["10.0.0.0/8"]),
            "203.0.113.9"
        );
        assert_eq!(
            client("10.0.0.1", "203.0.113.9, 10.0.0.2", &["10.0.0.0/8"]),
            "203.0.113.9"
        );
        assert_eq!(client("10.0.0.1", "nonsense", &["10.0.0.0/8"]), "10.0.0.1");
        for (hop, address) in [
            ("203.0.113.9:50123", "203.0.113.9"),
            ("[2001:db8::1]:50123", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[::ffff:203.0.113.9]", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(client("10.0.0.1", hop, &["10.0.0.0/8"]), address);
        }
    }

    // E48: what the client sent in a line of its own stands above the proxy's.
    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        for line in ["192.0.2.1", "203.0.113.9, 10.0.0.2"] {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let nearest = nearest("10.0.0.1".parse().unwrap(), &headers, &trusted);
        assert_eq!(nearest.to_string(), "203.0.113.9");
    }

    // On a socket of both families a proxy of IPv4 has an address of IPv6.
    #[test]
    fn a_proxy_is_known_by_either_form_of_its_address() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
        for peer in ["10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
            let peer: SocketAddr = peer.parse().unwrap();
            let client = ClientAddress::of(Some(peer), &headers, &trusted);
            assert_eq!(client.0.to_string(), "203.0.113.9", "{peer}");
        }
    }

    // E48: else the line would be unread as a whole, and all who write it would be the proxy.
    #[test]
    fn odd_bytes_of_the_client_hide_nothing_that_a_proxy_appended() {
        for odd in [b"\xff".as_slice(), b"\xe9t\xe9", b"\"192.0.2.1\xff", b""] {
            let chain = [odd, b", 203.0.113.9"].concat();
            assert_eq!(client("10.0.0.1", chain, &["10.0.0.0/8"]), "203.0.113.9");
        }
        for odd in [b"203.0.113.9, \xff".as_slice(), b"203.0.113.9, [192.0.2.1]"] {
            assert_eq!(client("10.0.0.1", odd, &["10.0.0.0/8"]), "10.0.0.1");
        }
    }
}
