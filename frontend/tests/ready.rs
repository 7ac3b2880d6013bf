//! `static/ready.js` asks for the first ticket as `src/api.rs` asks for the others.
#![cfg(not(target_arch = "wasm32"))]

use frontend::login::REQUEST_TIMEOUT_MS;
use shared::routes;

const READY: &str = include_str!("../../static/ready.js");

#[test]
fn the_script_of_the_page_asks_early_as_the_program_asks() {
    for expected in [
        format!("\"{}\": \"{}\"", routes::CALLER_HEADER, routes::FRAME),
        format!("fetch(\"{}\"", routes::TICKET),
        format!("AbortSignal.timeout({REQUEST_TIMEOUT_MS})"),
        frontend::host_origins::META_SELECTOR.to_owned(),
    ] {
        assert!(READY.contains(&expected), "{expected}");
    }
}
