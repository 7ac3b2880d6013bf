//! The whole `Cookie` header (A33, A45, A48, D49, E50): somebody is signed in only by a
//! cookie whose value is the very id that was given out.

use http::{HeaderValue, header};

use super::filled_in;
use crate::stand::{CHALLENGE, STREAMLIT_ORIGIN, Stand, get, post, with_stand};

/// `{session}` stands for the id of a person who is signed in.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    with_stand(|stand| {
        let cookies = filled_in(text, &[("session", &stand.session)]);
        let Ok(cookies) = HeaderValue::from_str(&cookies) else {
            return;
        };
        let may_be_known = text.contains("{session}");
        for is_frame in [false, true] {
            assert_known_only_if(stand, &cookies, is_frame, may_be_known && !is_frame);
        }
    });
}

fn assert_known_only_if(stand: &Stand, cookies: &HeaderValue, is_frame: bool, may_be: bool) {
    let mut me = get("/api/auth/me");
    me.headers_mut().insert(header::COOKIE, cookies.clone());
    let body = format!(r#"{{"challenge":"{CHALLENGE}","host_origin":"{STREAMLIT_ORIGIN}"}}"#);
    let mut ticket = post("/api/auth/ticket", "application/json", body.into_bytes());
    ticket.headers_mut().insert(header::COOKIE, cookies.clone());
    for mut request in [me, ticket] {
        if is_frame {
            let frame = HeaderValue::from_static(shared::routes::FRAME);
            request.headers_mut().insert("x-component-auth0", frame);
        }
        let answer = stand.send(request);
        answer.check();
        let is_known = answer.status == 200;
        assert!(is_known || answer.status == 401, "{cookies:?}: {answer:?}");
        assert!(!is_known || may_be, "{cookies:?}: {answer:?}");
        assert!(is_known || !answer.contains("the-person"), "{cookies:?}");
    }
}
