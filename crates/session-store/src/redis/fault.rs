//! What a failed call means for its caller: worth trying again, or not as things are set up.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::StoreError;

/// Replies by which a Redis says "not now". Everything else that it refuses is our mistake
/// or that of its configuration.
const NOT_NOW: [&str; 12] = [
    "BUSY",
    "CLUSTERDOWN",
    "FAILOVER",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "UNBLOCKED",
    "UNKILLABLE",
];

pub(super) fn fault(error: RedisError) -> StoreError {
    if is_passing(&error) {
        StoreError::Unavailable(error.into())
    } else {
        StoreError::Faulty(error.into())
    }
}

/// A call that never reached Redis, in words.
pub(super) fn unavailable(why: &'static str) -> StoreError {
    StoreError::Unavailable(why.into())
}

/// A record that is not as we write them.
pub(super) fn garbled(what: &'static str) -> StoreError {
    StoreError::Faulty(what.into())
}

fn is_passing(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io => true,
        ErrorKind::Parse
        | ErrorKind::AuthenticationFailed
        | ErrorKind::UnexpectedReturnType
        | ErrorKind::InvalidClientConfig => false,
        _ => error.code().is_some_and(|code| NOT_NOW.contains(&code)) || wrapped_not_now(error),
    }
}

/// Redis before 7 wraps what a script met: `ERR Error running script …: -OOM command …`.
fn wrapped_not_now(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError)
        && error.detail().is_some_and(|detail| {
            detail.starts_with("Error running script")
                && NOT_NOW
                    .iter()
                    .any(|code| detail.contains(&format!("-{code} ")))
        })
}

/// The call may not have been obeyed, or was and the answer is lost: its connection is gone.
pub(super) fn broke_connection(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error()
}

/// This connection leads to the wrong place (a former primary, a rotated password): the next
/// call looks the name up and introduces itself again.
pub(super) fn needs_other_connection(error: &RedisError) -> bool {
    error.code().is_some_and(|code| {
        ["READONLY", "MASTERDOWN", "NOAUTH", "WRONGPASS", "NOPERM"].contains(&code)
    })
}
