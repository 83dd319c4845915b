//! `POST /relays/{name}/drain|ready|maint`: what an operator wants of a relay.
//!
//! In: a path that was let through. Out: the relay's new state, or that there is no such relay. Judges no tokens.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::fleet::{AdminState, Fleet, RelayId};

/// What can be wanted.
pub(super) const STATES: [AdminState; 3] =
    [AdminState::Drain, AdminState::Ready, AdminState::Maint];

/// A wish for one relay.
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    relay: String,
    state: AdminState,
}

/// How a relay stands once an order is carried out.
#[derive(Debug, Serialize)]
pub struct RelayState {
    name: String,
    admin_state: &'static str,
    health: &'static str,
    listeners: u32,
    pending: u32,
}

/// A relay's new state, which is in force and could not be stored.
#[derive(Debug, Serialize)]
pub struct NotStored {
    #[serde(flatten)]
    state: RelayState,
    stored: bool,
    problem: String,
}

impl NotStored {
    /// The state, and why it could not be stored.
    pub fn new(state: RelayState, why: &impl fmt::Display) -> Self {
        Self {
            state,
            stored: false,
            problem: why.to_string(),
        }
    }
}

/// The fleet has no relay of that name.
#[derive(Debug)]
pub struct UnknownRelay {
    name: String,
    known: Vec<String>,
}

impl Order {
    /// The order that a request's path gives; `None` for a path of another kind.
    pub fn parse(path: &str) -> Option<Self> {
        let (name, verb) = path.strip_prefix("/relays/")?.split_once('/')?;
        let state = STATES.into_iter().find(|state| state.as_str() == verb)?;
        let relay = percent_decode_str(name).decode_utf8_lossy().into_owned();
        Some(Self { relay, state })
    }

    /// Sets the relay's admin state.
    ///
    /// # Errors
    /// No relay has exactly that name; nothing was changed.
    pub fn carry_out(&self, fleet: &mut Fleet) -> Result<RelayState, UnknownRelay> {
        let found = fleet.roster().find(|(_, relay)| relay.name == self.relay);
        let id = found.map(|(id, _)| id);
        id.and_then(|id| {
            fleet.set_admin_state(id, self.state);
            RelayState::of(fleet, id)
        })
        .ok_or_else(|| UnknownRelay::new(&self.relay, fleet))
    }
}

impl fmt::Display for Order {
    /// `relay1: drain`; to be shown once the relay is known, for until then the name may be anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.relay, self.state.as_str())
    }
}

impl RelayState {
    fn of(fleet: &Fleet, id: RelayId) -> Option<Self> {
        let standing = fleet.standing(id)?;
        Some(Self {
            name: fleet.relay(id)?.name.clone(),
            admin_state: standing.admin_state.as_str(),
            health: standing.health.as_str(),
            listeners: standing.listeners,
            pending: standing.pending_listeners,
        })
    }
}

impl UnknownRelay {
    fn new(name: &str, fleet: &Fleet) -> Self {
        let known = fleet.roster().map(|(_, relay)| relay.name.clone());
        Self {
            name: name.to_owned(),
            known: known.collect(),
        }
    }
}

impl fmt::Display for UnknownRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.join(", ");
        write!(f, "no relay is called {:?}; there are: {known}", self.name)
    }
}
