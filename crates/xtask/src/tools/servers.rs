//! The servers beside ours that tests start: a session store for replicas, and a proxy.

use super::packages::{self, Package};
use crate::context::Context;
use crate::progress::Step;

const PACKAGES: [Package; 2] = [
    Package {
        name: "redis-server",
        program: "redis-server",
        service: Some("redis-server"),
    },
    Package {
        name: "nginx",
        program: "nginx",
        service: Some("nginx"),
    },
];

/// Installs the servers that are missing, where that is possible.
///
/// # Errors
/// When one is missing and this is no Debian with a root user.
pub(crate) fn ensure(context: &Context, step: &Step) -> anyhow::Result<()> {
    packages::ensure(context, step, &PACKAGES)
}
