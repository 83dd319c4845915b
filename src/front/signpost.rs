//! Signposts: where listeners are sent for each relay, ready to be written, and how many were.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fleet::{Origin, Relay, Scheme, push_location};
use crate::select::TuneIn;

/// Where listeners of each scheme are sent for one relay, ready to be written.
pub struct Signpost {
    relay: Arc<Relay>,
    http: Option<String>,
    https: Option<String>,
    sent: Arc<AtomicU64>,
}

impl Signpost {
    /// The signpost of a relay; `sent` counts who is sent there.
    pub fn new(relay: &Arc<Relay>, sent: Arc<AtomicU64>) -> Self {
        let origin = |scheme| relay.public_for(scheme).map(Origin::to_string);
        Self {
            http: origin(Scheme::Http),
            https: origin(Scheme::Https),
            relay: relay.clone(),
            sent,
        }
    }

    /// Appends where this listener is sent, and counts him; `None` when the relay has no address for his scheme.
    pub fn send(&self, tune_in: TuneIn<'_>, query: Option<&str>, url: &mut String) -> Option<()> {
        let origin = match tune_in.scheme {
            Scheme::Http => self.http.as_deref(),
            Scheme::Https => self.https.as_deref(),
        };
        push_location(url, origin?, self.relay.own_path(tune_in.mount), query);
        self.sent.fetch_add(1, Ordering::Relaxed);
        Some(())
    }
}
