//! An OpenID Provider for development that behaves like an Auth0 tenant.
//!
//! It signs people in to a real relying party over real HTTP, so that nothing in a login
//! is faked, and can be made to misbehave ([`Faults`]). It shares no code with the relying
//! party, whose mistakes it must not share. It must never be reachable from elsewhere: its
//! passwords and client secrets are published, and its start page lists them.
//!
//! Where RFCs and Auth0 differ the tenant does as Auth0: `invalid_grant` is a 403, a
//! mismatched callback is a page, unknown API scopes are dropped in silence. One exception:
//! a wrong client secret is `invalid_client` as RFC 6749 §5.2 has it.

mod authorization_request;
mod authorize;
mod backchannel;
mod client_authentication;
mod clock;
mod control;
mod faults;
mod guard;
mod hosts;
mod issue;
mod journal;
mod keys;
mod login;
mod logout;
mod metadata;
mod oauth_error;
mod pages;
mod parameters;
mod problems;
mod refresh;
mod revoke;
mod secret;
mod settings;
mod sheet;
mod store;
mod tenant;
mod token;
mod userinfo;

pub use clock::{Clock, SystemClock};
pub use faults::{
    AuthorizeFault, EndpointFault, FaultPlan, Faults, PageFault, SigningFault, TokenFault,
};
pub use journal::{BackchannelDelivery, JournalSnapshot};
pub use keys::{NotASigningKey, SigningKeyPem};
pub use secret::DevSecret;
pub use settings::{
    Api, ApiScope, Client, ClientKind, GrantType, RefreshPolicy, Settings, SettingsError,
    TokenDialect, User,
};
pub use sheet::{
    API_IDENTIFIER, APP_CLIENT_ID, APP_CLIENT_SECRET, M2M_CLIENT_ID, M2M_CLIENT_SECRET, ROLES_CLAIM,
};
pub use tenant::{DevTenant, serve};
