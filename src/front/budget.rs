//! The budget: how many connections are let in, in total and of one address, and how many streams an address may hear.
//!
//! In: the address of each accepted connection. Out: a [`Pass`] that counts until it is dropped, or what there are too many
//! of. Whom it refuses and how is the gate's business. When the total is reached, connections of which nothing is asked give
//! way: a crowd of those who never say what they want keeps nobody out.
//!
//! One lock: a connection's coming and going costs 0.12 us with 10,000 of them there, and answering it at least 30 us, so
//! that threads hardly ever meet here. Shards would spread what nobody waits for.

mod counts;
mod pass;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

pub use pass::{Pass, Place, Rest, Seating};

pub(super) use counts::Household;

use counts::Counts;

use crate::config::Limits;

/// What there are too many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Connections in total.
    Total,
    /// Connections of this address.
    Address,
}

/// There are too many carried streams of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyListeners;

/// Counts connections and carried streams.
#[derive(Debug)]
pub struct Budget {
    limits: ArcSwap<Limits>,
    counts: Mutex<Counts>,
    refused: Refused,
    let_go: AtomicU64,
}

#[derive(Debug, Default)]
struct Refused {
    total: AtomicU64,
    address: AtomicU64,
    listeners: AtomicU64,
}

impl Budget {
    /// A budget of which nothing is spent.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: ArcSwap::from_pointee(limits),
            counts: Mutex::default(),
            refused: Refused::default(),
            let_go: AtomicU64::default(),
        }
    }

    /// Lets so many in from now on; who is in stays.
    pub fn limit(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// Lets a connection in until the pass is dropped. Without an `address`, as on unix sockets, it counts in the total only.
    ///
    /// # Errors
    /// There are too many; the refusal was counted.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Pass, Over> {
        self.admit_to(self.household(address))
    }

    fn admit_to(self: &Arc<Self>, household: Option<Household>) -> Result<Pass, Over> {
        let admitted = self.counts().admit(household, &self.limits.load());
        let admitted = admitted.map_err(|over| self.refuse(over))?;
        if admitted.is_in_place_of_another {
            self.let_go.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Pass {
            place: Place {
                budget: self.clone(),
                number: admitted.number,
            },
            household,
        })
    }

    /// Counts a refusal.
    fn refuse(&self, over: Over) -> Over {
        self.refused.of(over).fetch_add(1, Ordering::Relaxed);
        over
    }

    /// How many connections there are now.
    pub fn connections(&self) -> usize {
        self.counts().connections
    }

    /// How often something was refused since the start, by what there was too much of.
    pub fn refused(&self) -> [(&'static str, u64); 3] {
        let Refused {
            total,
            address,
            listeners,
        } = &self.refused;
        [
            ("total", total),
            ("address", address),
            ("listeners", listeners),
        ]
        .map(|(over, count)| (over, count.load(Ordering::Relaxed)))
    }

    /// How many connections, of which nothing was asked, were told to go for others since the start.
    pub fn let_go(&self) -> u64 {
        self.let_go.load(Ordering::Relaxed)
    }

    /// Whom a connection counts for; `None` when in the total only.
    fn household(&self, address: Option<IpAddr>) -> Option<Household> {
        // A bind on [::] shows IPv4 addresses as ::ffff:a.b.c.d, which all lie in one network of 64 bits.
        let address = address?.to_canonical();
        let limits = self.limits.load();
        let is_exempt = limits.exempt.iter().any(|net| net.contains(&address));
        (!is_exempt).then(|| Household::of(address))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    fn of(&self, over: Over) -> &AtomicU64 {
        match over {
            Over::Total => &self.total,
            Over::Address => &self.address,
        }
    }
}

#[cfg(test)]
mod tests;
