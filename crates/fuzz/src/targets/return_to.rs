//! Where a login may end (A06, A09, A21, D44): what is accepted leads, by a browser's own
//! rules, to a page of ours that is no API, or to the exact origin of a Streamlit app.

use http::HeaderValue;
use server::auth::return_to::ReturnTo;
use url::Url;

use crate::stand::{BASE, STREAMLIT_ORIGIN, with_stand};

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    with_stand(|stand| {
        let Some(place) = ReturnTo::parse(text, &stand.settings) else {
            return;
        };
        assert_eq!(place.as_str(), text, "repaired");
        assert!(HeaderValue::from_str(text).is_ok(), "{text:?}");
        assert_stays(text);
        assert_is_no_api(text);
        // Some proxy may decode it once more before a browser sees it.
        let path = text.split('?').next().unwrap_or_default();
        if let Some(decoded) = percent_decoded(path) {
            assert_stays(&decoded);
            assert_is_no_api(&decoded);
        }
    });
}

fn assert_stays(text: &str) {
    let resolved = resolved(text);
    let origin = resolved.origin().ascii_serialization();
    assert!(origin == BASE || origin == STREAMLIT_ORIGIN, "{text:?}");
    assert!(origin == BASE || resolved.path() == "/", "{text:?}");
    assert!(resolved.username().is_empty() && resolved.password().is_none());
}

fn assert_is_no_api(text: &str) {
    let path = resolved(text).path().to_ascii_lowercase();
    assert!(path != "/api" && !path.starts_with("/api/"), "{text:?}");
}

fn resolved(text: &str) -> Url {
    let base = Url::parse(BASE).unwrap();
    base.join(text).expect("a browser can go there")
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let hex = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}
