//! Sessions, one-time handles and leases, sealed at rest.
//!
//! Its one job is to keep what must outlive a request. It knows nothing of HTTP or OpenID
//! Connect: payloads are opaque sealed bytes, keys are hashes of values that only a
//! browser or a Streamlit host holds, times are Unix seconds passed in by the caller.
//!
//! What it must not do: see a secret in the clear. Who reads the database file learns
//! counts and times, no cookie, ticket, grant or token.

mod redis;
mod seal;
mod sqlite;
mod store;

pub use self::redis::{InvalidUrl, RedisStore};
pub use seal::{KeyRing, OpenError, Opened, SealKey, TooShort};
pub use sqlite::SqliteStore;
pub use store::{
    Handle, HandleKind, KeyHash, NewHandle, NewSession, Notice, Purged, SessionId, SessionStore,
    StoreError, StoredSession, Taken, Updated,
};
