//! Properties that must hold whatever anybody sends, one target each.
//!
//! Two users: `tests/short.rs` runs every target on its seeds and some thousand mutations of
//! them, the same at each run; `main.rs` hands the same targets to libFuzzer, which looks for
//! inputs that reach new code (`cargo xtask fuzz`). A property is an assertion: to break it
//! is to panic.
#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken property panics, and so does a stand that cannot be set up"
)]

pub mod mutation;
pub mod seeds;
mod stand;
mod targets;

/// One kind of input.
pub struct Target {
    /// As `cargo xtask fuzz` names it; its seeds' folder too.
    pub name: &'static str,
    /// What is tried with each input.
    pub run: fn(&[u8]),
    /// Longer inputs only cost time.
    pub longest: usize,
    /// Inputs of the short run, beside the seeds: as many as take a second or two.
    pub short: u32,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("return-to", targets::return_to::run, 300, 20_000),
    target("callback", targets::callback::run, 2_000, 400),
    target("login-cookie", targets::login_cookie::run, 1_500, 800),
    target("session-cookie", targets::session_cookie::run, 1_000, 500),
    target("token-bytes", targets::tokens::bytes, 1_500, 4_000),
    target("token-claims", targets::tokens::claims, 1_000, 3_000),
    target("signing-keys", targets::documents::signing_keys, 3_000, 300),
    target("metadata", targets::documents::metadata, 3_000, 300),
    target("bodies", targets::bodies::run, 1_000, 500),
    target("logout", targets::logout::run, 1_500, 800),
    target("component", targets::component::run, 2_000, 10_000),
    target("frame", targets::frame::run, 200, 5_000),
];

const fn target(name: &'static str, run: fn(&[u8]), longest: usize, short: u32) -> Target {
    Target {
        name,
        run,
        longest,
        short,
    }
}

/// The target of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
