//! Who is there, for the keeper of the process's life and for the service manager.

use std::sync::Arc;

use crate::fleet::{Health, SharedFleet};
use crate::front::Budget;
use crate::service::{Census, Count};
use crate::stream::Streams;

/// Counts streams, connections and relays.
pub(super) fn of(fleet: &SharedFleet, streams: &Arc<Streams>, budget: &Arc<Budget>) -> Census {
    let (fleet, streams, budget) = (fleet.clone(), streams.clone(), budget.clone());
    Census::new(move || {
        let fleet = fleet.lock();
        let up = fleet
            .iter()
            .filter(|(_, _, standing, _)| standing.health == Health::Up);
        Count {
            streams: streams.total(),
            connections: budget.connections(),
            relays_up: up.count(),
            relays: fleet.roster().count(),
            is_surveyed: fleet.is_ready(),
        }
    })
}
