//! Mistakes that products of this kind have made, each tried on us (catalogue A). What a
//! peer's mistake shares with a test of ours stands there; here is the rest, by kind.

mod bearer;
mod claims;
mod cookies;
mod parameters;
mod paths;
mod proxies;
mod redirects;
