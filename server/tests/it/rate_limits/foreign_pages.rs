//! Pages of somebody else in the browsers of honest people: what they can send uses up nobody's
//! share, and spends no login.

use super::*;

/// What a page of somebody else can make its visitors' browsers send, without a click.
fn sent_by_a_foreign_page() -> Vec<(&'static str, Method, &'static str, [&'static str; 4])> {
    let (login, callback) = ("/api/auth/login", "/api/auth/callback?code=c&state=s");
    let handoff = "/api/auth/handoff";
    let fetch = ["", "cross-site", "no-cors", "empty"];
    let frame = ["", "cross-site", "navigate", "iframe"];
    let post = ["https://evil.test", "cross-site", "no-cors", "empty"];
    let form = ["https://evil.test", "cross-site", "navigate", "iframe"];
    // Of an engine that does not send Fetch Metadata.
    let old = ["https://evil.test", "", "", ""];
    let preflight = ["https://evil.test", "cross-site", "cors", "empty"];
    let mut sent = vec![
        ("a form into a frame", Method::POST, callback, form),
        ("an old form", Method::POST, login, old),
        ("a fetch", Method::POST, callback, post),
    ];
    for (path, methods) in [
        (login, [Method::GET, Method::HEAD, Method::POST]),
        (callback, [Method::GET, Method::HEAD, Method::GET]),
        (handoff, [Method::GET, Method::HEAD, Method::POST]),
    ] {
        for method in methods {
            let fetch = if method == Method::POST { post } else { fetch };
            sent.push(("a fetch", method, path, fetch));
        }
        sent.push(("a preflight", Method::OPTIONS, path, preflight));
        sent.push(("a frame", Method::GET, path, frame));
    }
    sent.push(("a form into a frame", Method::POST, login, form));
    sent.push(("a form into a frame", Method::POST, handoff, form));
    sent
}

// A loop in one visitor's tab would lock out everybody behind the same address.
#[tokio::test]
async fn what_a_foreign_page_sends_is_refused_and_uses_up_nobodys_share() {
    let world = limited_world(&[]).await;
    let office = Client::at(&world, "192.0.2.1").without("origin");
    for (what, method, path, headers) in sent_by_a_foreign_page() {
        let names = [
            "origin",
            "sec-fetch-site",
            "sec-fetch-mode",
            "sec-fetch-dest",
        ];
        let sender = names
            .into_iter()
            .zip(headers)
            .filter(|(_, value)| !value.is_empty())
            .fold(office.clone(), |sender, (name, value)| {
                sender.saying(name, value)
            });
        // More often than anybody polls.
        for _ in 0..60 {
            let kind = "text/plain";
            let answer = sender.send(method.clone(), path, kind, String::new()).await;
            let status = answer.status;
            assert!(
                status.is_client_error() && status != LIMITED,
                "{what}: {method} {path}: {status}"
            );
            assert!(answer.set_cookies().is_empty());
        }
    }
    let visitor = Client::at(&world, "192.0.2.1");
    let handoff = Handoff::new(&world);
    for _ in 0..5 {
        let login = visitor.begin_login(&handoff.challenge()).await;
        assert_eq!(login.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(visitor.callbacks(8).await, 5);
    assert_eq!(visitor.poll(&handoff.verifier).await.status, 202);
}

#[tokio::test]
async fn clients_that_do_not_say_who_asks_are_counted() {
    let world = limited_world(&[]).await;
    for (method, path, share) in [
        (Method::GET, "/api/auth/login", 5),
        (Method::POST, "/api/auth/login", 5),
        (Method::GET, "/api/auth/callback?code=c&state=s", 5),
        (Method::POST, "/api/auth/handoff", 50),
    ] {
        let world = world.restarted(&[]);
        let script = Client::at(&world, "192.0.2.1").without("origin");
        let mut passed = 0;
        for _ in 0..2 * share {
            let answer = script.send(method.clone(), path, "text/plain", String::new());
            passed += usize::from(answer.await.status != LIMITED);
        }
        assert_eq!(passed, share, "{method} {path}");
    }
}

#[tokio::test]
async fn a_callback_that_is_no_navigation_of_a_window_spends_no_login() {
    let world = World::new().await;
    let browser = world.browser();
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    let path = &callback[url::Position::BeforePath..];
    for (name, value) in [
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-dest", "image"),
        ("sec-fetch-mode", "no-cors"),
    ] {
        let call = Call::navigation(path, "cross-site").replace(name, value);
        let answer = browser.send(call).await;
        answer.assert_page(400, "invalid_request");
    }
    assert_eq!(browser.transactions().len(), 1);
    let answer = browser.arrive(&callback).await;
    assert_eq!(answer.header("location"), "/signed-in", "{}", answer.body);
}

// Each ticket is a row in the store.
