//! A request that is served; and a listener's quest for a relay that takes him, and what he is told when none does.

use std::sync::Arc;

use super::edition::Edition;
use super::listener::Listener;
use super::refuse::Refusal;
use super::tune_in_permits::TuneInPermit;
use crate::stream::{Outcome, RelayStream, TurnedAway};

/// A request that is served.
pub struct Visit {
    /// What the configuration said when it came.
    pub edition: Arc<Edition>,
    /// The listener whose stream is to be carried; nothing for all other requests.
    pub quest: Option<Box<Quest>>,
}

/// One listener's quest.
pub struct Quest {
    /// Who it is for.
    pub listener: Arc<Listener>,
    /// Result of the relays that were tried.
    pub outcome: Arc<Outcome>,
    /// True once relays were tried.
    pub is_tried: bool,
    /// Counts the tune-in until its stream begins.
    pub permit: Option<TuneInPermit>,
    /// What he is told when no relay takes him.
    pub refusal: Option<Refusal>,
}

impl Quest {
    /// A quest that begins.
    pub fn of(listener: Listener, permit: TuneInPermit) -> Self {
        Self {
            listener: listener.into(),
            outcome: Arc::default(),
            is_tried: false,
            permit: Some(permit),
            refusal: None,
        }
    }

    /// Notes the reasons of the relays, and keeps the refusal that helps the listener most.
    pub fn note_turned_away(&mut self) {
        let Some(Err(reasons)) = self.outcome.take() else {
            return;
        };
        let refusals = reasons.iter().map(refusal_for);
        self.refusal = refusals
            .chain(self.refusal)
            .max_by_key(|refusal| weight(*refusal));
    }

    /// Takes the stream of the relay that took him.
    pub fn take_stream(&self) -> Option<RelayStream> {
        self.outcome.take()?.ok()
    }
}

fn refusal_for(why: &TurnedAway) -> Refusal {
    match why {
        TurnedAway::Status(401) => Refusal::Unauthorized,
        // ICECAST: 403 when the mount or the server is full; 2.5 and others say 503.
        TurnedAway::Status(403 | 503) => Refusal::Full,
        TurnedAway::Status(404) => Refusal::NotFound,
        _ => Refusal::Unavailable,
    }
}

fn weight(refusal: Refusal) -> u32 {
    match refusal {
        Refusal::Unauthorized => 3,
        Refusal::Full => 2,
        Refusal::Unavailable => 1,
        _ => 0,
    }
}
