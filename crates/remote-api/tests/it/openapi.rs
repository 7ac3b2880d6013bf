//! The description against the running server: methods, scopes and places agree.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::fixture::{Answer, Fixture};

/// One operation of the document.
struct Operation {
    method: Method,
    path: String,
    /// `None` for a public one.
    scopes: Option<Vec<String>>,
}

async fn operations(fixture: &Fixture) -> Vec<Operation> {
    let document = fixture.call("/openapi.json", &[]).await.body;
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let requirement = operation["security"].get(0);
            operations.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                scopes: requirement.map(|scopes| {
                    let scopes = scopes["provider"].as_array().unwrap().iter();
                    scopes
                        .map(|scope| scope.as_str().unwrap().to_owned())
                        .collect()
                }),
            });
        }
    }
    operations
}

async fn call(fixture: &Fixture, operation: &Operation, token: Option<&str>) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer
        .iter()
        .map(|bearer| ("authorization", &**bearer))
        .collect();
    fixture
        .send(operation.method.clone(), &operation.path, &headers, None)
        .await
}

#[tokio::test]
async fn the_description_names_this_version_and_this_provider() {
    let fixture = Fixture::start().await;
    let answer = fixture.call("/openapi.json", &[]).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body["openapi"], "3.1.0");
    assert_eq!(answer.body["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        answer.body["components"]["securitySchemes"]["provider"]["openIdConnectUrl"],
        format!(
            "{}.well-known/openid-configuration",
            fixture.tenant.issuer()
        )
    );
}

#[tokio::test]
async fn described_methods_are_those_that_the_server_takes() {
    let fixture = Fixture::start().await;
    for operation in operations(&fixture).await {
        let answer = fixture
            .send(Method::DELETE, &operation.path, &[], None)
            .await;
        assert_eq!(answer.status, 405, "{}", operation.path);
        let allowed: BTreeSet<_> = answer.header("allow").split(',').collect();
        let expected = match operation.method.as_str() {
            "GET" => BTreeSet::from(["GET", "HEAD"]),
            method => BTreeSet::from([method]),
        };
        assert_eq!(allowed, expected, "{}", operation.path);
    }
}

#[tokio::test]
async fn described_scopes_are_those_that_the_server_demands() {
    let fixture = Fixture::start().await;
    let all = [
        "read:messages",
        "read:chart",
        "read:export",
        "write:import",
        "write:solve",
    ];
    for operation in operations(&fixture).await {
        let what = &operation.path;
        let without = call(&fixture, &operation, None).await;
        let Some(scopes) = &operation.scopes else {
            assert_eq!(without.status, 200, "{what} is described as public");
            continue;
        };
        assert_eq!(without.status, 401, "{what}");
        let others: Vec<_> = all
            .into_iter()
            .filter(|scope| !scopes.iter().any(|s| s == scope))
            .collect();
        let other = fixture.machine_token(&others.join(" ")).await;
        let lacking = call(&fixture, &operation, Some(&other)).await;
        if let [scope] = scopes.as_slice() {
            assert_eq!(lacking.status, 403, "{what}");
            let challenge = lacking.header("www-authenticate");
            assert!(
                challenge.contains(&format!("scope=\"{scope}\"")),
                "{what}: {challenge}"
            );
            let token = fixture.machine_token(scope).await;
            let with = call(&fixture, &operation, Some(&token)).await;
            assert!(![401, 403].contains(&with.status), "{what}: {}", with.body);
        } else {
            assert_eq!((scopes.len(), lacking.status), (0, 200), "{what}");
        }
    }
}

#[tokio::test]
async fn described_codes_of_errors_hold_those_that_were_met() {
    let fixture = Fixture::start().await;
    let document = fixture.call("/openapi.json", &[]).await.body;
    let codes = &document["components"]["schemas"]["Error"]["properties"]["code"]["enum"];
    let described: Vec<&Value> = codes.as_array().unwrap().iter().collect();
    for (method, path) in [
        (Method::GET, "/api/pong"),
        (Method::GET, "/nowhere"),
        (Method::DELETE, "/api/ping"),
    ] {
        let code = fixture.send(method, path, &[], None).await.body["code"].clone();
        assert!(described.contains(&&code), "{path}: {code}");
    }
}
