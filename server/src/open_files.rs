//! How many connections the process may hold open: as many as the system grants, rather than
//! the 1,024 that services start with. A few hundred slow clients would use those up (E40).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Failing that, what there is must do.
pub fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => tracing::debug!(?current, ?maximum, "raised the limit of open files"),
        Err(error) => tracing::warn!(%error, ?current, "the limit of open files stays"),
    }
}

/// Connections that one listener holds open at once, whatever the system grants: each costs
/// less than 25 KiB (measured: frames that wait), and more than these wait for a seat in one of the long polls.
const MOST_CONNECTIONS: usize = 20_000;

/// How many connections a listener may hold open: half of what the system grants, so that the
/// store, the provider and the log always find a descriptor.
#[must_use]
pub fn most_connections() -> usize {
    let granted = getrlimit(Resource::Nofile).current;
    let half = granted.and_then(|files| usize::try_from(files / 2).ok());
    half.unwrap_or(MOST_CONNECTIONS).clamp(1, MOST_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_half_of_the_descriptors_to_others() {
        let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = most_connections();
        assert!((1..=MOST_CONNECTIONS).contains(&most), "{most}");
        assert!(most as u64 <= granted / 2, "{most} of {granted}");
    }
}
