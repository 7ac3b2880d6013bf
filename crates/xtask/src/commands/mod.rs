//! One file per command.

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod demo;
pub(crate) mod dev;
pub(crate) mod fuzz;
pub(crate) mod test;
pub(crate) mod wasm_size;
