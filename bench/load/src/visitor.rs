//! One person's login, step by step over HTTP: browser, frame and Streamlit host in one.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use url::{Url, form_urlencoded};

use crate::report::Report;
use crate::values::{challenge, random_256};

const USER: &str = "ada";
const PASSWORD: &str = "ada-password";

/// Where everything is.
#[derive(Clone)]
pub(crate) struct Places {
    /// The companion's origin.
    pub(crate) companion: String,
    /// Origin of the Streamlit page, one of `STREAMLIT_ORIGINS`.
    pub(crate) host_origin: String,
    /// `STREAMLIT_SECRET`.
    pub(crate) host_secret: String,
}

/// A person with a browser that the provider knows.
pub(crate) struct Visitor {
    http: Client,
    places: Places,
    provider_cookie: String,
}

/// What one login leaves behind.
pub(crate) struct SignedIn {
    /// `name=value` of the first-party cookie.
    pub(crate) page_cookie: String,
    /// The host's handle.
    pub(crate) grant: String,
    /// For the remote API.
    pub(crate) access_token: String,
}

#[derive(Deserialize)]
struct Claimed {
    ticket: String,
}

#[derive(Deserialize)]
struct Redeemed {
    grant: String,
    access_token: String,
}

impl Visitor {
    /// Signs in at the provider once, by its form: later logins go straight through.
    pub(crate) async fn at_provider(places: Places) -> anyhow::Result<Self> {
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let mut visitor = Self {
            http,
            places,
            provider_cookie: String::new(),
        };
        let (authorize, _) = visitor.begin(&random_256()?).await?;
        let page = visitor.redirect(&authorize, "").await?;
        let (_, state) = page
            .query_pairs()
            .find(|(name, _)| name == "state")
            .context("the dev tenant did not ask for the password")?;
        let form = [
            ("state", &*state),
            ("username", USER),
            ("password", PASSWORD),
        ];
        let request = visitor
            .http
            .post(page.clone())
            .header(ORIGIN, page.origin().ascii_serialization())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form_body(&form));
        let answer = request.send().await?;
        visitor.provider_cookie = cookies(answer.headers()).join("; ");
        ensure!(
            !visitor.provider_cookie.is_empty(),
            "the dev tenant refused {USER}: {}",
            answer.status()
        );
        Ok(visitor)
    }

    /// One login from the frame's click to the host's grant; each step's time goes to `report`.
    pub(crate) async fn sign_in(&self, report: &mut Report) -> anyhow::Result<SignedIn> {
        let handoff_verifier = random_256()?;
        let host_verifier = random_256()?;
        let started = Instant::now();
        let (authorize, transaction) = self.begin(&handoff_verifier).await?;
        report.took("login", started.elapsed());

        let callback = self.redirect(&authorize, &self.provider_cookie).await?;
        let started = Instant::now();
        let answer = self.http.get(callback).header(COOKIE, transaction);
        let answer = answer.send().await?;
        report.took("callback", started.elapsed());
        expect_status(&answer, StatusCode::SEE_OTHER, "callback")?;
        let page_cookie = cookies(answer.headers())
            .into_iter()
            .find(|cookie| cookie.starts_with("component-auth0="))
            .context("the callback set no session cookie")?;

        let started = Instant::now();
        let ticket = self.claim(&handoff_verifier, &host_verifier).await?;
        report.took("handoff", started.elapsed());
        let started = Instant::now();
        let redeemed = self.redeem(&ticket, &host_verifier).await?;
        report.took("redeem", started.elapsed());
        Ok(SignedIn {
            page_cookie,
            grant: redeemed.grant,
            access_token: redeemed.access_token,
        })
    }

    /// The frame's form: where the provider is, and the transaction cookie.
    async fn begin(&self, handoff_verifier: &str) -> anyhow::Result<(Url, String)> {
        let form = [("handoff_challenge", challenge(handoff_verifier))];
        let request = self
            .http
            .post(self.at("/api/auth/login"))
            .header(ORIGIN, &self.places.companion)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form_body(&form));
        let answer = request.send().await?;
        expect_status(&answer, StatusCode::SEE_OTHER, "login")?;
        let transaction = cookies(answer.headers()).join("; ");
        Ok((location(&answer)?, transaction))
    }

    async fn redirect(&self, url: &Url, cookie: &str) -> anyhow::Result<Url> {
        let answer = self.http.get(url.clone()).header(COOKIE, cookie);
        let answer = answer.send().await?;
        ensure!(
            answer.status().is_redirection(),
            "{} answered {}",
            url.path(),
            answer.status()
        );
        location(&answer)
    }

    async fn claim(&self, handoff_verifier: &str, host_verifier: &str) -> anyhow::Result<String> {
        let body = json!({
            "verifier": handoff_verifier,
            "challenge": challenge(host_verifier),
            "host_origin": self.places.host_origin,
        });
        let request = self
            .http
            .post(self.at("/api/auth/handoff"))
            .header(ORIGIN, &self.places.companion)
            .header("x-component-auth0", "frame")
            .json(&body);
        let answer = request.send().await?;
        expect_status(&answer, StatusCode::OK, "handoff")?;
        Ok(answer.json::<Claimed>().await?.ticket)
    }

    async fn redeem(&self, ticket: &str, host_verifier: &str) -> anyhow::Result<Redeemed> {
        let body = json!({
            "ticket": ticket,
            "verifier": host_verifier,
            "origin": self.places.host_origin,
        });
        let request = self
            .http
            .post(self.at("/api/auth/redeem"))
            .header(AUTHORIZATION, format!("Bearer {}", self.places.host_secret))
            .json(&body);
        let answer = request.send().await?;
        expect_status(&answer, StatusCode::OK, "redeem")?;
        Ok(answer.json().await?)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.places.companion)
    }
}

fn form_body<V: AsRef<str>>(fields: &[(&str, V)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn expect_status(answer: &Response, expected: StatusCode, step: &str) -> anyhow::Result<()> {
    let status = answer.status();
    ensure!(status == expected, "the {step} answered {status}");
    Ok(())
}

fn location(answer: &Response) -> anyhow::Result<Url> {
    let target = answer.headers().get(LOCATION);
    let target = target.and_then(|value| value.to_str().ok());
    let target = target.context("a redirect without Location")?;
    answer.url().join(target).context("a redirect to nowhere")
}

/// `name=value` of the cookies that an answer sets.
fn cookies(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| Some(value.to_str().ok()?.split(';').next()?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_sent_back_without_its_attributes() {
        let mut headers = HeaderMap::new();
        for value in ["a=1; Path=/; HttpOnly", "b=2"] {
            headers.append(SET_COOKIE, HeaderValue::from_static(value));
        }
        assert_eq!(cookies(&headers), ["a=1", "b=2"]);
    }
}
