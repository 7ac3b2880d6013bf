//! `/streamlit/hero`: the second framed page, protected as the first.

use tempfile::TempDir;

use crate::harness::{Call, STREAMLIT_ORIGIN, World};

const HERO: &str = "/streamlit/hero";

async fn world(hero: Option<&str>) -> (World, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let page = |title: &str| {
        format!(
            r#"<!doctype html><meta name="component-auth0:origins" content=""><title>{title}</title>"#
        )
    };
    std::fs::write(directory.path().join("index.html"), page("component")).unwrap();
    if let Some(script) = hero {
        let page = format!("{}<script>{script}</script>", page("hero"));
        std::fs::write(directory.path().join("hero.html"), page).unwrap();
    }
    let path = directory.path().to_str().unwrap();
    (World::with(&[("STATIC_DIR", path)]).await, directory)
}

#[tokio::test]
async fn the_hero_page_knows_the_origins_that_may_hold_it() {
    let (world, _files) = world(Some("let x;")).await;
    let answer = world.browser().open(HERO).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(
        answer.body.contains("<title>hero</title>"),
        "{}",
        answer.body
    );
    let origins = r#"content="http://127.0.0.1:4010 http://localhost:4010""#;
    assert!(answer.body.contains(origins), "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert!(answer.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn the_hero_page_has_the_protections_of_the_component_page() {
    let (world, _files) = world(Some("let x;")).await;
    let browser = world.browser();
    let answers = [HERO, "/streamlit"].map(|path| {
        let call = Call::new(http::Method::GET, path).header("origin", STREAMLIT_ORIGIN);
        browser.send(call)
    });
    let [hero, component] = answers;
    let (hero, component) = (hero.await, component.await);
    for name in [
        "content-security-policy",
        "referrer-policy",
        "x-content-type-options",
        "permissions-policy",
        "access-control-allow-origin",
    ] {
        assert!(!hero.header(name).is_empty(), "{name}");
        assert_eq!(hero.header(name), component.header(name), "{name}");
    }
    let policy = hero.header("content-security-policy");
    assert!(
        policy.contains("frame-ancestors http://127.0.0.1:4010"),
        "{policy}"
    );
    assert!(!hero.headers.contains_key("x-frame-options"));
}

#[tokio::test]
async fn inline_scripts_of_the_hero_page_are_allowed_by_hash() {
    let (with, _files) = world(Some("let x;")).await;
    let (without, _other_files) = world(None).await;
    for (world, expected) in [(with, true), (without, false)] {
        let component = world.browser().open("/streamlit").await;
        let policy = component.header("content-security-policy");
        assert_eq!(policy.contains("'sha256-"), expected, "{policy}");
    }
}

#[tokio::test]
async fn a_build_without_hero_has_no_such_page_and_serves_the_component() {
    let (world, _files) = world(None).await;
    let browser = world.browser();
    assert_eq!(browser.open("/streamlit").await.status, 200);
    assert_eq!(browser.open(HERO).await.status, 404);
}

#[tokio::test]
async fn pages_are_no_files_under_static() {
    let (world, _files) = world(Some("let x;")).await;
    let browser = world.browser();
    for name in ["hero.html", "index.html"] {
        let answer = browser.open(&format!("/static/{name}")).await;
        assert_eq!(
            answer.status, 404,
            "{name} would be framed without its policy"
        );
    }
}
