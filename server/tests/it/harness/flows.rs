//! The honest flows, step by step, for tests that need what comes after them.

use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::answer::Answer;
use super::browser::{Browser, Call};
use super::host::Host;
use super::jar::Sender;
use super::provider::SentTo;
use super::world::{World, s256};

/// The frame's own secret for one login.
#[derive(Clone)]
pub(crate) struct Handoff {
    pub(crate) verifier: String,
}

impl Handoff {
    pub(crate) fn new(world: &World) -> Self {
        Self {
            verifier: world.random_256(),
        }
    }

    pub(crate) fn challenge(&self) -> String {
        s256(&self.verifier)
    }
}

/// Somebody signed in everywhere: window, frame and Streamlit host.
pub(crate) struct SignedIn {
    pub(crate) browser: Browser,
    pub(crate) host: Host,
    /// The handoff's answer.
    pub(crate) frame: Value,
    /// The redeem's answer.
    pub(crate) redeemed: Value,
}

impl SignedIn {
    pub(crate) fn grant(&self) -> &str {
        self.redeemed["grant"].as_str().unwrap()
    }
}

impl World {
    /// The whole login in a new browser.
    pub(crate) async fn signed_in(&self, username: &str) -> SignedIn {
        let browser = self.browser();
        let host = Host::new(self);
        let frame = browser.sign_in_frame(self, &host, username).await;
        let redeemed = host.redeem(frame["ticket"].as_str().unwrap()).await.ok();
        SignedIn {
            browser,
            host,
            frame,
            redeemed,
        }
    }
}

impl Browser {
    /// The frame posts its form into the popup; answers the authorization request.
    pub(crate) async fn begin_popup(&self, handoff: &Handoff) -> Url {
        let challenge = handoff.challenge();
        self.submit("/api/auth/login", &[("handoff_challenge", &challenge)])
            .await
            .location()
    }

    /// A login of a window of its own; answers the authorization request.
    pub(crate) async fn begin_page(&self) -> Url {
        self.open("/api/auth/login").await.location()
    }

    /// The person signs in at the provider; answers the redirect to the callback.
    pub(crate) async fn authenticate(&self, authorize: &Url, username: &str) -> Url {
        self.provider.sign_in(authorize, username).await.redirect()
    }

    /// The provider's redirect arrives.
    pub(crate) async fn arrive(&self, callback: &Url) -> Answer {
        self.follow_foreign(&callback[url::Position::BeforePath..])
            .await
    }

    /// The provider sends the browser here in whatever way.
    pub(crate) async fn arrive_by(&self, sent: SentTo) -> Answer {
        match sent {
            SentTo::Redirect(url) => self.arrive(&url).await,
            SentTo::FormPost { url, fields } => {
                let fields: Vec<(&str, &str)> = fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                self.send(
                    Call::form(url.path(), &fields)
                        .header("origin", "http://127.0.0.1")
                        .header("sec-fetch-site", "cross-site")
                        .header("sec-fetch-mode", "navigate")
                        .header("sec-fetch-dest", "document")
                        .from(Sender::ForeignRequest),
                )
                .await
            }
        }
    }

    /// Steps 3 to 6 of the login in the popup; the last answer.
    pub(crate) async fn popup_login(&self, handoff: &Handoff, username: &str) -> Answer {
        let authorize = self.begin_popup(handoff).await;
        let callback = self.authenticate(&authorize, username).await;
        let answer = self.arrive(&callback).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer
    }

    /// A login of a window of its own; the callback's answer.
    pub(crate) async fn page_login(&self, username: &str) -> Answer {
        let authorize = self.begin_page().await;
        let callback = self.authenticate(&authorize, username).await;
        self.arrive(&callback).await
    }

    /// The frame asks for its login's result.
    pub(crate) async fn claim(&self, handoff: &Handoff, host: &Host) -> Answer {
        self.frame_post("/api/auth/handoff", &claim_body(handoff, host))
            .await
    }

    /// The frame asks who is signed in.
    pub(crate) async fn ticket(&self, host: &Host) -> Answer {
        let body = json!({ "challenge": host.challenge(), "host_origin": host.origin });
        self.frame_post("/api/auth/ticket", &body).await
    }

    /// The whole login in the popup, claimed by the frame; the claim's answer.
    pub(crate) async fn sign_in_frame(&self, world: &World, host: &Host, username: &str) -> Value {
        let handoff = Handoff::new(world);
        self.popup_login(&handoff, username).await;
        self.claim(&handoff, host).await.ok()
    }
}

pub(crate) fn claim_body(handoff: &Handoff, host: &Host) -> Value {
    json!({
        "verifier": handoff.verifier,
        "challenge": host.challenge(),
        "host_origin": host.origin,
    })
}
