//! The fleet: all relays we know, how they are, what we sent them. Pure: no I/O, no clock, no async.

mod relay;
mod report;

pub use relay::{Origin, Relay, RelayId, Scheme};
pub use report::{MountKind, MountReport, PollFault, PollOutcome, Polled, Report};
