//! How many, in tests of numbers.

/// `ordinary` in the runs of every day; `full` with `FULL_SIZE=1` in the environment, which
/// takes minutes in a debug build.
#[expect(
    clippy::disallowed_methods,
    reason = "a wish of whoever runs the tests, not configuration of the companion"
)]
pub(crate) fn sized(ordinary: usize, full: usize) -> usize {
    if std::env::var("FULL_SIZE").is_ok_and(|wish| wish == "1") {
        full
    } else {
        ordinary
    }
}
