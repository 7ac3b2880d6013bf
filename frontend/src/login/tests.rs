//! Every transition of the state machine.

mod announcing;
mod harness;
mod leaving;
mod waiting;
mod watching;
