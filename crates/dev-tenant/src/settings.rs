//! What the tenant is: its issuer, people, applications and APIs, as one TOML file.
//!
//! Everything has a default, which is [`Settings::default`], the sheet in `sheet.rs`.
//! Parsing reports all problems at once; a `Settings` that parsed is fit to serve.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::keys::SigningKeyPem;
use crate::secret::DevSecret;

/// The tenant's settings sheet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Issuer identifier, with the trailing slash that Auth0's issuers have.
    pub issuer: String,
    /// Opens `/dev/*`: anybody who reaches the port may then make the tenant misbehave.
    pub test_switches: bool,
    /// Name of the roles claim in ID tokens and JWT access tokens.
    pub roles_claim: String,
    /// Audience when the authorization request names none; without it such requests get
    /// an opaque access token.
    pub default_audience: Option<String>,
    /// Lifetime of the provider's session.
    pub session_seconds: i64,
    /// Lifetime of an authorization code.
    pub code_seconds: i64,
    /// Where a logout that names no application may go.
    pub allowed_logout_urls: Vec<String>,
    /// Further base URLs of the first interactive application, see [`Settings::allow_base_url`].
    pub allowed_base_urls: Vec<String>,
    /// PKCS#8 PEM of the RSA signing key, so that tokens outlive a restart; made at start otherwise.
    pub signing_key: Option<SigningKeyPem>,
    /// The people.
    pub users: Vec<User>,
    /// The applications.
    pub clients: Vec<Client>,
    /// The APIs.
    pub apis: Vec<Api>,
}

/// One person who can sign in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// What is typed on the login page; the e-mail address works too.
    pub username: String,
    /// Development password, shown on the login page.
    pub password: DevSecret,
    /// Subject identifier; `auth0|<username>` when empty.
    #[serde(default)]
    pub sub: String,
    /// Full name.
    #[serde(default)]
    pub name: String,
    /// Given name.
    #[serde(default)]
    pub given_name: String,
    /// Family name.
    #[serde(default)]
    pub family_name: String,
    /// E-mail address.
    #[serde(default)]
    pub email: String,
    /// Whether the address counts as verified.
    #[serde(default)]
    pub email_verified: bool,
    /// URL of a picture; `"avatar"` stands for one that the tenant draws.
    #[serde(default)]
    pub picture: Option<String>,
    /// A blocked person can neither sign in nor refresh.
    #[serde(default)]
    pub blocked: bool,
    /// Role names.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Permissions by API identifier.
    #[serde(default)]
    pub permissions: BTreeMap<String, Vec<String>>,
    /// Further claims of the ID token and of userinfo.
    #[serde(default)]
    pub claims: serde_json::Map<String, serde_json::Value>,
}

impl User {
    /// The permissions on one API.
    #[must_use]
    pub fn permissions_on(&self, api: &str) -> &[String] {
        self.permissions.get(api).map_or(&[], Vec::as_slice)
    }
}

/// What kind of software an application is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// Confidential client with people.
    RegularWeb,
    /// Public client in a browser.
    SinglePage,
    /// Confidential client without people.
    MachineToMachine,
}

impl ClientKind {
    /// The name that Auth0's dashboard has for it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::RegularWeb => "Regular Web Application",
            Self::SinglePage => "Single Page Application",
            Self::MachineToMachine => "Machine to Machine",
        }
    }
}

/// A `grant_type` of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl GrantType {
    /// The wire name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

/// One application.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Display name.
    pub name: String,
    /// `client_id`.
    pub client_id: String,
    /// Development secret; a public client has none.
    #[serde(default)]
    pub client_secret: Option<DevSecret>,
    /// What kind of software it is.
    pub kind: ClientKind,
    /// Grant types it may use.
    pub grant_types: Vec<GrantType>,
    /// Exact `redirect_uri` values.
    #[serde(default)]
    pub callbacks: Vec<String>,
    /// Exact `post_logout_redirect_uri` and `returnTo` values.
    #[serde(default)]
    pub logout_urls: Vec<String>,
    /// Origins that may embed or poll.
    #[serde(default)]
    pub web_origins: Vec<String>,
    /// Origins that may call the token endpoint and userinfo from a browser.
    #[serde(default)]
    pub cors_origins: Vec<String>,
    /// Refuse authorization requests without PKCE (always so for public clients).
    #[serde(default)]
    pub require_pkce: bool,
    /// ID token lifetime.
    #[serde(default = "Client::default_id_token_seconds")]
    pub id_token_seconds: i64,
    /// Refresh token policy.
    #[serde(default)]
    pub refresh_tokens: RefreshPolicy,
    /// Where to announce the end of a session (OpenID Connect Back-Channel Logout 1.0).
    #[serde(default)]
    pub backchannel_logout_uri: Option<Url>,
    /// Scopes by API identifier that this application may have without a person.
    #[serde(default)]
    pub client_grants: BTreeMap<String, Vec<String>>,
}

impl Client {
    fn default_id_token_seconds() -> i64 {
        600
    }

    /// Whether the application may use `grant_type`.
    #[must_use]
    pub fn allows(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }

    /// A client without a secret must prove possession of the code by PKCE.
    #[must_use]
    pub fn must_use_pkce(&self) -> bool {
        self.require_pkce || self.client_secret.is_none()
    }
}

/// How refresh tokens of an application behave.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RefreshPolicy {
    /// Each use makes a new refresh token.
    pub rotation: bool,
    /// For how long the previous one still works after its use.
    pub reuse_interval_seconds: i64,
    /// Lifetime of the whole family.
    pub absolute_seconds: i64,
    /// Lifetime without use.
    pub idle_seconds: i64,
    /// APIs, besides that of the login, for which a refresh may ask (`audience` parameter).
    pub extra_audiences: Vec<String>,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            rotation: true,
            reuse_interval_seconds: 10,
            absolute_seconds: 2_592_000,
            idle_seconds: 1_296_000,
            extra_audiences: Vec::new(),
        }
    }
}

/// Header and claims style of an API's access tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenDialect {
    /// Auth0's own: `typ: JWT`, `azp`.
    #[default]
    AccessToken,
    /// RFC 9068: `typ: at+jwt`, `client_id`, `jti`.
    Rfc9068Profile,
}

/// One API (resource server).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Display name.
    pub name: String,
    /// Identifier: the `audience` of authorization requests, the `aud` of access tokens.
    pub identifier: String,
    /// Access token lifetime.
    #[serde(default = "Api::default_token_seconds")]
    pub token_seconds: i64,
    /// Access token lifetime for applications that live in a browser (`single_page`).
    #[serde(default = "Api::default_browser_token_seconds")]
    pub browser_token_seconds: i64,
    /// Grant people only the scopes that they hold as permissions (RBAC), and list those
    /// in the `permissions` claim.
    #[serde(default = "Api::default_true")]
    pub rbac: bool,
    /// Whether `offline_access` may be asked for together with this API.
    #[serde(default = "Api::default_true")]
    pub allow_offline_access: bool,
    /// Style of the access token.
    #[serde(default)]
    pub token_dialect: TokenDialect,
    /// Scopes.
    pub scopes: Vec<ApiScope>,
}

impl Api {
    fn default_token_seconds() -> i64 {
        86_400
    }

    fn default_browser_token_seconds() -> i64 {
        7_200
    }

    fn default_true() -> bool {
        true
    }

    /// Whether the API knows `scope`.
    #[must_use]
    pub fn knows(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known.value == scope)
    }
}

/// A scope of an API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiScope {
    /// For instance `read:chart`.
    pub value: String,
    /// For people.
    pub description: String,
}

/// Why a settings file was refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not TOML, or not of this shape.
    #[error("line {line}: {message}")]
    Syntax {
        /// Where, counted from 1.
        line: usize,
        /// What the parser makes of it, in one line.
        message: String,
    },
    /// One line for each thing that is wrong.
    #[error("{}", .0.join("\n"))]
    Problems(Vec<String>),
}

impl SettingsError {
    /// One line for each problem.
    #[must_use]
    pub fn lines(self) -> Vec<String> {
        match self {
            Self::Syntax { .. } => vec![self.to_string()],
            Self::Problems(lines) => lines,
        }
    }

    fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        Self::Syntax {
            line: before.unwrap_or_default().matches('\n').count() + 1,
            message: error.message().replace('\n', ", "),
        }
    }
}

impl Settings {
    /// The default sheet as a commented file, to be edited.
    pub const DEFAULT_TOML: &str = include_str!("../default.toml");

    /// Parses a settings file; what it leaves out is as in [`Settings::default`].
    ///
    /// # Errors
    /// [`SettingsError::Syntax`] or all semantic problems together.
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        let settings: Self =
            toml::from_str(text).map_err(|error| SettingsError::syntax(text, &error))?;
        let settings = settings.normalized();
        let problems = settings.problems();
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError::Problems(problems))
        }
    }

    /// The default sheet under another issuer; a missing trailing slash is added.
    #[must_use]
    pub fn for_issuer(issuer: impl Into<String>) -> Self {
        let settings = Self {
            issuer: issuer.into(),
            ..Self::default()
        };
        settings.normalized()
    }

    /// Opens `/dev/*`, see [`Settings::test_switches`].
    #[must_use]
    pub fn with_test_switches(mut self) -> Self {
        self.test_switches = true;
        self
    }

    /// Registers a companion that runs elsewhere: its callback, logout URLs and origin are
    /// added to the first interactive application.
    #[must_use]
    pub fn allow_base_url(mut self, base_url: &str) -> Self {
        if let Some(app) = self
            .clients
            .iter_mut()
            .find(|client| client.allows(GrantType::AuthorizationCode))
        {
            app.register_base_url(base_url);
        }
        self
    }

    /// The first interactive application, `OEStreamlitApp` unless the file says otherwise.
    #[must_use]
    pub fn app(&self) -> Option<&Client> {
        self.clients
            .iter()
            .find(|client| client.allows(GrantType::AuthorizationCode))
    }

    /// The application with this `client_id`.
    #[must_use]
    pub fn client(&self, client_id: &str) -> Option<&Client> {
        self.clients
            .iter()
            .find(|client| client.client_id == client_id)
    }

    /// The API with this identifier.
    #[must_use]
    pub fn api(&self, identifier: &str) -> Option<&Api> {
        self.apis.iter().find(|api| api.identifier == identifier)
    }

    /// URL of a user's picture; resolved late, since the issuer may still change.
    pub(crate) fn picture_of(&self, user: &User) -> Option<String> {
        match user.picture.as_deref() {
            Some("avatar") => Some(self.url(&format!("avatars/{}.svg", user.username))),
            picture => picture.map(str::to_owned),
        }
    }

    /// URL of a path of this tenant; `path` has no leading slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    pub(crate) fn normalized(mut self) -> Self {
        if !self.issuer.ends_with('/') {
            self.issuer.push('/');
        }
        for user in &mut self.users {
            if user.sub.is_empty() {
                user.sub = format!("auth0|{}", user.username);
            }
            if user.name.is_empty() {
                user.name.clone_from(&user.username);
            }
        }
        for base_url in std::mem::take(&mut self.allowed_base_urls) {
            self = self.allow_base_url(&base_url);
        }
        self
    }
}

impl Client {
    pub(crate) fn register_base_url(&mut self, base_url: &str) {
        let origin = base_url.trim_end_matches('/');
        let callback = format!("{origin}/api/auth/callback");
        let home = format!("{origin}/");
        for (list, value) in [
            (&mut self.callbacks, callback.as_str()),
            (&mut self.web_origins, origin),
            (&mut self.cors_origins, origin),
        ] {
            add_once(list, value);
        }
        add_once(&mut self.logout_urls, &home);
        add_once(&mut self.logout_urls, origin);
    }
}

fn add_once(list: &mut Vec<String>, value: &str) {
    if !list.iter().any(|known| known == value) {
        list.push(value.to_owned());
    }
}

#[cfg(test)]
mod tests;
