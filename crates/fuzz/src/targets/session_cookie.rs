//! The whole `Cookie` header (A33, A45, A48, D49, E50): somebody is signed in only by a
//! cookie whose value is the very id that was given out.

use http::{HeaderValue, header};

use super::filled_in;
use crate::stand::{Answer, CHALLENGE, STREAMLIT_ORIGIN, as_frame, get, post, with_stand};

/// `{session}` and `{frame}` stand for the ids of a person who is signed in.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    with_stand(|stand| {
        let values = [("session", &*stand.session), ("frame", &*stand.frame)];
        let Ok(cookies) = HeaderValue::from_str(&filled_in(text, &values)) else {
            return;
        };
        let body = format!(r#"{{"challenge":"{CHALLENGE}","host_origin":"{STREAMLIT_ORIGIN}"}}"#);
        let ticket = post("/api/auth/ticket", "application/json", body.into_bytes());
        // Each by its own cookie only: two cookies never mix two people.
        let (by_page, by_frame) = (text.contains("{session}"), text.contains("{frame}"));
        for (mut request, may_be_known) in [
            (get("/api/auth/me"), by_page),
            (as_frame(get("/api/auth/me")), by_frame),
            (as_frame(ticket), by_frame),
        ] {
            request
                .headers_mut()
                .insert(header::COOKIE, cookies.clone());
            assert_known_only_if(may_be_known, &stand.send(request), &cookies);
        }
    });
}

fn assert_known_only_if(may_be: bool, answer: &Answer, cookies: &HeaderValue) {
    answer.check();
    let is_known = answer.status == 200;
    assert!(is_known || answer.status == 401, "{cookies:?}: {answer:?}");
    assert!(!is_known || may_be, "{cookies:?}: {answer:?}");
    assert!(is_known || !answer.contains("the-person"), "{cookies:?}");
}
