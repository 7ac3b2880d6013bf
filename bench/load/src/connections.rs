//! Limits of this process: ten thousand frames are ten thousand sockets.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one. What cannot be opened later says so.
pub(crate) fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let _stays_as_it_is = setrlimit(Resource::Nofile, raised);
}
