//! What came back, in the forms in which tests look at it.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::Cookie;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use url::Url;

/// An answer with its body read.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body))
    }

    /// `code` of an error body.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        self.json()["code"]
            .as_str()
            .unwrap_or_else(|| panic!("no error: {} {}", self.status, self.body))
            .to_owned()
    }

    #[track_caller]
    pub(crate) fn assert(&self, status: u16, code: &str) {
        let found = (self.status.as_u16(), self.code());
        assert_eq!(found, (status, code.to_owned()), "{}", self.body);
    }

    /// A page for people with this status and code, or its JSON form.
    #[track_caller]
    pub(crate) fn assert_page(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.header("content-type").starts_with("text/html"));
        assert!(self.body.contains(code), "{code} not in {}", self.body);
    }

    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.json()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// What the answer depends on, in one line.
    pub(crate) fn vary(&self) -> String {
        let values = self.headers.get_all(header::VARY).iter();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
        values.join(", ")
    }

    #[track_caller]
    pub(crate) fn location(&self) -> Url {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        let location = self.header("location");
        Url::parse("http://relative.test")
            .unwrap()
            .join(location)
            .unwrap()
    }

    pub(crate) fn set_cookies(&self) -> Vec<Cookie<'static>> {
        self.headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|value| Cookie::parse(value.to_str().unwrap().to_owned()).unwrap())
            .collect()
    }

    /// `Set-Cookie` lines with every value but the empty one blanked.
    pub(crate) fn set_cookie_lines(&self) -> Vec<String> {
        self.set_cookies()
            .into_iter()
            .map(|mut cookie| {
                if !cookie.value().is_empty() {
                    cookie.set_value("…");
                }
                cookie.to_string()
            })
            .collect()
    }

    /// Whether it gives a session to anybody.
    pub(crate) fn sets_session_cookie(&self) -> bool {
        self.set_cookies()
            .iter()
            .any(|cookie| !cookie.name().contains("-login-") && !cookie.value().is_empty())
    }
}

/// What is in the access token of such an answer.
pub(crate) fn unverified_claims(answer: &Value) -> Value {
    let token = answer["access_token"].as_str().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
