//! Load: listeners over weight, compared without rounding.

use std::cmp::Ordering;

use crate::fleet::{Carrier, MountKind, Standing};

/// A sleeping mount is woken once that spares the running ones this many listeners: waking costs its first listener a
/// second and the master one more stream.
const WAKE_LISTENERS: u32 = 10;

/// A relay's load: reported and pending listeners, divided by its weight.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    listeners: u32,
    weight: u32,
}

impl Load {
    /// The load of a relay as it stands.
    pub fn of(standing: &Standing) -> Self {
        Self::new(standing.taken_listeners(), standing.weight)
    }

    /// The load with which a relay competes for a tune-in to the mount that `carrier` carries.
    pub fn of_carrier(standing: &Standing, carrier: &Carrier) -> Self {
        let handicap = match carrier.kind {
            MountKind::Idle => WAKE_LISTENERS,
            MountKind::Running | MountKind::Virtual => 0,
        };
        let taken = standing.taken_listeners().saturating_add(handicap);
        Self::new(taken, standing.weight)
    }

    /// `listeners / weight`; a weight of 0 counts as 1.
    pub fn new(listeners: u32, weight: u32) -> Self {
        Self {
            listeners,
            weight: weight.max(1),
        }
    }

    /// The weight it was divided by.
    pub fn weight(self) -> u32 {
        self.weight
    }

    /// The load as a number, for people.
    pub fn as_f64(self) -> f64 {
        f64::from(self.listeners) / f64::from(self.weight)
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let ours = u64::from(self.listeners) * u64::from(other.weight);
        let theirs = u64::from(other.listeners) * u64::from(self.weight);
        ours.cmp(&theirs)
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Load {}
