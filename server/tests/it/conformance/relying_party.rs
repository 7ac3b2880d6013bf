//! One login of the relying party under test, and the suite's two verdicts on it.

use std::collections::BTreeMap;

use dev_tenant::FaultPlan;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use crate::harness::{Answer, Browser, Handoff, Host, SentTo, World, claim_body};

/// How the authorization response comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ResponseMode {
    Query,
    FormPost,
}

impl ResponseMode {
    fn setting(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }
}

/// Claims or members as a fault wants them; null removes.
pub(super) fn claims(patch: &Value) -> Map<String, Value> {
    patch.as_object().unwrap().clone()
}

/// A companion, and a person at a frame who is about to sign in.
pub(super) struct RelyingParty {
    pub(super) world: World,
    pub(super) browser: Browser,
    pub(super) host: Host,
    handoff: Handoff,
    mode: ResponseMode,
}

/// An authorization response that has not been delivered yet.
pub(super) struct AuthorizationResponse {
    pub(super) parameters: Vec<(String, String)>,
    callback: Url,
}

impl AuthorizationResponse {
    pub(super) fn parameter(&self, name: &str) -> String {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.expect("the parameter").1.clone()
    }

    pub(super) fn replace(&mut self, name: &str, value: &str) {
        self.parameters.retain(|(known, _)| known != name);
        self.parameters.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn repeat(&mut self, name: &str, value: &str) {
        self.parameters.push((name.to_owned(), value.to_owned()));
    }
}

/// What came of a login.
pub(super) struct Outcome<'a> {
    party: &'a RelyingParty,
    pub(super) answer: Answer,
    requests_before: BTreeMap<String, u64>,
}

impl RelyingParty {
    pub(super) async fn new(mode: ResponseMode) -> Self {
        Self::with(mode, &[]).await
    }

    pub(super) async fn with(mode: ResponseMode, settings: &[(&str, &str)]) -> Self {
        let mut settings = settings.to_vec();
        settings.push(("AUTH0_RESPONSE_MODE", mode.setting()));
        Self::at(mode, World::with(&settings).await)
    }

    pub(super) async fn with_fault(mode: ResponseMode, fault: impl FnOnce(&mut FaultPlan)) -> Self {
        let party = Self::new(mode).await;
        party.world.tenant.faults().set(fault);
        party
    }

    fn at(mode: ResponseMode, world: World) -> Self {
        Self {
            browser: world.browser(),
            handoff: Handoff::new(&world),
            host: Host::new(&world),
            world,
            mode,
        }
    }

    /// Another person at another frame of the same companion.
    pub(super) fn another(self) -> Self {
        Self::at(self.mode, self.world)
    }

    /// The frame posts its form into the popup; answers the authorization request.
    pub(super) async fn begin(&self, options: &[(&str, &str)]) -> Url {
        let challenge = self.handoff.challenge();
        let mut form = vec![("handoff_challenge", challenge.as_str())];
        form.extend(options);
        self.browser
            .submit("/api/auth/login", &form)
            .await
            .location()
    }

    /// The person signs in; the provider's response, undelivered.
    pub(super) async fn authenticate(&self, authorize: &Url) -> AuthorizationResponse {
        match self.browser.provider.sign_in(authorize, "ada").await {
            SentTo::Redirect(callback) => {
                assert_eq!(self.mode, ResponseMode::Query);
                AuthorizationResponse {
                    parameters: callback.query_pairs().into_owned().collect(),
                    callback,
                }
            }
            SentTo::FormPost { url, fields } => {
                assert_eq!(self.mode, ResponseMode::FormPost);
                AuthorizationResponse {
                    parameters: fields,
                    callback: url,
                }
            }
        }
    }

    pub(super) async fn deliver(&self, response: AuthorizationResponse) -> Outcome<'_> {
        let requests_before = self.world.tenant.journal().requests;
        let mut callback = response.callback;
        let answer = match self.mode {
            ResponseMode::Query => {
                let query = form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(&response.parameters)
                    .finish();
                callback.set_query(Some(&query));
                self.browser.arrive(&callback).await
            }
            ResponseMode::FormPost => {
                let sent = SentTo::FormPost {
                    url: callback,
                    fields: response.parameters,
                };
                self.browser.arrive_by(sent).await
            }
        };
        Outcome {
            party: self,
            answer,
            requests_before,
        }
    }

    /// The whole login.
    pub(super) async fn login(&self) -> Outcome<'_> {
        let authorize = self.begin(&[]).await;
        let response = self.authenticate(&authorize).await;
        self.deliver(response).await
    }

    /// The frame asks for the result, and does not wait for one.
    pub(super) async fn ask(&self) -> Answer {
        let mut body = claim_body(&self.handoff, &self.host);
        body["hold"] = 0.into();
        self.browser.frame_post("/api/auth/handoff", &body).await
    }
}

impl Outcome<'_> {
    /// ACCEPT: signed in in the window, the frame and the host. Answers the redeem.
    pub(super) async fn accepted(&self) -> Value {
        let (party, answer) = (self.party, &self.answer);
        assert_eq!(
            answer.header("location"),
            "/signed-in?close",
            "{}",
            answer.body
        );
        assert!(answer.sets_session_cookie());
        let frame = party.ask().await.ok();
        let ticket = frame["ticket"].as_str().expect("a ticket");
        let redeemed = party.host.redeem(ticket).await.ok();
        assert_eq!(redeemed["user"]["issuer"], party.world.tenant.issuer());
        redeemed
    }

    /// REJECT: see the module's head.
    pub(super) async fn rejected(&self, status: u16, code: &str) {
        self.nothing_came_of_it(status, code).await;
        assert!(self.party.browser.transactions().is_empty());
        let told = self.party.ask().await;
        told.assert(409, "login_refused");
        assert!(!told.sets_session_cookie());
    }

    /// The response belongs to no login, as far as can be seen: nobody is signed in, and the
    /// login that it pretends to answer goes on.
    pub(super) async fn ignored(&self) {
        self.nothing_came_of_it(400, "invalid_transaction").await;
        assert_eq!(self.requests("token"), 0, "the code stays here");
        assert_eq!(self.party.ask().await.status, 202);
    }

    async fn nothing_came_of_it(&self, status: u16, code: &str) {
        let (browser, answer) = (&self.party.browser, &self.answer);
        answer.assert_page(status, code);
        let id = answer.header("x-request-id");
        assert!(
            !id.is_empty() && answer.body.contains(id),
            "{}",
            answer.body
        );
        assert!(
            !answer.sets_session_cookie(),
            "{:?}",
            answer.set_cookie_lines()
        );
        assert_eq!(browser.page_get("/api/auth/me").await.status, 401);
        let frame = browser.ticket(&self.party.host).await;
        frame.assert(401, "not_authenticated");
        assert!(self.requests("token") <= 1, "a code is sent once");
        for endpoint in ["userinfo", "revoke", "authorize", "logout"] {
            assert_eq!(self.requests(endpoint), 0, "{endpoint}");
        }
    }

    /// Requests that the provider got since the response was delivered.
    pub(super) fn requests(&self, endpoint: &str) -> u64 {
        let before = self.requests_before.get(endpoint).copied();
        let now = self.party.world.tenant.journal().requests_to(endpoint);
        now - before.unwrap_or_default()
    }
}
