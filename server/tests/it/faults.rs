//! Faults of what surrounds the companion, by their numbers in the catalogue (E01 to E69): a
//! provider that is down, slow, huge or lying, clocks that disagree, cookies in pieces, and a
//! process that is short of something. What the store does when it fails is in `store_faults`,
//! what clients do in `hostile_clients`.

mod clock;
mod cookies;
mod keys;
mod process;
mod provider;
mod releases;
mod soak;
mod strange_provider;
mod tls;
mod token_endpoint;
mod transport;
