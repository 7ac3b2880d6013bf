//! Every transition of the login's state machine, natively.
#![cfg(not(target_arch = "wasm32"))]

mod login {
    mod announcing;
    mod harness;
    mod leaving;
    mod waiting;
}
