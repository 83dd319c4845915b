//! Standing: all that selection looks at in a relay, small and flat, so that a thousand of them are scanned in microseconds.

use std::time::Instant;

use super::admin_state::AdminState;
use super::flow::Flow;
use super::health::Health;

/// How a relay stands at this moment.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its share against the others, 1 to 1000.
    pub weight: u32,
    /// The most listeners it may have.
    pub capacity_listeners: Option<u32>,
    /// Listeners as last reported.
    pub listeners: u32,
    /// Listeners sent that no report shows yet.
    pub pending_listeners: u32,
    /// Pending listeners that do not count toward the capacity: their clients have others that do.
    pub surplus_listeners: u32,
    /// The last report may count listeners that were lost with an earlier process.
    pub is_count_doubtful: bool,
    /// Listeners that left and that the last report still contains.
    pub departed_listeners: u32,
    /// Whether it answers.
    pub health: Health,
    /// What the operator wants of it.
    pub admin_state: AdminState,
    /// It answered its last poll with 403: the server's client limit is reached.
    pub refuses_clients: bool,
    /// Its last poll failed, too few times to be down: to be chosen only when no other can.
    pub suspect: bool,
    /// Listeners on https can be sent to it.
    pub serves_https: bool,
    /// Until when its last good report is believed; `None` before the first one.
    pub fresh_until: Option<Instant>,
    /// When it last came back from Down or from a restart.
    pub returned_at: Option<Instant>,
}

impl Standing {
    /// Listeners that count: reported and still there, and pending.
    pub fn taken_listeners(&self) -> u32 {
        self.listeners
            .saturating_sub(self.departed_listeners)
            .saturating_add(self.pending_listeners)
    }

    /// Takes over what came and went since the last report.
    pub(super) fn take_flow(&mut self, flow: &Flow) {
        self.pending_listeners = flow.pending();
        self.surplus_listeners = flow.surplus();
        self.departed_listeners = flow.departed();
    }

    /// Whether it has as many listeners as it may.
    pub fn is_full(&self) -> bool {
        self.refuses_clients
            || self
                .capacity_listeners
                .is_some_and(|limit| self.counted_listeners() >= limit)
    }

    /// Listeners that count toward the capacity.
    fn counted_listeners(&self) -> u32 {
        self.taken_listeners()
            .saturating_sub(self.surplus_listeners)
    }
}
