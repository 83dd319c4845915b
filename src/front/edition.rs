//! Editions: the configuration as the front door needs it. One is exchanged for another whole, and a request is answered by
//! one edition from its beginning to its end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;

use super::manners::Manners;
use super::modes::Modes;
use super::signpost::Signpost;
use super::tally::Tally;
use crate::config::{Config, Limits};
use crate::fleet::{ClientPrefix, Origin, Relay, RelayId};

/// The edition that is in force; clones share it.
pub type Editions = Arc<ArcSwap<Edition>>;

/// What one configuration says of requests and answers.
pub struct Edition {
    /// Who is redirected and for whom the stream is carried.
    pub modes: Modes,
    /// How answers look.
    pub manners: Manners,
    /// From whom forwarded fields and the PROXY protocol are believed.
    pub trusted_proxies: Vec<IpNet>,
    limits: Limits,
    /// A listener who takes nothing for so long is given up.
    pub slow_listener_timeout: Duration,
    /// Our own address as listeners reach it.
    pub public_url: Option<String>,
    /// By the relays' places.
    signposts: Vec<Option<Signpost>>,
}

impl Edition {
    /// The edition of a configuration whose relays are `roster`; redirects are counted in `tally`.
    pub fn of(config: &Config, roster: &[(RelayId, Arc<Relay>)], tally: &Tally) -> Self {
        let mut signposts = Vec::new();
        for (id, relay) in roster {
            if signposts.len() <= id.index() {
                signposts.resize_with(id.index() + 1, || None);
            }
            if let Some(place) = signposts.get_mut(id.index()) {
                *place = Some(Signpost::new(relay, tally.counter(&relay.name)));
            }
        }
        Self {
            modes: Modes::new(config),
            manners: Manners::new(config),
            trusted_proxies: config.trusted_proxies.clone(),
            limits: config.limits.clone(),
            slow_listener_timeout: config.stream.slow_listener_timeout,
            public_url: config.public_url.as_ref().map(Origin::to_string),
            signposts,
        }
    }

    /// The client with which a listener at this address is counted toward capacities; `None` where it counts in full.
    pub fn client(&self, address: Option<IpAddr>) -> Option<ClientPrefix> {
        self.limits.bounded_client(address?)
    }

    /// Where listeners are sent for a relay; `None` for one that came later.
    pub fn signpost(&self, relay: RelayId) -> Option<&Signpost> {
        self.signposts.get(relay.index())?.as_ref()
    }
}
