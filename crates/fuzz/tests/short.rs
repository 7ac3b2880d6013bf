//! The short run: every target on its seeds and on mutations of them, the same at each run.
//! An input that breaks a property is printed; as a new seed it is tried first from then on.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "clippy.toml allows them in test functions; these are in what those share"
)]

use std::thread;

use fuzz::mutation::{Numbers, mutated};
use fuzz::{Target, find, seeds};

/// Which mutations: another number tries others.
const SEED: u64 = 5;

/// Says, when the test fails, with what.
struct Last {
    target: &'static str,
    input: Vec<u8>,
}

impl Drop for Last {
    fn drop(&mut self) {
        if thread::panicking() {
            let Self { target, input } = self;
            let text = String::from_utf8_lossy(input);
            eprintln!("{target} is broken by {text:?}, in bytes {input:?}");
        }
    }
}

fn run(name: &str) {
    let target = find(name).expect("a target of this name");
    let seeds = seeds::read(name);
    for seed in &seeds {
        try_one(target, seed.clone());
    }
    let mut numbers = Numbers::new(SEED);
    for _ in 0..target.short {
        try_one(target, mutated(&seeds, &mut numbers, target.longest));
    }
    println!(
        "{name}: {} seeds, {} mutations of them",
        seeds.len(),
        target.short
    );
}

fn try_one(target: &Target, input: Vec<u8>) {
    let last = Last {
        target: target.name,
        input,
    };
    (target.run)(&last.input);
}

macro_rules! targets {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { run($name); })*

        #[test]
        fn every_target_has_its_test() {
            let tested = [$($name),*];
            let names = fuzz::TARGETS.iter().map(|target| target.name);
            assert_eq!(names.collect::<Vec<_>>(), tested);
        }
    };
}

targets! {
    what_return_to_accepts_stays_here: "return-to",
    an_authorization_response_signs_in_nobody_who_did_not_ask: "callback",
    a_login_cookie_opens_only_as_it_was_sealed: "login-cookie",
    a_cookie_header_signs_in_only_by_the_very_id: "session-cookie",
    only_the_very_bytes_that_were_signed_are_believed: "token-bytes",
    of_what_was_signed_only_the_right_claims_are_believed: "token-claims",
    no_key_set_makes_a_forgery_good: "signing-keys",
    metadata_leads_nowhere_insecure: "metadata",
    no_body_signs_anybody_in: "bodies",
    no_body_and_no_origin_signs_anybody_out: "logout",
    args_and_theme_become_words_and_colours: "component",
    the_frame_announces_nobody_whom_the_companion_did_not_name: "frame",
}
