//! Paths of the companion, named once.

/// Launcher page.
pub const LAUNCHER: &str = "/";
/// The component page that Streamlit frames.
pub const COMPONENT: &str = "/streamlit";
/// The Component Hero: a second framed page, for events without a provider.
pub const HERO: &str = "/streamlit/hero";
/// Starts a login.
pub const LOGIN: &str = "/api/auth/login";
/// Receives the authorization response.
pub const CALLBACK: &str = "/api/auth/callback";
/// The frame waits here for the login it began.
pub const HANDOFF: &str = "/api/auth/handoff";
/// The frame hears here of the end of its session.
pub const WATCH: &str = "/api/auth/watch";
/// Who is signed in, for display.
pub const ME: &str = "/api/auth/me";
/// Display data and a one-time ticket for the frame.
pub const TICKET: &str = "/api/auth/ticket";
/// Ticket and verifier against user, access token and grant (back channel).
pub const REDEEM: &str = "/api/auth/redeem";
/// A fresh access token (back channel).
pub const TOKEN: &str = "/api/auth/token";
/// Is this login still alive? (back channel)
pub const SESSION: &str = "/api/auth/session";
/// Ends the session from Python (back channel).
pub const REVOKE: &str = "/api/auth/revoke";
/// Ends the session from a page or frame.
pub const LOGOUT: &str = "/api/auth/logout";
/// OpenID Connect Back-Channel Logout.
pub const BACKCHANNEL_LOGOUT: &str = "/api/auth/backchannel-logout";
/// The page a login without a place of its own ends on.
pub const SIGNED_IN: &str = "/signed-in";
/// The same for a popup of the frame: it closes itself. A login that anybody may begin, by a
/// link in a window that they keep a handle of, must not: `closed` would tell them that this
/// browser's person has a session at the provider (catalogue D40). In the query, since a
/// fragment is handed on from redirect to redirect.
pub const SIGNED_IN_IN_POPUP: &str = "/signed-in?close";
/// The page the popup ends on after a logout at the provider, or after a logout form.
pub const SIGNED_OUT: &str = "/signed-out";
/// Liveness and time, for anyone.
pub const PING: &str = "/api/ping";
/// The remote API's `/api/pong` with the session's access token.
pub const PONG: &str = "/api/pong";

/// Header that the frame's requests carry, with the value [`FRAME`].
pub const CALLER_HEADER: &str = "X-Component-Auth0";
/// Value of [`CALLER_HEADER`] in the frame.
pub const FRAME: &str = "frame";
