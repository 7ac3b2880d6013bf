//! C44, C45: claims and header as JSON that can be read in one way only.

use test_tokens::Key;

use super::bench::{
    Bench,
    Verdict::{self, Accepted, Invalid},
    case,
};

const NO_OBJECT: Verdict = Invalid("not_a_json_object");

#[tokio::test]
async fn members_that_stand_twice_are_refused_at_any_depth() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let mut cases = Vec::new();
    for (name, member) in [
        ("sub twice", r#"{"sub":"a","#),
        ("sub twice by an escape", r#"{"s\u0075b":"a","#),
        ("twice inside", r#"{"a":{"b":1,"b":2},"#),
        ("twice in a list", r#"{"a":[{"b":1,"b":1}],"#),
    ] {
        let token = signed(&bench.claims().to_string().replacen('{', member, 1));
        cases.push(case("C44", name, &token, Invalid("duplicate_member")));
    }
    bench.judge(&cases).await;
}

#[tokio::test]
async fn claims_are_one_json_object() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let good = bench.claims().to_string();
    let mut cases = Vec::new();
    for (name, claims, verdict) in [
        ("an array", "[]".to_owned(), NO_OBJECT),
        ("a string", "\"x\"".to_owned(), NO_OBJECT),
        ("null", "null".to_owned(), NO_OBJECT),
        ("nothing", String::new(), Invalid("not_compact_jws")),
        ("an empty object", "{}".to_owned(), Invalid("missing_claim")),
        ("bytes after the object", format!("{good}x"), NO_OBJECT),
        ("a second object", format!("{good}{good}"), NO_OBJECT),
        ("a comment", good.replacen('{', "{/**/", 1), NO_OBJECT),
        ("a last comma", good.replace('}', ",}"), NO_OBJECT),
        ("single quotes", good.replace('"', "'"), NO_OBJECT),
        ("NaN", good.replacen('{', "{\"a\":NaN,", 1), NO_OBJECT),
        ("a byte order mark", format!("\u{feff}{good}"), NO_OBJECT),
        // White space is JSON's own.
        ("white space round it", format!(" \r\n\t{good}\n"), Accepted),
    ] {
        cases.push(case("C45", name, &signed(&claims), verdict));
    }
    bench.judge(&cases).await;
}

/// A40.
#[tokio::test]
async fn nesting_is_bounded() {
    let bench = Bench::start().await;
    bench.warm_up().await;
    let good = bench.claims().to_string();
    let deep = |depth: usize, open: &str, close: &str| {
        let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        good.replacen('{', &format!("{{\"deep\":{nested},"), 1)
    };
    let mut cases = Vec::new();
    for (name, claims, verdict) in [
        ("arrays 100 deep", deep(100, "[", "]"), Accepted),
        ("arrays 4,000 deep", deep(4000, "[", "]"), NO_OBJECT),
        ("objects 1,500 deep", deep(1500, "{\"a\":", "}"), NO_OBJECT),
        // Longer than any token may be, before its depth matters.
        (
            "arrays 10,000 deep",
            deep(10_000, "[", "]"),
            Invalid("oversized"),
        ),
    ] {
        cases.push(case("C45", name, &signed(&claims), verdict));
    }
    let arrays = format!("{{\"alg\":{}1{}}}", "[".repeat(4000), "]".repeat(4000));
    let objects = format!("{}1{}", "{\"a\":".repeat(1500), "}".repeat(1500));
    for (name, header) in [
        ("arrays 4,000 deep", arrays),
        ("objects 1,500 deep", objects),
    ] {
        let token = Key::first().sign_text(&header, &good);
        cases.push(case(
            "C45",
            format!("a header of {name}"),
            &token,
            NO_OBJECT,
        ));
    }
    bench.judge(&cases).await;
}

fn signed(claims: &str) -> String {
    Key::first().sign_text(&Key::first().header().to_string(), claims)
}
