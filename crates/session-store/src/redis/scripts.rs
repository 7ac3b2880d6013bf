//! The scripts: each operation is one of them, obeyed in one step and one round trip.
//!
//! Keys, all below `component-auth0:` (hex for ids and hashes):
//!
//! | key | what |
//! |---|---|
//! | `s:<id>` | hash of a session: `v`ersion, `d` sealed payload, `e`xpires at, s`u`bject, `p`rovider session, `x` reason of its end, `w` last operation |
//! | `h:<kind>:<hash>` | hash of a handle: `s`ession, `d` sealed payload, `e`xpires at, `m`ark and `t` operation of its taker, `o` operation that made it |
//! | `i:u:<hash>`, `i:p:<hash>` | set: live sessions of a subject, of a provider session |
//! | `live` | sorted set: live sessions by expiry |
//! | `purge:s`, `purge:h` | sorted sets: sessions and handles by the time from which nobody needs them |
//! | `l:<hash>` | a lease's holder; Redis lets it expire |
//! | `o:<operation>` | for seconds: what an ended session held, should the answer be lost |
//!
//! **Operation ids.** A call whose connection breaks is sent again, with the same operation
//! id. Where a second obedience would be answered otherwise than the first, the record keeps
//! the id of the operation that wrote it, and the script answers its own operation as the
//! first time: "my own lost first try" is never taken for "somebody else was quicker".

use std::sync::atomic::{AtomicU64, Ordering};

use ::redis::Script;

use crate::store::HandleKind;

const PRELUDE: &str = include_str!("scripts/prelude.lua");

/// All scripts, hashed once.
pub(super) struct Scripts {
    pub(super) create_session: Script,
    pub(super) update_session: Script,
    pub(super) touch_session: Script,
    pub(super) end_session: Script,
    pub(super) sessions_of: Script,
    pub(super) put_handle: Script,
    pub(super) find_handle: Script,
    pub(super) take_handle: Script,
    pub(super) remove_handle: Script,
    pub(super) acquire_lease: Script,
    pub(super) release_lease: Script,
    pub(super) purge: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let script = |body: &str| Script::new(&format!("{PRELUDE}\n{body}"));
        Self {
            create_session: script(include_str!("scripts/create_session.lua")),
            update_session: script(include_str!("scripts/update_session.lua")),
            touch_session: script(include_str!("scripts/touch_session.lua")),
            end_session: script(include_str!("scripts/end_session.lua")),
            sessions_of: script(include_str!("scripts/sessions_of.lua")),
            put_handle: script(include_str!("scripts/put_handle.lua")),
            find_handle: script(include_str!("scripts/find_handle.lua")),
            take_handle: script(include_str!("scripts/take_handle.lua")),
            remove_handle: script(include_str!("scripts/remove_handle.lua")),
            acquire_lease: script(include_str!("scripts/acquire_lease.lua")),
            release_lease: script(include_str!("scripts/release_lease.lua")),
            purge: script(include_str!("scripts/purge.lua")),
        }
    }
}

/// Makes operation ids: unique over all replicas, not secret.
pub(super) struct Operations {
    instance: String,
    next: AtomicU64,
}

impl Operations {
    pub(super) fn new() -> Self {
        let mut instance = [0; 8];
        aws_lc_rs::rand::fill(&mut instance)
            .unwrap_or_else(|_| unreachable!("aws-lc's generator does not fail"));
        Self {
            instance: hex(&instance),
            next: AtomicU64::new(0),
        }
    }

    pub(super) fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.instance)
    }
}

/// A handle's name within its keys.
pub(super) fn handle_name(kind: HandleKind, key: &[u8]) -> String {
    format!("{}:{}", kind as i64, hex(key))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

pub(super) fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}
