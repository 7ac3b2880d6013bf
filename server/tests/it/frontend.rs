//! The component page and the files under `/static/`, as the server serves them.

use std::path::Path;

use http::{Method, StatusCode};
use tempfile::TempDir;

use crate::harness::{Call, World};

const CODE_FILE: &str = "frontend-0123456789abcdef.js";

/// A built frontend, as far as the server looks.
fn frontend() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    build_into(directory.path());
    directory
}

fn build_into(directory: &Path) {
    let page = r#"<html><meta name="component-auth0:origins" content=""><script src="/static/x.js"></script></html>"#;
    std::fs::write(directory.join("index.html"), page).unwrap();
    std::fs::write(directory.join(CODE_FILE), "export {}").unwrap();
    std::fs::write(directory.join(format!("{CODE_FILE}.br")), "brotli").unwrap();
    std::fs::create_dir(directory.join("inner")).unwrap();
    std::fs::write(directory.join("inner/secret.txt"), "secret").unwrap();
}

async fn world_with_frontend(directory: &TempDir) -> World {
    World::with(&[("STATIC_DIR", directory.path().to_str().unwrap())]).await
}

// D38, D39: only configured pages frame the component, and it runs files of ours only.
#[tokio::test]
async fn the_component_is_framed_by_configured_origins_only() {
    let directory = frontend();
    let world = world_with_frontend(&directory).await;
    for path in [
        "/streamlit",
        "/streamlit/",
        "/streamlit?streamlitUrl=http://x/",
    ] {
        let answer = world.browser().open(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        let csp = answer.header("content-security-policy");
        assert!(
            csp.ends_with("frame-ancestors http://127.0.0.1:4010 http://localhost:4010 https://portal.example.org"),
            "{csp}"
        );
        assert!(
            csp.contains("script-src 'self' 'wasm-unsafe-eval';"),
            "{csp}"
        );
        assert!(csp.contains("connect-src 'self';") && csp.contains("base-uri 'none'"));
        // Chromium applies it to every redirect of the login form.
        assert!(!csp.contains("form-action"));
        assert!(!csp.contains("'unsafe-"));
        assert!(!answer.headers.contains_key("x-frame-options"));
        assert_eq!(answer.header("referrer-policy"), "strict-origin");
        assert!(answer.set_cookies().is_empty());
        // G02: pages that embed the app are no pages that may talk to the frame.
        assert!(
            answer
                .body
                .contains(r#"content="http://127.0.0.1:4010 http://localhost:4010""#)
        );
    }
}

// D26
#[tokio::test]
async fn streamlits_probe_of_the_component_is_answered_to_streamlit_origins_only() {
    let directory = frontend();
    let world = world_with_frontend(&directory).await;
    let probe = async |origin: &str| {
        let call = Call::new(Method::GET, "/streamlit")
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", "cors");
        world.browser().send(call).await
    };
    for known in ["http://127.0.0.1:4010", "http://localhost:4010"] {
        let answer = probe(known).await;
        assert_eq!(answer.header("access-control-allow-origin"), known);
        assert!(
            !answer
                .headers
                .contains_key("access-control-allow-credentials")
        );
        assert!(answer.vary().contains("Origin"));
    }
    for stranger in [
        "https://portal.example.org",
        "https://evil.test",
        "null",
        "http://127.0.0.1:4010.evil.test",
        "http://127.0.0.1:40100",
        "https://127.0.0.1:4010",
        "http://LOCALHOST:4010",
    ] {
        let answer = probe(stranger).await;
        assert!(
            !answer.headers.contains_key("access-control-allow-origin"),
            "{stranger}"
        );
        assert!(answer.vary().contains("Origin"));
    }
}

/// What is asked for, and where a server that joined it to its folder would find a file.
const TRAVERSALS: &[(&str, &str)] = &[
    ("../secret.txt", "../secret.txt"),
    ("..%2fsecret.txt", "../secret.txt"),
    ("%2e%2e/secret.txt", "../secret.txt"),
    ("%2e%2e%2fsecret.txt", "../secret.txt"),
    ("inner%2f..%2f..%2fsecret.txt", "inner/../../secret.txt"),
    ("..%2fbeside%2fsecret.txt", "../beside/secret.txt"),
    ("%2fetc%2fpasswd", "/etc/passwd"),
    ("inner/secret.txt", "inner/secret.txt"),
    ("inner%2fsecret.txt", "inner/secret.txt"),
    ("link.txt", "link.txt"),
    ("index.html", "index.html"),
    (
        "frontend-0123456789abcdef.js.br",
        "frontend-0123456789abcdef.js.br",
    ),
];

// A24, A26: names are looked up, never joined to a path.
#[tokio::test]
async fn static_files_cannot_be_traversed() {
    let outside = tempfile::tempdir().unwrap();
    let directory = outside.path().join("static");
    std::fs::create_dir(&directory).unwrap();
    build_into(&directory);
    std::fs::create_dir(outside.path().join("beside")).unwrap();
    for secret in ["secret.txt", "beside/secret.txt"] {
        std::fs::write(outside.path().join(secret), "secret").unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", directory.join("link.txt")).unwrap();
    let world = World::with(&[("STATIC_DIR", directory.to_str().unwrap())]).await;
    let browser = world.browser();
    let good = browser.page_get(&format!("/static/{CODE_FILE}")).await;
    assert_eq!(
        (good.status, good.body.as_str()),
        (StatusCode::OK, "export {}")
    );
    assert_eq!(
        good.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    for (name, target) in TRAVERSALS {
        let target = directory.join(target);
        assert!(target.is_file(), "there is something at {name}");
        let answer = browser.page_get(&format!("/static/{name}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name}");
        answer.assert(404, "not_found");
    }
    // A separator on Windows only; and what is no name anywhere.
    for name in [
        "..%5csecret.txt",
        "inner%5csecret.txt",
        "%5c%5cevil.test%5cshare",
        "frontend-0123456789abcdef.js%00.css",
        ".",
        "",
    ] {
        let answer = browser.page_get(&format!("/static/{name}")).await;
        answer.assert(404, "not_found");
    }
}

#[tokio::test]
async fn static_files_are_served_encoded_typed_and_revalidated() {
    let directory = frontend();
    let world = world_with_frontend(&directory).await;
    let browser = world.browser();
    let path = format!("/static/{CODE_FILE}");
    let encoded = browser
        .send(Call::new(Method::GET, &path).header("accept-encoding", "gzip, br"))
        .await;
    assert_eq!(
        (encoded.header("content-encoding"), encoded.body.as_str()),
        ("br", "brotli")
    );
    assert!(encoded.vary().contains("Accept-Encoding"));
    assert_eq!(
        encoded.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert_eq!(
        encoded.header("cross-origin-resource-policy"),
        "same-origin"
    );
    let again = Call::new(Method::GET, &path).header("if-none-match", encoded.header("etag"));
    let again = browser.send(again).await;
    assert_eq!(
        (again.status, again.body.as_str()),
        (StatusCode::NOT_MODIFIED, "")
    );
}

// Invariant 8: an error page is a page, under whatever address it happens.
#[tokio::test]
async fn an_error_page_among_the_files_cannot_be_framed() {
    let world = World::new().await;
    let answer = world.browser().open("/static/nothing.js").await;
    answer.assert_page(404, "not_found");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert!(
        answer
            .header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
}
