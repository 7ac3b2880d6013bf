//! For tests only: keys that sign anything, the forgeries of the security catalogue, and
//! the line by which a test says which row of it was tried. It depends on none of the code
//! under test, so that it cannot share its mistakes.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot make its key or its forgery has nothing to say: it panics"
)]

pub mod catalogue;
pub mod encodings;
pub mod forgeries;
mod key;

pub use crate::key::{Key, compact};
