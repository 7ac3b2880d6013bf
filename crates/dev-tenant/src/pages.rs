//! The tenant's HTML. Works without script; `maud` escapes everything that is put in.

use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::authorization_request::AuthorizationRequest;
use crate::settings::{Client, GrantType, RefreshPolicy, Settings, User};

pub(crate) const STYLE: &str = include_str!("../assets/dev-tenant.css");
/// Submits the `form_post` response; a button does so where script is off.
pub(crate) const SUBMIT_SCRIPT: &str = "document.forms[0].submit();\n";

/// What the login page shows besides the request.
pub(crate) struct LoginPage<'a> {
    pub(crate) transaction: &'a str,
    pub(crate) request: &'a AuthorizationRequest,
    pub(crate) users: &'a [User],
    /// Fills both fields.
    pub(crate) chosen: Option<&'a User>,
    /// Text for the username field when nobody is chosen.
    pub(crate) username: Option<&'a str>,
    /// Who may continue without a password (`prompt=select_account`).
    pub(crate) signed_in: Option<&'a User>,
    pub(crate) error: Option<&'a str>,
}

impl LoginPage<'_> {
    pub(crate) fn render(&self) -> Markup {
        let title = if self.request.sign_up {
            "Sign up"
        } else {
            "Sign in"
        };
        let body = html! {
            p.eyebrow { "Development tenant" }
            h1 { (title) }
            p.lead { "to continue to " strong { (self.request.client_name) } }
            @if self.request.sign_up {
                p.note { "This tenant has no sign-up of its own: choose one of its users." }
            }
            @if let Some(error) = self.error {
                p.alert role="alert" data-testid="dev-error" { (error) }
            }
            (self.form())
            (self.people())
        };
        layout(title, "card", &body)
    }

    fn form(&self) -> Markup {
        let username = self
            .chosen
            .map(|user| user.username.as_str())
            .or(self.username)
            .unwrap_or_default();
        let password = self
            .chosen
            .map(|user| user.password.reveal())
            .unwrap_or_default();
        html! {
            form method="post" action="/login" {
                input type="hidden" name="state" value=(self.transaction);
                @if let Some(user) = self.signed_in {
                    button.wide type="submit" name="action" value="continue" formnovalidate data-testid="dev-continue" {
                        "Continue as " (user.name)
                    }
                    p.or { "or as somebody else" }
                }
                label for="username" { "Username or e-mail address" }
                input #username name="username" type="text" value=(username) autocomplete="username"
                    autocapitalize="none" spellcheck="false" required autofocus[username.is_empty()];
                label for="password" { "Password" }
                input #password name="password" type="password" value=(password) autocomplete="current-password"
                    required autofocus[!username.is_empty() && password.is_empty()];
                button.primary.wide type="submit" name="action" value="login" data-testid="dev-login"
                    autofocus[!password.is_empty()] { "Continue" }
                button.quiet.wide type="submit" name="action" value="decline" formnovalidate data-testid="dev-decline" { "Decline" }
            }
        }
    }

    fn people(&self) -> Markup {
        html! {
            section.people aria-label="Users of this tenant" {
                h2 { "Users " small { "(a click fills the form)" } }
                ul {
                    @for user in self.users {
                        li { a href={ "/login?" (query(&[("state", self.transaction), ("user", &user.username)])) }
                            data-testid={ "dev-user-" (user.username) } { (person(user)) } }
                    }
                }
            }
        }
    }
}

fn person(user: &User) -> Markup {
    let permissions: Vec<&str> = user
        .permissions
        .values()
        .flatten()
        .map(String::as_str)
        .collect();
    html! {
        span.initials aria-hidden="true" { (initials(user)) }
        span.who {
            strong { (user.name) } br; code { (user.username) " / " (user.password.reveal()) }
            @if user.blocked { " " span.tag { "blocked" } }
            span.facts {
                @if user.roles.is_empty() { "no roles" } @else { (user.roles.join(", ")) }
                " · "
                @if permissions.is_empty() { "no permissions" } @else { (permissions.join(" ")) }
            }
        }
    }
}

/// The start page: everything a developer may want to copy.
pub(crate) fn sheet(settings: &Settings, users: &[User]) -> Markup {
    let body = html! {
        p.eyebrow { "Development tenant" }
        h1 { "OpenID Provider for development" }
        p.lead { "Issuer " code { (settings.issuer) } " · "
            a href="/.well-known/openid-configuration" { "metadata" } " · "
            a href="/.well-known/jwks.json" { "keys" } " · " a href="/oidc/logout" { "sign out" } }
        h2 { "Users" }
        ul.people { @for user in users { li { div { (person(user)) } } } }
        h2 { "Applications" }
        @for client in &settings.clients { (application(client)) }
        h2 { "APIs" }
        @for api in &settings.apis {
            article {
                h3 { (api.name) }
                dl {
                    dt { "Identifier (audience)" } dd { code { (api.identifier) } }
                    dt { "Token lifetime" } dd { (api.token_seconds) " s, " (api.browser_token_seconds) " s for browser applications" }
                    dt { "Signing" } dd { "RS256" }
                    dt { "Access control" }
                    dd { @if api.rbac { "by role (RBAC), with permissions in the access token" } @else { "none: every scope is granted" } }
                    dt { "Scopes" }
                    dd { @for scope in &api.scopes { div { code { (scope.value) } " " (scope.description) } } }
                }
            }
        }
    };
    layout("Development tenant", "sheet", &body)
}

fn application(client: &Client) -> Markup {
    let grants: Vec<&str> = client
        .grant_types
        .iter()
        .map(|grant| grant.name())
        .collect();
    html! {
        article {
            h3 { (client.name) }
            dl {
                dt { "Type" } dd { (client.kind.title()) }
                dt { "Client ID" } dd { code { (client.client_id) } }
                @if let Some(secret) = &client.client_secret {
                    dt { "Client secret" } dd { code { (secret.reveal()) } }
                }
                dt { "Grant types" } dd { (grants.join(", ")) }
                @if client.allows(GrantType::AuthorizationCode) {
                    dt { "ID token lifetime" } dd { (client.id_token_seconds) " s" }
                }
                @if client.allows(GrantType::RefreshToken) {
                    dt { "Refresh tokens" } dd { (refresh_policy(&client.refresh_tokens)) }
                }
                (urls("Allowed callback URLs", &client.callbacks))
                (urls("Allowed logout URLs", &client.logout_urls))
                (urls("Allowed web origins", &client.web_origins))
                (urls("Allowed CORS origins", &client.cors_origins))
                @for (api, scopes) in &client.client_grants {
                    dt { "Machine-to-machine" } dd { code { (api) } " " (scopes.join(" ")) }
                }
            }
        }
    }
}

fn refresh_policy(policy: &RefreshPolicy) -> Markup {
    html! {
        @if policy.rotation { "rotate, reuse interval " (policy.reuse_interval_seconds) " s; " } @else { "do not rotate; " }
        "end after " (policy.absolute_seconds) " s, unused after " (policy.idle_seconds) " s"
    }
}

fn urls(title: &str, urls: &[String]) -> Markup {
    html! {
        @if !urls.is_empty() {
            dt { (title) }
            dd { @for url in urls { div { code { (url) } } } }
        }
    }
}

/// Asks before a logout that nobody vouches for (a link anywhere could have started it).
pub(crate) fn confirm_logout(hidden: &[(String, String)], who: Option<&str>) -> Markup {
    let body = html! {
        p.eyebrow { "Development tenant" }
        h1 { "Sign out?" }
        p.lead { @if let Some(who) = who { "You are signed in as " strong { (who) } "." } @else { "End your session at this provider." } }
        form method="post" action="/oidc/logout" {
            @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
            button.primary.wide type="submit" name="confirm" value="yes" data-testid="dev-logout" autofocus { "Sign out" }
        }
    };
    layout("Sign out", "card", &body)
}

pub(crate) fn signed_out() -> Markup {
    let body = html! {
        p.eyebrow { "Development tenant" }
        h1 { "You are signed out" }
        p.lead { "You can close this window." }
    };
    layout("Signed out", "card", &body)
}

/// The `form_post` response (OAuth 2.0 Form Post Response Mode).
pub(crate) fn form_post(action: &str, fields: &[(&str, String)]) -> Markup {
    let body = html! {
        h1 { "One moment" }
        form method="post" action=(action) {
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button.primary.wide type="submit" { "Continue" }
        }
        script src="/assets/submit.js" {}
    };
    layout("One moment", "card", &body)
}

/// A mistake that a person, mostly a developer, has to see.
#[derive(Debug)]
pub(crate) struct ErrorPage {
    status: StatusCode,
    title: String,
    details: Vec<String>,
    hints: Vec<String>,
    list: Option<(&'static str, Vec<String>)>,
}

impl ErrorPage {
    pub(crate) fn new(status: StatusCode, title: &str) -> Self {
        Self {
            status,
            title: title.to_owned(),
            details: Vec::new(),
            hints: Vec::new(),
            list: None,
        }
    }

    pub(crate) fn detail(mut self, text: impl Into<String>) -> Self {
        self.details.push(text.into());
        self
    }

    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    pub(crate) fn list(mut self, title: &'static str, items: &[String]) -> Self {
        self.list = Some((title, items.to_vec()));
        self
    }
}

impl IntoResponse for ErrorPage {
    fn into_response(self) -> Response {
        let body = html! {
            p.eyebrow { "Development tenant" }
            h1 { (self.title) }
            @for detail in &self.details { p.lead data-testid="dev-error" { (detail) } }
            @if !self.hints.is_empty() {
                h2 { "What to do" }
                ul.hints { @for hint in &self.hints { li { (hint) } } }
            }
            @if let Some((title, items)) = &self.list {
                h2 { (title) }
                @if items.is_empty() { p { "none" } }
                ul.hints { @for item in items { li { code { (item) } } } }
            }
        };
        (self.status, page(&layout(&self.title, "card", &body))).into_response()
    }
}

/// HTML with the type header; the security headers are the router's.
pub(crate) fn page(markup: &Markup) -> Response {
    Html(markup.0.clone()).into_response()
}

/// A picture for a user: initials on a colour of their own.
pub(crate) fn avatar(user: &User) -> Response {
    let hue = user
        .sub
        .bytes()
        .fold(0_u32, |hue, byte| (hue * 31 + u32::from(byte)) % 360);
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96" {
            rect width="96" height="96" fill={ "hsl(" (hue) " 55% 42%)" } {}
            text x="48" y="48" dy=".35em" text-anchor="middle" font-family="system-ui, sans-serif"
                font-size="38" font-weight="600" fill="#fff" { (initials(user)) }
        }
    };
    ([(header::CONTENT_TYPE, "image/svg+xml")], svg.0).into_response()
}

fn initials(user: &User) -> String {
    let mut letters = user
        .name
        .split_whitespace()
        .filter_map(|word| word.chars().next());
    letters
        .next()
        .into_iter()
        .chain(letters.next_back())
        .flat_map(char::to_uppercase)
        .collect()
}

fn query(pairs: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(pairs).unwrap_or_default()
}

fn layout(title: &str, class: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · dev tenant" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/assets/dev-tenant.css";
            }
            body { main class=(class) { (body) } }
        }
    }
}
