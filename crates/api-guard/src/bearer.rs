//! Finds the one access token of a request: in one `Authorization` header, nowhere else.

use http::{header::AUTHORIZATION, request::Parts};

/// Why a request has no token that could be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// No bearer credentials at all: no attempt, and so no error (RFC 6750 §3.1).
    NoCredentials,
    /// An attempt in a form that is refused: the reason's code, for the log.
    Malformed(&'static str),
}

/// The token, still unverified.
///
/// Tokens in queries are refused, even beside a good header: they end in logs and
/// histories, and RFC 6750 §2 forbids two ways at once.
pub(crate) fn access_token(request: &Parts) -> Result<&str, Absence> {
    const MALFORMED: Absence = Absence::Malformed("malformed_authorization_header");
    let has_query_token = request
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(names_access_token));
    if has_query_token {
        return Err(Absence::Malformed("token_in_query"));
    }
    let mut headers = request.headers.get_all(AUTHORIZATION).iter();
    let header = headers.next().ok_or(Absence::NoCredentials)?;
    if headers.next().is_some() {
        return Err(Absence::Malformed("several_authorization_headers"));
    }
    let header = header.to_str().map_err(|_| MALFORMED)?;
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    // RFC 9110 §11.1: the scheme is case-insensitive. Another scheme is no attempt with a
    // bearer token, and so no error.
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Absence::NoCredentials);
    }
    // A comma, a tab or a second space makes a list or a puzzle of it; `b64token` has none.
    if token.is_empty()
        || !token
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b',')
    {
        return Err(MALFORMED);
    }
    Ok(token)
}

fn names_access_token(pair: &str) -> bool {
    pair.split('=')
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("access_token"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str, headers: &[&str]) -> Parts {
        let mut request = Request::get(uri);
        for header in headers {
            request = request.header(AUTHORIZATION, *header);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn scheme_is_read_without_case() {
        for header in ["Bearer abc", "bearer abc", "BEARER abc"] {
            assert_eq!(access_token(&parts("/", &[header])).unwrap(), "abc");
        }
    }

    #[test]
    fn a_request_without_bearer_credentials_is_no_error() {
        for headers in [&[][..], &["Basic YTpi"], &["Digest x"], &[""]] {
            let answer = access_token(&parts("/", headers)).unwrap_err();
            assert_eq!(answer, Absence::NoCredentials, "{headers:?}");
        }
    }

    #[test]
    fn anything_but_one_token_in_one_header_is_refused() {
        for headers in [
            &["Bearer"][..],
            &["Bearer "],
            &["Bearer  abc"],
            &["Bearer\tabc"],
            &["Bearer abc def"],
            &["Bearer abc,def"],
            &["Bearer abc, Bearer def"],
            &["Bearer abc", "Bearer abc"],
            &["Basic YTpi", "Bearer abc"],
        ] {
            let answer = access_token(&parts("/", headers)).unwrap_err();
            let is_tab = headers[0].contains('\t');
            // With a tab there is no scheme `Bearer` at all.
            assert!(
                matches!(answer, Absence::Malformed(_)) || is_tab,
                "{headers:?}"
            );
        }
    }

    #[test]
    fn query_tokens_are_refused_even_beside_a_header() {
        for uri in [
            "/?access_token=abc",
            "/?a=b&access_token=abc",
            "/?Access_Token",
        ] {
            let answer = access_token(&parts(uri, &["Bearer abc"])).unwrap_err();
            assert_eq!(answer, Absence::Malformed("token_in_query"), "{uri}");
        }
        assert!(access_token(&parts("/?x=access_token", &["Bearer abc"])).is_ok());
    }
}
