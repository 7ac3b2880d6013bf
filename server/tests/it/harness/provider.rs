//! The provider's window in a browser: its pages, its cookie, its redirects. In-process;
//! the companion's own requests go over HTTP.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use dev_tenant::DevTenant;
use http::{HeaderValue, Request, StatusCode, header};
use tower::ServiceExt as _;
use url::Url;

use super::answer::Answer;

/// Where the provider sends the browser.
pub(crate) enum SentTo {
    /// By redirect.
    Redirect(Url),
    /// By a form that posts itself.
    FormPost {
        url: Url,
        fields: Vec<(String, String)>,
    },
}

#[derive(Clone)]
pub(crate) struct ProviderWindow {
    tenant: DevTenant,
    app: Router,
    cookie: Arc<Mutex<Option<String>>>,
}

impl ProviderWindow {
    pub(crate) fn new(tenant: DevTenant) -> Self {
        Self {
            app: tenant.router(),
            tenant,
            cookie: Arc::default(),
        }
    }

    /// Answers the login page as `username`, or not at all if the provider knows the person.
    pub(crate) async fn sign_in(&self, authorize: &Url, username: &str) -> SentTo {
        let password = format!("{username}-password");
        let answer = self.open(authorize).await;
        let Some(transaction) = login_transaction(&answer) else {
            return sent_to(&answer);
        };
        let form = [
            ("state", transaction.as_str()),
            ("username", username),
            ("password", &password),
        ];
        sent_to(&self.post("/login", &form).await)
    }

    /// The person presses "decline".
    pub(crate) async fn decline(&self, authorize: &Url) -> SentTo {
        let answer = self.open(authorize).await;
        let transaction = login_transaction(&answer).expect("a login page");
        let form = [("state", transaction.as_str()), ("action", "decline")];
        sent_to(&self.post("/login", &form).await)
    }

    /// The person clears the provider's cookies.
    pub(crate) fn forget(&self) {
        *self.cookie.lock().unwrap() = None;
    }

    pub(crate) async fn open(&self, url: &Url) -> Answer {
        let target = &url[url::Position::BeforePath..];
        self.send(Request::get(target).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = serde_urlencoded::to_string(form).unwrap();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, self.tenant.issuer().trim_end_matches('/'));
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn send(&self, mut request: Request<Body>) -> Answer {
        let host = HeaderValue::from_static("localhost");
        request.headers_mut().insert(header::HOST, host);
        if let Some(cookie) = &*self.cookie.lock().unwrap() {
            let cookie = cookie.parse().unwrap();
            request.headers_mut().insert(header::COOKIE, cookie);
        }
        let answer = Answer::read(self.app.clone().oneshot(request).await.unwrap()).await;
        if let Some(set) = answer.headers.get(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            *self.cookie.lock().unwrap() = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        answer
    }
}

fn login_transaction(answer: &Answer) -> Option<String> {
    let to_login = answer.status == StatusCode::SEE_OTHER;
    let transaction = answer.header("location").strip_prefix("/login?state=")?;
    to_login.then(|| transaction.to_owned())
}

fn sent_to(answer: &Answer) -> SentTo {
    if answer.status == StatusCode::SEE_OTHER {
        return SentTo::Redirect(answer.location());
    }
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let url = attribute(&answer.body, "action").expect("a form");
    let fields = answer.body.split("<input").skip(1).map(|input| {
        (
            attribute(input, "name").unwrap(),
            attribute(input, "value").unwrap(),
        )
    });
    SentTo::FormPost {
        url: Url::parse(&url).unwrap(),
        fields: fields.collect(),
    }
}

fn attribute(html: &str, name: &str) -> Option<String> {
    let (_, rest) = html.split_once(&format!("{name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&amp;", "&"))
}

impl SentTo {
    /// The redirect; with `form_post` there is none.
    #[track_caller]
    pub(crate) fn redirect(self) -> Url {
        match self {
            Self::Redirect(url) => url,
            Self::FormPost { url, .. } => panic!("a form to {url}"),
        }
    }
}
