//! The model API, with tokens as the tenant issues them to its people and its machine.

use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture};

const SOLVE: &str = "/api/model/solve";
const IMPORT: &str = "/api/model/import";
const EXPORT: &str = "/api/model/export";
const CHART: &str = "/api/model/chart";

fn tanks() -> Value {
    json!({
        "name": "Two tanks", "variables": ["upper", "lower"],
        "matrix": [[3.0, -1.0], [-1.0, 2.0]], "rhs": [5.0, 5.0],
    })
}

/// Statuses of chart, export, import and solve.
async fn statuses(fixture: &Fixture, token: &str) -> [u16; 4] {
    [
        fixture.call_with(CHART, token).await.status,
        fixture.call_with(EXPORT, token).await.status,
        fixture.post(IMPORT, token, &tanks()).await.status,
        fixture.post(SOLVE, token, &tanks()).await.status,
    ]
}

fn assert_needs(answer: &Answer, scope: &str) {
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(answer.body["code"], "insufficient_scope");
    assert_eq!(
        answer.header("www-authenticate"),
        format!(r#"Bearer error="insufficient_scope", scope="{scope}""#)
    );
}

#[tokio::test]
async fn people_can_do_what_the_tenant_permits_them() {
    let fixture = Fixture::start().await;
    for (username, expected) in [
        ("ada", [200, 200, 200, 200]),
        ("grace", [200, 403, 403, 403]),
        ("linus", [403, 403, 403, 403]),
    ] {
        let token = fixture.personal_token(username).await;
        assert_eq!(fixture.call_with("/api/pong", &token).await.status, 200);
        assert_eq!(statuses(&fixture, &token).await, expected, "{username}");
    }
}

#[tokio::test]
async fn a_machine_can_do_what_its_scopes_say_and_no_more() {
    let fixture = Fixture::start().await;
    for (scope, expected) in [
        ("read:chart", [200, 403, 403, 403]),
        ("read:export", [403, 200, 403, 403]),
        ("write:import", [403, 403, 200, 403]),
        ("write:solve", [403, 403, 403, 200]),
    ] {
        let token = fixture.machine_token(scope).await;
        assert_eq!(statuses(&fixture, &token).await, expected, "{scope}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_scope_that_is_missing() {
    let fixture = Fixture::start().await;
    let token = fixture.personal_token("linus").await;
    assert_needs(&fixture.call_with(CHART, &token).await, "read:chart");
    assert_needs(&fixture.call_with(EXPORT, &token).await, "read:export");
    let import = fixture.post(IMPORT, &token, &json!("no model")).await;
    assert_needs(&import, "write:import");
    let solve = fixture.post(SOLVE, &token, &json!("no model")).await;
    assert_needs(&solve, "write:solve");
}

#[tokio::test]
async fn a_posted_system_is_solved() {
    let fixture = Fixture::start().await;
    let token = fixture.personal_token("ada").await;
    let answer = fixture.post(SOLVE, &token, &tanks()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let solution = answer.body["solution"].as_array().unwrap();
    for (found, expected) in solution.iter().zip([3.0, 4.0]) {
        assert!((found.as_f64().unwrap() - expected).abs() < 1e-12);
    }
    assert_eq!(answer.body["variables"], json!(["upper", "lower"]));
    assert!(answer.body["residual"].as_f64().unwrap() < 1e-12);
    // Solving is no import.
    let exported = fixture.call_with(EXPORT, &token).await;
    assert_eq!(exported.body["name"], "Heat in a rod");
}

#[tokio::test]
async fn an_imported_model_is_exported_charted_and_solved_for_its_owner_only() {
    let fixture = Fixture::start().await;
    let ada = fixture.personal_token("ada").await;
    let imported = fixture.post(IMPORT, &ada, &tanks()).await;
    assert_eq!(imported.body, json!({"name": "Two tanks", "size": 2}));
    assert_eq!(fixture.call_with(EXPORT, &ada).await.body, tanks());
    let chart = fixture.call_with(CHART, &ada).await.body;
    assert_eq!(chart["title"], "Two tanks");
    assert_eq!(chart["x"]["values"], json!(["upper", "lower"]));
    assert_eq!(chart["series"][1]["values"], json!([5.0, 5.0]));
    let bearer = format!("Bearer {ada}");
    let headers = [("authorization", bearer.as_str())];
    let solved = fixture.send(Method::POST, SOLVE, &headers, None).await;
    assert_eq!(solved.body["name"], "Two tanks");
    assert_eq!(solved.body["solution"], chart["series"][0]["values"]);
    let grace = fixture.personal_token("grace").await;
    let others = fixture.call_with(CHART, &grace).await.body;
    assert_eq!(others["title"], "Heat in a rod");
}

#[tokio::test]
async fn what_is_exported_can_be_imported() {
    let fixture = Fixture::start().await;
    let token = fixture.personal_token("ada").await;
    let exported = fixture.call_with(EXPORT, &token).await.body;
    assert_eq!(fixture.post(IMPORT, &token, &exported).await.status, 200);
    assert_eq!(fixture.call_with(EXPORT, &token).await.body, exported);
}

#[tokio::test]
async fn all_problems_of_a_model_are_listed_and_it_changes_nothing() {
    let fixture = Fixture::start().await;
    let token = fixture.personal_token("ada").await;
    let bad = json!({"matrix": [[1, 2], [3, "x"]], "rhs": [1], "colour": "blue"});
    for path in [IMPORT, SOLVE] {
        let answer = fixture.post(path, &token, &bad).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.body["code"], "invalid_model", "{path}");
        assert_eq!(
            answer.body["problems"],
            json!([
                r#""colour": is no field of a model"#,
                "matrix[1][1]: must be a number of at most 1e12",
                "rhs: has 1 entries, the matrix has 2 rows",
            ])
        );
    }
    let singular = json!({"matrix": [[1, 2], [2, 4]], "rhs": [1, 1]});
    let answer = fixture.post(IMPORT, &token, &singular).await;
    assert_eq!(answer.status, 400);
    let exported = fixture.call_with(EXPORT, &token).await;
    assert_eq!(exported.body["name"], "Heat in a rod");
}

#[tokio::test]
async fn bodies_are_bounded_declared_and_json() {
    let fixture = Fixture::start().await;
    let token = fixture.personal_token("ada").await;
    let bearer = format!("Bearer {token}");
    let json_type = "application/json; charset=utf-8";
    for (content_type, body, status, code) in [
        (json_type, "{".to_owned(), 400, "invalid_json"),
        (json_type, String::new(), 400, "invalid_json"),
        (json_type, "[".repeat(100_000), 400, "invalid_json"),
        (json_type, " ".repeat(128 * 1024 + 1), 413, "body_too_large"),
        (
            "text/plain",
            tanks().to_string(),
            415,
            "unsupported_media_type",
        ),
        (
            "application/jsonp",
            tanks().to_string(),
            415,
            "unsupported_media_type",
        ),
    ] {
        let headers = [("authorization", &*bearer), ("content-type", content_type)];
        let answer = fixture
            .send(Method::POST, IMPORT, &headers, Some(body))
            .await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (status, &json!(code))
        );
    }
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", json_type),
    ];
    let good = Some(tanks().to_string());
    let answer = fixture.send(Method::POST, IMPORT, &headers, good).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn without_a_token_no_body_is_even_read() {
    let fixture = Fixture::start().await;
    let body = Some(" ".repeat(200 * 1024));
    let answer = fixture.send(Method::POST, SOLVE, &[], body).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.body["code"], "missing_token");
}
