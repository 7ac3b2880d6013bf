//! `static/ready.js` sends the frame's requests, and knows what the wire types know.
#![cfg(not(target_arch = "wasm32"))]

use shared::routes;

const READY: &str = include_str!("../../static/ready.js");

#[test]
fn the_script_of_the_page_marks_requests_and_asks_early_by_the_names_of_the_contract() {
    for expected in [
        format!("\"{}\": \"{}\"", routes::CALLER_HEADER, routes::FRAME),
        format!("TICKET = \"{}\"", routes::TICKET),
        frontend::host_origins::META_SELECTOR.to_owned(),
    ] {
        assert!(READY.contains(&expected), "{expected}");
    }
}
