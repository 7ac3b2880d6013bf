//! A browser: keeps cookies and sends, for each kind of request, the headers that a real
//! one sends (measured, platform-facts §2). It follows no redirect by itself.

use std::sync::{Arc, Mutex};

use crate::harness::App;
use axum::body::Body;
use http::{HeaderValue, Method, Request, header};
use serde_json::Value;
use tower::ServiceExt as _;
use url::Url;

use super::answer::Answer;
use super::jar::{Jar, Place, Sender, Topology};
use super::provider::ProviderWindow;
use super::world::{Exchange, World};

/// Clones are the same browser: they share its cookies.
#[derive(Clone)]
pub(crate) struct Browser {
    app: App,
    base: String,
    pub(crate) jar: Arc<Jar>,
    pub(crate) provider: ProviderWindow,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

/// One request, before the browser adds what is its own.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) place: Place,
    pub(crate) sender: Sender,
}

impl Call {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: String::new(),
            place: Place::Window,
            sender: Sender::Own,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Without a header that was set before.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    /// With another value of a header that was set before.
    pub(crate) fn replace(self, name: &'static str, value: impl Into<String>) -> Self {
        self.without(name).header(name, value)
    }

    pub(crate) fn from(mut self, sender: Sender) -> Self {
        self.sender = sender;
        self
    }

    fn fetch_metadata(self, site: &str, mode: &str, destination: &str) -> Self {
        self.header("sec-fetch-site", site)
            .header("sec-fetch-mode", mode)
            .header("sec-fetch-dest", destination)
    }

    /// A navigation of a whole window.
    pub(crate) fn navigation(path: impl Into<String>, site: &str) -> Self {
        Self::new(Method::GET, path)
            .header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
            .fetch_metadata(site, "navigate", "document")
    }

    /// The form that a page of `origin` posts into a window.
    pub(crate) fn form(path: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let mut call = Self::new(Method::POST, path)
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded");
        call.body = serde_urlencoded::to_string(fields).unwrap();
        call
    }

    /// A fetch of the frame, without its origin.
    pub(crate) fn frame(method: Method, path: impl Into<String>) -> Self {
        let mut call = Self::new(method, path)
            .header("accept", "*/*")
            .header("x-component-auth0", "frame")
            .fetch_metadata("same-origin", "cors", "empty");
        call.place = Place::Frame;
        call
    }
}

impl Browser {
    pub(crate) fn new(world: &World, topology: Topology) -> Self {
        Self {
            app: world.app.clone(),
            base: world.base.clone(),
            jar: Arc::new(Jar::new(world.clock.clone(), topology)),
            provider: ProviderWindow::new(world.tenant.clone()),
            exchanges: Arc::clone(&world.exchanges),
        }
    }

    /// The same browser, in front of a companion that was started again.
    pub(crate) fn before(&self, world: &World) -> Self {
        Self {
            app: world.app.clone(),
            ..self.clone()
        }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request as it is, with cookies and `Host`.
    pub(crate) async fn send(&self, call: Call) -> Answer {
        let url = Url::parse(&self.base).unwrap();
        let mut request = Request::builder().method(call.method).uri(&call.path);
        if !call.headers.iter().any(|(name, _)| *name == "host") {
            request = request.header(
                header::HOST,
                &url[url::Position::BeforeHost..url::Position::AfterPort],
            );
        }
        for (name, value) in &call.headers {
            request = request.header(*name, HeaderValue::try_from(value).unwrap());
        }
        if let Some(cookies) = self.jar.header(call.place, call.sender) {
            request = request.header(header::COOKIE, cookies);
        }
        let request = request.body(Body::from(call.body)).unwrap();
        let answer = Answer::read(self.app.clone().oneshot(request).await.unwrap()).await;
        self.jar.take(&answer.headers, call.place);
        self.exchanges.lock().unwrap().push(Exchange {
            to_browser: true,
            path: call.path,
            answer: answer.clone(),
        });
        answer
    }

    /// The person types an address, or follows a bookmark.
    pub(crate) async fn open(&self, path: &str) -> Answer {
        self.send(Call::navigation(path, "none").header("sec-fetch-user", "?1"))
            .await
    }

    /// A page of another site leads here: a link, or the provider's redirect.
    pub(crate) async fn follow_foreign(&self, path: &str) -> Answer {
        self.send(Call::navigation(path, "cross-site").from(Sender::ForeignLink))
            .await
    }

    /// A form of one of our own pages, or the frame's form into the popup.
    pub(crate) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(self.own_form(path, fields)).await
    }

    pub(crate) fn own_form(&self, path: &str, fields: &[(&str, &str)]) -> Call {
        Call::form(path, fields)
            .header("origin", &self.base)
            .fetch_metadata("same-origin", "navigate", "document")
    }

    /// The frame fetches.
    pub(crate) async fn frame_post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.frame_call(path, body)).await
    }

    pub(crate) fn frame_call(&self, path: &str, body: &Value) -> Call {
        let mut call = Call::frame(Method::POST, path)
            .header("origin", &self.base)
            .header("content-type", "application/json");
        call.body = body.to_string();
        call
    }

    pub(crate) async fn frame_get(&self, path: &str) -> Answer {
        self.send(Call::frame(Method::GET, path)).await
    }

    /// A script of one of our own pages fetches.
    pub(crate) async fn page_get(&self, path: &str) -> Answer {
        self.send(
            Call::new(Method::GET, path)
                .header("accept", "*/*")
                .fetch_metadata("same-origin", "cors", "empty"),
        )
        .await
    }

    /// Names of the login transactions under way.
    pub(crate) fn transactions(&self) -> Vec<String> {
        let cookies = self.jar.cookies(Place::Window);
        cookies
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| name.contains("-login-"))
            .collect()
    }

    /// Value of the window's first cookie whose name contains `part`.
    pub(crate) fn cookies_of_window(&self, part: &str) -> String {
        let cookies = self.jar.cookies(Place::Window);
        let found = cookies.into_iter().find(|(name, _)| name.contains(part));
        found.expect("such a cookie").1
    }

    /// Names and values of all cookies, of window and frame.
    pub(crate) fn all_cookies(&self) -> Vec<(String, String)> {
        self.jar.all()
    }
}
