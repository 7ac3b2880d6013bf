//! Part C of the security catalogue over HTTP: each case is a request, its verdict and the
//! reason that the log must give, so that a token refused for the wrong reason fails too.
//!
//! For every case: the exact status, `WWW-Authenticate` and code; one line in the log with
//! the reason's code and not a byte of the token; no request to the provider because of
//! the token, save the one that an unknown `kid` may cause; no request to an attacker's
//! host, ever; no refusal that costs more than five milliseconds of the processor. A panic
//! would be a 500. Cases that passed are told to `test_tokens::catalogue`.

mod algorithm;
mod bench;
mod claims;
mod encoding;
mod header;
mod json;
mod log;
mod mix_ups;
mod provider;
mod signature;
mod size;
mod times;
mod transport;

pub(crate) use self::log::prepare as prepare_log;
