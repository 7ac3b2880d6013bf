//! The authorization response (B22, B66, B67, B72, B73, D30 to D33, E33, E47): whoever did
//! not begin the login gets nothing and causes nothing; whoever did sends the code once at
//! most, and the very code that stood there.

use http::header;

use super::filled_in;
use crate::stand::{Answer, CODE, Stand, get, post, with_stand};

/// The first byte says who sends it, and how.
pub(crate) fn run(input: &[u8]) {
    let Some((&kind, rest)) = input.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    with_stand(|stand| {
        stand.provider.take_token_requests();
        match kind % 3 {
            0 => by_the_browser_that_began_it(stand, text),
            1 => by_another_browser(stand, text),
            _ => by_form_post(stand, text),
        }
    });
}

fn by_the_browser_that_began_it(stand: &Stand, text: &str) {
    let login = stand.begin_login();
    let parameters = filled_in(text, &[("state", &login.state), ("code", CODE)]);
    let Some(answer) = send(stand, &parameters, Some(&login.cookie)) else {
        return;
    };
    let sent = stand.provider.take_token_requests();
    assert!(sent <= 1, "the code was sent {sent} times");
    // The provider refuses every code here.
    assert_eq!(answer.session_cookie(), None, "{answer:?}");
    let said = |name: &str| said(&parameters, name);
    if sent == 1 {
        assert_eq!(
            said("state"),
            std::slice::from_ref(&login.state),
            "{parameters:?}"
        );
        assert_eq!(said("code").len(), 1, "{parameters:?}");
        assert_eq!(said("error"), [""; 0], "{parameters:?}");
        let issuer = said("iss");
        assert!(
            issuer.is_empty() || issuer == [stand.provider.issuer()],
            "{parameters:?}"
        );
    }
    if said("state") == std::slice::from_ref(&login.state) && said("code") == [CODE] {
        let others = ["error", "iss", "response"].map(said);
        let is_plain = others.iter().all(Vec::is_empty);
        assert!(
            !is_plain || sent == 1,
            "a good response was refused: {answer:?}"
        );
    }
}

fn by_another_browser(stand: &Stand, text: &str) {
    let login = stand.begin_login();
    let parameters = filled_in(text, &[("state", &login.state), ("code", CODE)]);
    let Some(answer) = send(stand, &parameters, None) else {
        return;
    };
    assert_eq!(stand.provider.take_token_requests(), 0);
    assert_eq!(answer.session_cookie(), None, "{answer:?}");
}

/// The mode is off: nothing is looked at.
fn by_form_post(stand: &Stand, text: &str) {
    let login = stand.begin_login();
    let parameters = filled_in(text, &[("state", &login.state), ("code", CODE)]);
    let kind = "application/x-www-form-urlencoded";
    let mut request = post("/api/auth/callback", kind, parameters.into_bytes());
    let cookie = login.cookie.parse().unwrap();
    request.headers_mut().insert(header::COOKIE, cookie);
    let answer = stand.send(request);
    answer.check();
    assert_eq!(answer.status, 405, "{answer:?}");
    assert_eq!(stand.provider.take_token_requests(), 0);
    assert_eq!(answer.session_cookie(), None, "{answer:?}");
}

/// `None` for what no browser can put into a URL.
fn send(stand: &Stand, parameters: &str, cookie: Option<&str>) -> Option<Answer> {
    let path = format!("/api/auth/callback?{parameters}");
    if path.parse::<http::Uri>().is_err() {
        return None;
    }
    let mut request = get(&path);
    if let Some(cookie) = cookie {
        let cookie = cookie.parse().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie);
    }
    let answer = stand.send(request);
    answer.check();
    Some(answer)
}

/// All values of a parameter, by another parser than the companion's.
fn said(parameters: &str, name: &str) -> Vec<String> {
    // What follows is the fragment, which is not sent.
    let query = parameters.split('#').next().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}
