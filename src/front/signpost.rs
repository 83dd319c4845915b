//! Signposts: where listeners are sent for each relay, ready to be written.

use std::sync::Arc;

use crate::fleet::{Origin, Relay, Scheme};

/// Where listeners of each scheme are sent for one relay, ready to be written.
pub struct Signpost {
    /// The relay.
    pub relay: Arc<Relay>,
    http: Option<String>,
    https: Option<String>,
}

impl Signpost {
    /// The signpost of a relay.
    pub fn new(relay: &Arc<Relay>) -> Self {
        let origin = |scheme| relay.public_for(scheme).map(Origin::to_string);
        Self {
            http: origin(Scheme::Http),
            https: origin(Scheme::Https),
            relay: relay.clone(),
        }
    }

    /// Where listeners of one scheme are sent; `None` when none may be.
    pub fn origin(&self, scheme: Scheme) -> Option<&str> {
        match scheme {
            Scheme::Http => self.http.as_deref(),
            Scheme::Https => self.https.as_deref(),
        }
    }
}
