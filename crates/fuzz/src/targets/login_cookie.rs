//! The transaction cookie (A33, A46, D49, E50): only what we sealed, for this very login,
//! opens. Everything else is as if there were none.

use std::cell::OnceCell;

use http::{HeaderValue, header};

use crate::stand::{CODE, LoginUnderWay, get, with_stand};

thread_local! {
    static LOGIN: OnceCell<LoginUnderWay> = const { OnceCell::new() };
}

/// The input is the cookie's value; `{cookie}` stands for the good one, and an input that
/// begins with `^` is xored into it.
pub(crate) fn run(input: &[u8]) {
    LOGIN.with(|login| {
        let login = login.get_or_init(|| with_stand(crate::stand::Stand::begin_login));
        let (name, good) = login.cookie.split_once('=').unwrap();
        let value = match input.split_first() {
            Some((b'^', changes)) => xored(good.as_bytes(), changes),
            _ => replaced(input, good),
        };
        // With `;` it would be two cookies: the whole header is `session-cookie`'s.
        if value.contains(&b';') {
            return;
        }
        try_value(login, name, good, &value);
    });
}

fn try_value(login: &LoginUnderWay, name: &str, good: &str, value: &[u8]) {
    let is_good = value.trim_ascii() == good.as_bytes();
    if is_good || value.trim_ascii() == format!("\"{good}\"").as_bytes() {
        return;
    }
    let header_value = [name.as_bytes(), b"=", value].concat();
    let Ok(header_value) = HeaderValue::from_bytes(&header_value) else {
        return;
    };
    with_stand(|stand| {
        stand.provider.take_token_requests();
        let path = format!("/api/auth/callback?state={}&code={CODE}", login.state);
        let mut request = get(&path);
        request
            .headers_mut()
            .insert(header::COOKIE, header_value.clone());
        let answer = stand.send(request);
        answer.check();
        assert_eq!(stand.provider.take_token_requests(), 0, "{header_value:?}");
        assert_eq!(answer.session_cookie(), None, "{header_value:?}");
        // Nor does it keep anybody from beginning again (A47).
        let mut request = get("/api/auth/login");
        request.headers_mut().insert(header::COOKIE, header_value);
        let answer = stand.send(request);
        answer.check();
        assert_eq!(answer.status, 303, "{answer:?}");
    });
}

fn xored(good: &[u8], changes: &[u8]) -> Vec<u8> {
    let changes = changes.iter().chain(std::iter::repeat(&0));
    good.iter()
        .zip(changes)
        .map(|(byte, change)| byte ^ change)
        .collect()
}

fn replaced(input: &[u8], good: &str) -> Vec<u8> {
    String::from_utf8_lossy(input)
        .replace("{cookie}", good)
        .into_bytes()
}
