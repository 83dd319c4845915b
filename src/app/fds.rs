//! File descriptors: how many this process may have, and how many connections that is enough for.

use log::{debug, warn};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are open beside connections and polls: binds, each thread's epoll, the log, certificates, the admin bind.
const OWN_FDS: u64 = 32;

/// Sockets of polls: an eighth of the limit, between these numbers. Three quarters of them are for relays that are silent: the
/// smaller is enough for 12 of those in a second at a timeout of 2 s; with the larger 1,000 of them are each polled in 10.4 s.
const LEAST_POLL_FDS: u64 = 32;
const MOST_POLL_FDS: u64 = 256;

/// What Linux gives a process of which nothing else was said.
const ASSUMED_SOFT_FDS: u64 = 1024;

/// How many file descriptors this process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FdLimit {
    /// The limit in force, in file descriptors.
    pub soft: u64,
    /// What the soft limit may be raised to, in file descriptors.
    pub hard: u64,
}

impl FdLimit {
    /// The number of connections that there is room for; the default of `connections`.
    ///
    /// Two of five: a carried listener has a connection of his own and one to his relay, and half of all listeners may be
    /// on their way to a third when one relay of two dies.
    pub fn connections(self) -> usize {
        let reserved = OWN_FDS + self.poll_fds();
        let connections = self.soft.saturating_sub(reserved) / 5 * 2;
        usize::try_from(connections).unwrap_or(usize::MAX).max(1)
    }

    /// The number of sockets that all polls together may have.
    pub fn poll_sockets(self) -> usize {
        usize::try_from(self.poll_fds()).unwrap_or(usize::MAX)
    }

    fn poll_fds(self) -> u64 {
        (self.soft / 8).clamp(LEAST_POLL_FDS, MOST_POLL_FDS)
    }
}

/// Raises the soft limit to the hard one, and tells what is in force then. Where that is forbidden, as by a filter of system
/// calls, the limit stays what it was.
pub fn raise_fd_limit() -> FdLimit {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => {
            warn!(
                "cannot read the limit of file descriptors, {ASSUMED_SOFT_FDS} are assumed: {error}"
            );
            (ASSUMED_SOFT_FDS, ASSUMED_SOFT_FDS)
        }
    };
    if soft >= hard {
        return FdLimit { soft, hard };
    }
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => {
            debug!("raised the limit of file descriptors from {soft} to {hard}");
            FdLimit { soft: hard, hard }
        }
        Err(error) => {
            warn!("cannot raise the limit of {soft} file descriptors to {hard}: {error}");
            FdLimit { soft, hard }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let half = hard / 2;
        setrlimit(Resource::RLIMIT_NOFILE, half, hard).unwrap();
        assert_eq!(raise_fd_limit(), FdLimit { soft: hard, hard });
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
        assert_eq!(raise_fd_limit(), FdLimit { soft: hard, hard });
    }

    #[test]
    fn connections_leave_room_for_relays() {
        let connections = |soft| FdLimit { soft, hard: soft }.connections();
        assert_eq!([1024, 20_000].map(connections), [344, 7884]);
        for soft in [0, 3, 64, 68, 69, 256, 1 << 20, u64::MAX] {
            let fitting = connections(soft) as u64;
            assert!(fitting == 1 || fitting < soft / 2, "{soft}: {fitting}");
            let limit = FdLimit { soft, hard: soft };
            let all = fitting / 2 * 5 + limit.poll_sockets() as u64 + OWN_FDS;
            assert!(fitting == 1 || all <= soft, "{soft}: {all}");
        }
    }
}
