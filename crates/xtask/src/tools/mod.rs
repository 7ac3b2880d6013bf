//! Tools that the commands need: found, or installed for this checkout, or named as missing.

pub(crate) mod browser;
pub(crate) mod npm;
pub(crate) mod packages;
pub(crate) mod python;
pub(crate) mod rust_target;
pub(crate) mod servers;
pub(crate) mod trunk;
