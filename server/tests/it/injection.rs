//! What an attacker writes into a URL, a form, or their own profile at the provider: it
//! leads nobody elsewhere (A21, D44), becomes no markup (A05, D43) and no header (D42).

use std::collections::BTreeSet;

use http::Method;
use url::Url;

use crate::harness::{Answer, Browser, Call, World};

/// Each of these has led some product's users elsewhere (A06, A09, A21, A43).
pub(crate) const REDIRECTS: &[&str] = &[
    "https://evil.test",
    "http://evil.test/",
    "//evil.test",
    "///evil.test",
    "////evil.test/%2e%2e",
    "/\\evil.test",
    "\\/evil.test",
    "\\\\evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    " //evil.test",
    "%2f%2fevil.test",
    "/%2f/evil.test",
    "/%252f/evil.test",
    "/%5cevil.test",
    "/%09/evil.test",
    "/.evil.test",
    "/./evil.test",
    "/..//evil.test",
    "/;@evil.test",
    "/@evil.test",
    "@evil.test",
    ":80",
    "https:evil.test",
    "https:/evil.test",
    "http:evil.test",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://evil.test",
    "http://127.0.0.1:4010@evil.test",
    "http://127.0.0.1:4010.evil.test",
    "http://127.0.0.1:4010\\@evil.test",
    "http://127.0.0.1:4010#@evil.test",
    "http://127.0.0.1:4010/path",
    "http://127.0.0.1:40100",
    "http://localhost:3001@evil.test",
    "http://localhost:3001.evil.test",
    "http://①②⑦.⓪.⓪.①:4010",
    "http://0x7f000001:4010",
    "http://[::1]:4010",
    "https://portal.example.org",
    "/／evil.test",
    "/。evil.test",
    "/\u{200b}/evil.test",
    "/api/auth/logout",
    "null",
];
/// Names under which products take a place to go to.
const PARAMETERS: &[&str] = &[
    "returnTo",
    "return_to",
    "redirect_uri",
    "redirect",
    "redirectTo",
    "post_logout_redirect_uri",
    "target_link_uri",
    "next",
    "url",
    "continue",
    "rd",
    "federated",
];

pub(crate) fn query(parameters: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(parameters).unwrap()
}

/// Every parameter with this value.
pub(crate) fn everywhere(place: &str) -> Vec<(&str, &str)> {
    PARAMETERS.iter().map(|name| (*name, place)).collect()
}

fn is_own(answer: &Answer, places: &[&str]) -> bool {
    places.contains(&answer.header("location"))
}

#[tokio::test]
async fn no_parameter_of_a_login_or_its_callback_leads_elsewhere() {
    let world = World::new().await;
    let issuer = Url::parse(world.tenant.issuer()).unwrap();
    for place in REDIRECTS {
        let browser = world.browser();
        let parameters = everywhere(place);
        let begun = browser.submit("/api/auth/login", &parameters).await;
        let authorize = begun.location();
        assert_eq!(authorize.origin(), issuer.origin(), "{place:?}");
        let sent: BTreeSet<_> = authorize.query_pairs().into_owned().collect();
        let redirect_uri = sent.iter().find(|(name, _)| name == "redirect_uri");
        assert_eq!(
            redirect_uri.unwrap().1,
            "http://localhost:3001/api/auth/callback",
            "{place:?}"
        );
        let mut callback = browser.authenticate(&authorize, "ada").await;
        callback.query_pairs_mut().extend_pairs(&parameters);
        let answer = browser.arrive(&callback).await;
        assert!(
            is_own(&answer, &["/signed-in"]),
            "{place:?}: {}",
            answer.header("location")
        );
        // Once more, for the browser that has finished it.
        let again = browser.arrive(&callback).await;
        assert!(is_own(&again, &["/signed-in"]), "{place:?}");
    }
}

#[tokio::test]
async fn no_parameter_of_a_logout_leads_elsewhere() {
    let world = World::with(&[("FEDERATED_LOGOUT", "true")]).await;
    let issuer = world.tenant.issuer();
    for place in REDIRECTS {
        let browser = world.browser();
        browser.page_login("ada").await;
        let parameters = everywhere(place);
        let path = format!("/api/auth/logout?{}", query(&parameters));
        let out = browser.submit(&path, &parameters).await.location();
        assert!(out.as_str().starts_with(issuer), "{place:?}: {out}");
        let back = out
            .query_pairs()
            .find(|(name, _)| name == "post_logout_redirect_uri");
        assert_eq!(back.unwrap().1, "http://localhost:3001/", "{place:?}");
        // Nobody is signed in any more: it stays here.
        let again = browser.submit(&path, &parameters).await;
        assert!(again.header("location").starts_with('/'), "{place:?}");
        assert!(!again.header("location").starts_with("//"), "{place:?}");
    }
}

/// Pages that a person can be sent to.
const PAGES: &[&str] = &[
    "/",
    "/signed-in",
    "/signed-out",
    "/api/auth/logout",
    "/api/auth/callback",
    "/api/auth/me",
    "/api/auth/ticket",
    "/nowhere",
    "/static/nothing",
    "/streamlit/nothing",
];

#[tokio::test]
async fn no_page_redirects_whatever_stands_in_its_address() {
    let world = World::new().await;
    let signed_in = world.browser();
    signed_in.page_login("ada").await;
    for browser in [&signed_in, &world.browser()] {
        for place in REDIRECTS {
            let query = query(&everywhere(place));
            for page in PAGES {
                let answer = browser.follow_foreign(&format!("{page}?{query}")).await;
                assert!(
                    !answer.headers.contains_key("location"),
                    "{page}: {place:?}"
                );
                assert!(!answer.body.contains("evil.test"), "{page}: {place:?}");
            }
        }
        for path in [
            "//evil.test",
            "//evil.test/%2e%2e",
            "/%2f%2fevil.test",
            "/%5cevil.test",
        ] {
            let answer = browser.follow_foreign(path).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(!answer.headers.contains_key("location"), "{path}");
        }
    }
}

/// Each would become markup in some place of a page.
const MARKUP: &[&str] = &[
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover=alert(1) x='",
    "\" onmouseover=alert(1) x=\"",
    "<svg/onload=alert(1)>",
    "<!--<script>alert(1)//-->",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<base href=//evil.test>",
    "<meta http-equiv=refresh content=0;url=//evil.test>",
    "<style>@import'//evil.test'</style>",
    "]]><script>alert(1)</script>",
    "\u{2028}<script>alert(1)</script>\u{2029}",
    "\u{feff}<script>alert(1)</script>",
    "＜script＞alert(1)＜/script＞<script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}<x>",
    "javascript:alert(1)//<x>",
];

/// Nothing of `text` is markup: no tag or attribute of it stands in the page as such.
#[track_caller]
fn assert_only_text(page: &Answer, text: &str, place: &str) {
    assert!(
        page.header("content-type").starts_with("text/html"),
        "{place}"
    );
    // Between tags a quote is a quote.
    let is_tag = text.contains('<');
    assert!(
        !is_tag || !page.body.contains(text),
        "{text} in {place}: {}",
        page.body
    );
    let mut rest = page.body.as_str();
    while let Some((_, tag)) = rest.split_once('<') {
        let (tag, after) = tag.split_once('>').expect("a whole tag");
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        let known = [
            "!DOCTYPE", "html", "head", "meta", "title", "link", "body", "main", "div", "h1", "p",
            "a", "span", "form", "button", "code", "script", "!",
        ];
        assert!(
            known.contains(&name) || tag.starts_with("!--"),
            "<{tag}> in {place}"
        );
        assert!(
            name != "script" || tag.starts_with('/') || tag.contains("src=\"/static/"),
            "<{tag}> in {place}"
        );
        for attribute in [" on", "srcdoc", "http-equiv", "javascript:", "evil.test"] {
            assert!(!tag.contains(attribute), "<{tag}> in {place}");
        }
        rest = after;
    }
}

async fn every_page(browser: &Browser) -> Vec<(&'static str, Answer)> {
    let mut pages = Vec::new();
    for path in PAGES {
        let page = browser.open(path).await;
        // `/api/auth/me` answers JSON to whoever is signed in.
        if page.header("content-type").starts_with("text/html") {
            pages.push((*path, page));
        } else {
            assert_eq!(page.header("content-type"), "application/json", "{path}");
            assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        }
    }
    pages
}

#[tokio::test]
async fn claims_are_text_on_every_page() {
    let world = World::new().await;
    for markup in MARKUP {
        world.tenant.change_user("ada", |user| {
            user.name = (*markup).to_owned();
            user.given_name = (*markup).to_owned();
            user.family_name = (*markup).to_owned();
            user.email = (*markup).to_owned();
            user.picture = Some((*markup).to_owned());
        });
        let browser = world.browser();
        browser.page_login("ada").await;
        let pages = every_page(&browser).await;
        assert!(pages.len() >= 8);
        for (path, page) in &pages {
            assert_only_text(page, markup, path);
        }
        let launcher = &pages[0].1.body;
        assert!(launcher.contains("data-testid=\"user-name\""));
        let me = browser.page_get("/api/auth/me").await.ok();
        assert_eq!(
            me["user"]["name"],
            markup.trim(),
            "as it is, for textContent"
        );
        assert!(me["user"]["picture"].is_null());
    }
}

#[tokio::test]
async fn pictures_are_https_urls_without_credentials_or_absent() {
    let world = World::new().await;
    for picture in [
        "javascript:alert(1)",
        "data:image/svg+xml,<svg onload=alert(1)>",
        "http://example.org/a.png",
        "//evil.test/a.png",
        "https://user:secret@example.org/a.png",
        "blob:https://example.org/x",
        "file:///etc/passwd",
        "",
    ] {
        world
            .tenant
            .change_user("ada", |user| user.picture = Some(picture.to_owned()));
        let browser = world.browser();
        browser.page_login("ada").await;
        let me = browser.page_get("/api/auth/me").await.ok();
        assert!(me["user"]["picture"].is_null(), "{picture}: {me}");
    }
}

#[tokio::test]
async fn what_stands_in_an_address_is_on_no_page() {
    let world = World::new().await;
    let browser = world.browser();
    for markup in MARKUP {
        let names = [
            "state",
            "code",
            "error",
            "error_description",
            "iss",
            "returnTo",
            "x",
        ];
        let everything: Vec<_> = names.iter().map(|name| (*name, *markup)).collect();
        let query = query(&everything);
        let segment = query.rsplit_once('=').unwrap().1;
        let paths = PAGES
            .iter()
            .map(|page| format!("{page}?{query}"))
            .chain([format!("/{segment}"), format!("/static/{segment}")]);
        for path in paths {
            let page = browser.follow_foreign(&path).await;
            assert_only_text(&page, markup, &path);
            assert!(!page.body.contains("alert"), "{path}: {}", page.body);
        }
    }
}

// D42: line ends in whatever reaches a header.
#[tokio::test]
async fn line_ends_make_no_headers() {
    let world = World::new().await;
    let signed_in = world.browser();
    signed_in.page_login("ada").await;
    let splits = ["\r\n", "\n", "\r", "\r\n\r\n", "\u{560d}\u{560a}", "%0d%0a"];
    for split in splits {
        let text = format!("/x{split}Set-Cookie: injected=1{split}X-Injected: 1");
        let query = query(&everywhere(&text));
        for path in PAGES
            .iter()
            .chain(&["/api/auth/login", "/api/ping", "/streamlit"])
        {
            for browser in [&signed_in, &world.browser()] {
                let answer = browser.follow_foreign(&format!("{path}?{query}")).await;
                assert!(!answer.headers.contains_key("x-injected"), "{path}");
                let set = answer.set_cookie_lines().join("\n");
                assert!(!set.contains("injected"), "{path}: {set}");
                assert!(!answer.header("location").contains(['\r', '\n']), "{path}");
            }
        }
        let form = everywhere(&text);
        let authorize = world.browser().submit("/api/auth/login", &form).await;
        assert!(
            !authorize.header("location").contains("njected"),
            "{split:?}"
        );
    }
    // A header of ours that repeats one of the request's would.
    let mut call = Call::new(Method::GET, "/streamlit");
    call = call.header("origin", "http://127.0.0.1:4010 x-injected: 1");
    let answer = world.browser().send(call).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}
