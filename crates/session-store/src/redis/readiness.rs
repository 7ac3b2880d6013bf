//! Whether this Redis can be trusted with sessions: it takes writes, and drops nothing.

use ::redis::{Cmd, InfoDict};

use super::connection::{Link, Request};
use crate::store::StoreError;

/// Written and forgotten within seconds: a read alone would not notice a read-only replica.
const PROBE: &str = "component-auth0:probe";
const PROBE_SECONDS: u32 = 10;

pub(super) async fn probe(link: &Link) -> Result<(), StoreError> {
    let mut write = Cmd::new();
    write
        .arg("SET")
        .arg(PROBE)
        .arg(1)
        .arg("EX")
        .arg(PROBE_SECONDS);
    link.call::<()>(Request::Command(write)).await?;
    let mut ask = Cmd::new();
    ask.arg("INFO").arg("memory");
    match link.call::<InfoDict>(Request::Command(ask)).await {
        Ok(memory) => check_eviction(&memory),
        // An operator's ACL may forbid INFO: then this cannot be known, and is theirs to know.
        Err(StoreError::Faulty(_)) => Ok(()),
        Err(unavailable) => Err(unavailable),
    }
}

/// With any other policy a Redis that is full would sign people out at random, and forget
/// that a `state` or ticket was spent.
fn check_eviction(memory: &InfoDict) -> Result<(), StoreError> {
    let limit: Option<u64> = memory.get("maxmemory");
    let policy: Option<String> = memory.get("maxmemory_policy");
    match (limit, policy) {
        (Some(1..), Some(policy)) if policy != "noeviction" => Err(StoreError::Faulty(
            format!(
                "Redis may drop sessions: its maxmemory-policy is {policy}; \
                 set `maxmemory-policy noeviction` (or no maxmemory)"
            )
            .into(),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(info: &str) -> Result<(), StoreError> {
        check_eviction(&InfoDict::new(info))
    }

    #[test]
    fn a_redis_that_may_drop_sessions_is_faulty() {
        for (info, good) in [
            ("maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", true),
            ("maxmemory:1000\r\nmaxmemory_policy:noeviction\r\n", true),
            ("maxmemory:1000\r\nmaxmemory_policy:volatile-ttl\r\n", false),
            ("maxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n", false),
            ("", true),
        ] {
            assert_eq!(check(info).is_ok(), good, "{info}");
        }
    }
}
