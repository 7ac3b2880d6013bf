//! The world of a test: one companion, one provider, browsers, and Streamlit hosts, all on
//! one fake clock. It judges nothing; the tests do.

mod answer;
mod browser;
mod clock;
mod crowd;
mod faulty_store;
mod flows;
mod host;
mod jar;
mod log;
mod provider;
mod size;
mod world;

pub(crate) use self::answer::{Answer, unverified_claims};
pub(crate) use self::browser::{Browser, Call};
pub(crate) use self::crowd::{Member, crowd};
pub(crate) use self::faulty_store::StoreFaults;
pub(crate) use self::flows::{Handoff, SignedIn, claim_body};
pub(crate) use self::host::Host;
pub(crate) use self::jar::{Sender, Topology};
pub(crate) use self::log::CapturedLog;
pub(crate) use self::provider::SentTo;
pub(crate) use self::size::sized;
pub(crate) use self::world::{App, Exchange, STREAMLIT_ORIGIN, World, eventually};

/// How a test makes the provider misbehave.
pub(crate) type Fault = fn(&mut dev_tenant::FaultPlan);
