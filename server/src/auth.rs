//! The login and what follows it: one route, or one concept, a file.

pub mod backchannel_logout;
pub mod callback;
pub mod handoff;
pub mod login;
pub mod logout;
pub mod me;
mod patience;
pub mod pong;
pub mod redeem;
pub mod refresh;
pub mod return_to;
pub mod revoke;
mod room;
pub mod session;
pub mod ticket;
pub mod token;
pub mod transaction;
pub mod waiting;
pub mod watch;
