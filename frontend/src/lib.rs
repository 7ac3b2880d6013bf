//! The sign-in component in Streamlit's iframe.
//!
//! One job: sign a person in through a popup and announce the outcome to the Streamlit
//! host. It holds no token and no session key (the companion's cookies are `HttpOnly`), and
//! nothing it announces is believed: Python asks the companion over the back channel.
//!
//! [`login`] decides, without a browser, so that every transition is tested natively. The
//! modules below it touch the browser and decide nothing.

pub mod announcement;
pub mod handoff;
pub mod host_origins;
pub mod labels;
pub mod login;
pub mod theme;

#[cfg(target_arch = "wasm32")]
mod adapters;
#[cfg(target_arch = "wasm32")]
mod api;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod expiry;
#[cfg(target_arch = "wasm32")]
mod frame;
#[cfg(target_arch = "wasm32")]
mod login_button;
#[cfg(target_arch = "wasm32")]
mod popup;
#[cfg(target_arch = "wasm32")]
pub mod streamlit;
#[cfg(target_arch = "wasm32")]
mod turn;

/// Draws the component in place of the page's skeleton, and starts it.
#[cfg(target_arch = "wasm32")]
pub fn mount() {
    login_button::mount();
}
