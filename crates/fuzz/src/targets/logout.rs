//! Who may end a login (A44, B50 to B57, D35): not whoever sends a body, a header or a token
//! of his own. After every input the person is signed in still.

use http::{HeaderValue, StatusCode, header};

use super::filled_in;
use crate::stand::{BASE, Stand, get, post, with_stand};

const FORM: &str = "application/x-www-form-urlencoded";

/// The first byte says which way it is tried.
pub(crate) fn run(input: &[u8]) {
    let Some((&kind, rest)) = input.split_first() else {
        return;
    };
    with_stand(|stand| {
        match kind % 3 {
            0 => as_the_provider(stand, rest),
            1 => without_a_cookie(stand, rest),
            _ => from_elsewhere(stand, rest),
        }
        assert!(
            stand.is_signed_in(),
            "signed out by {:?}",
            String::from_utf8_lossy(input)
        );
    });
}

/// `{unsigned}` stands for good claims, which nobody signed.
fn as_the_provider(stand: &Stand, body: &[u8]) {
    let claims = format!(
        r#"{{"iss":"{}","aud":"{}","sid":"the-session","iat":{now},"exp":{},"jti":"j","events":{{"http://schemas.openid.net/event/backchannel-logout":{{}}}}}}"#,
        stand.provider.issuer(),
        crate::stand::CLIENT_ID,
        crate::stand::NOW + 120,
        now = crate::stand::NOW,
    );
    let header = stand.key.header().to_string();
    let token = test_tokens::compact(header, claims, |_| Vec::new());
    let unsigned = token.trim_end_matches('.');
    let body = match std::str::from_utf8(body) {
        Ok(text) => filled_in(text, &[("unsigned", unsigned)]).into_bytes(),
        Err(_) => body.to_vec(),
    };
    let answer = stand.send(post("/api/auth/backchannel-logout", FORM, body));
    answer.check();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
}

fn without_a_cookie(stand: &Stand, body: &[u8]) {
    for kind in ["application/json", FORM] {
        stand
            .send(post("/api/auth/logout", kind, body.to_vec()))
            .check();
    }
}

/// The input is the `Origin`, and before it perhaps a line with `Sec-Fetch-Site`.
fn from_elsewhere(stand: &Stand, input: &[u8]) {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let (first, second) = (lines.next().unwrap_or_default(), lines.next());
    let (site, origin) = match second {
        Some(origin) => (HeaderValue::from_bytes(first).ok(), origin),
        None => (None, first),
    };
    let origin = HeaderValue::from_bytes(origin).ok();
    let is_own = origin.as_ref().is_some_and(|origin| origin == BASE);
    if is_own && site.as_ref().is_none_or(|site| site == "same-origin") {
        return;
    }
    let cookie: HeaderValue = format!("component-auth0={}", stand.session)
        .parse()
        .unwrap();
    let mut request = post("/api/auth/logout", FORM, Vec::new());
    let headers = request.headers_mut();
    headers.insert(header::COOKIE, cookie.clone());
    headers.remove(header::ORIGIN);
    let names = [("origin", origin), ("sec-fetch-site", site)];
    for (name, value) in names {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    let answer = stand.send(request);
    answer.check();
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    // A link ends nothing, whoever follows it.
    let mut request = get("/api/auth/logout");
    request.headers_mut().insert(header::COOKIE, cookie);
    stand.send(request).check();
}
