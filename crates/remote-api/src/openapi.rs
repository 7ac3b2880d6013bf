//! `GET /openapi.json`: the description of this API (`openapi: 3.1.0`). The document is
//! `openapi.json` beside this crate's `src`; tests hold it against the routes.

use axum::{
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::CONTENT_TYPE;

use crate::Config;

const DOCUMENT: &str = include_str!("../openapi.json");
const VERSION: &str = "0.0.0-version";
const DISCOVERY: &str = "https://provider.invalid/.well-known/openid-configuration";

/// The document with this server's version and provider. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Description(Bytes);

impl Description {
    pub(crate) fn of(config: &Config) -> Self {
        let issuer = config.issuer.as_str().trim_end_matches('/');
        // An issuer is a URL: there is no quote in it to escape.
        let discovery = format!("{issuer}/.well-known/openid-configuration");
        let document = DOCUMENT
            .replace(VERSION, env!("CARGO_PKG_VERSION"))
            .replace(DISCOVERY, &discovery);
        Self(document.into())
    }
}

/// Public: what an API asks for is no secret.
pub(crate) async fn document(State(Description(document)): State<Description>) -> Response {
    ([(CONTENT_TYPE, "application/json")], document).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let described: BTreeSet<_> = document["paths"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let routes: BTreeSet<_> = crate::routes::routes()
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        assert_eq!(described, routes);
    }

    #[test]
    fn places_of_version_and_provider_are_in_the_document() {
        assert_eq!(DOCUMENT.matches(VERSION).count(), 1);
        assert_eq!(DOCUMENT.matches(DISCOVERY).count(), 1);
    }
}
