//! Stub.
#[cfg(target_arch = "wasm32")]
fn main() { leptos::mount::mount_to_body(|| leptos::prelude::view!{ <p>"x"</p> }) }
#[cfg(not(target_arch = "wasm32"))]
fn main() {}
