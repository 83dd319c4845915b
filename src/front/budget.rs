//! The budget: how many connections are let in, in total and of one address, and how many streams an address may hear.
//!
//! In: the address of each accepted connection. Out: a [`Pass`] that counts until it is dropped, or what there are too many
//! of. Whom it refuses and how is the gate's business.
//!
//! One lock: a connection's coming and going costs 0.12 us with 10,000 of them there, and answering it at least 30 us, so
//! that threads hardly ever meet here. Shards would spread what nobody waits for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

/// How many are let in.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections in total.
    pub connections: usize,
    /// Connections of one address: an IPv4 address, or an IPv6 network of 64 bits, which is what one household gets.
    pub per_address: usize,
    /// Carried streams of one address.
    pub listeners_per_address: usize,
    /// Whose connections count in the total only: monitors, proxies, networks with many listeners behind one address.
    pub exempt: Vec<IpNet>,
}

#[cfg(test)]
impl Limits {
    /// Lets everybody in.
    pub(super) const NONE: Self = Self {
        connections: usize::MAX,
        per_address: usize::MAX,
        listeners_per_address: usize::MAX,
        exempt: Vec::new(),
    };
}

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
    limits: Limits,
    counts: Mutex<Counts>,
    refused: Refused,
}

/// What is there now. INVARIANT: an address without connections and streams has no entry, so there are at most as many
/// entries as passes and seatings.
#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    addresses: HashMap<Household, Count>,
}

/// What is there of one address. Streams are counted apart because a seating may outlive its connection's pass.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    connections: usize,
    listeners: usize,
}

#[derive(Debug, Default)]
struct Refused {
    total: AtomicU64,
    address: AtomicU64,
    listeners: AtomicU64,
}

/// Whose connections are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Household {
    V4(Ipv4Addr),
    /// The network's 64 bits: an IPv6 host may take any address in it.
    V6([u16; 4]),
}

impl Household {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

impl Budget {
    /// A budget of which nothing is spent.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            counts: Mutex::default(),
            refused: Refused::default(),
        }
    }

    /// Lets a connection in until the pass is dropped. Without an `address`, as on unix sockets, it counts in the total only.
    ///
    /// # Errors
    /// There are too many; the refusal was counted.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Pass, Over> {
        let household = self.household(address);
        match self.counts().admit(household, &self.limits) {
            Ok(()) => Ok(Pass {
                budget: self.clone(),
                household,
            }),
            Err(over) => {
                self.refused.of(over).fetch_add(1, Ordering::Relaxed);
                Err(over)
            }
        }
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

    /// Whom a connection counts for; `None` when in the total only.
    fn household(&self, address: Option<IpAddr>) -> Option<Household> {
        // A bind on [::] shows IPv4 addresses as ::ffff:a.b.c.d, which all lie in one network of 64 bits.
        let address = address?.to_canonical();
        let is_exempt = self.limits.exempt.iter().any(|net| net.contains(&address));
        (!is_exempt).then(|| Household::of(address))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn admit(&mut self, household: Option<Household>, limits: &Limits) -> Result<(), Over> {
        if self.connections >= limits.connections {
            return Err(Over::Total);
        }
        self.enter(household, limits)?;
        self.connections += 1;
        Ok(())
    }

    /// Puts a connection on an address.
    fn enter(&mut self, household: Option<Household>, limits: &Limits) -> Result<(), Over> {
        let Some(household) = household else {
            return Ok(());
        };
        if self.of(household).connections >= limits.per_address {
            return Err(Over::Address);
        }
        self.addresses.entry(household).or_default().connections += 1;
        Ok(())
    }

    /// Takes a connection off an address.
    fn leave(&mut self, household: Option<Household>) {
        self.release(household, |count| {
            count.connections = count.connections.saturating_sub(1);
        });
    }

    fn seat(&mut self, household: Household, limits: &Limits) -> Result<(), TooManyListeners> {
        if self.of(household).listeners >= limits.listeners_per_address {
            return Err(TooManyListeners);
        }
        self.addresses.entry(household).or_default().listeners += 1;
        Ok(())
    }

    fn of(&self, household: Household) -> Count {
        self.addresses.get(&household).copied().unwrap_or_default()
    }

    fn release(&mut self, household: Option<Household>, take: impl FnOnce(&mut Count)) {
        let entry = household.map(|household| self.addresses.entry(household));
        let Some(Entry::Occupied(mut entry)) = entry else {
            return;
        };
        let count = entry.get_mut();
        take(count);
        if (count.connections, count.listeners) == (0, 0) {
            entry.remove();
        }
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

/// A connection that was let in; counts until it is dropped.
#[derive(Debug)]
#[must_use = "the connection counts for as long as its pass is kept"]
pub struct Pass {
    budget: Arc<Budget>,
    household: Option<Household>,
}

impl Pass {
    /// Counts the connection for another address from now on: the one that a proxy in front told.
    ///
    /// # Errors
    /// There are too many of that address; the refusal was counted, and the connection counts no more.
    pub fn on_behalf_of(mut self, address: IpAddr) -> Result<Self, Over> {
        let household = self.budget.household(Some(address));
        let mut counts = self.budget.counts();
        if let Err(over) = counts.enter(household, &self.budget.limits) {
            self.budget.refused.of(over).fetch_add(1, Ordering::Relaxed);
            drop(counts);
            return Err(over);
        }
        counts.leave(self.household);
        drop(counts);
        self.household = household;
        Ok(self)
    }

    /// Seats a listener of this connection until the seating is dropped, whether before or after the pass.
    ///
    /// # Errors
    /// There are too many of his address; the refusal was counted.
    pub fn listen(&self) -> Result<Seating, TooManyListeners> {
        let budget = &self.budget;
        if let Some(household) = self.household {
            let seated = budget.counts().seat(household, &budget.limits);
            seated.inspect_err(|_| {
                budget.refused.listeners.fetch_add(1, Ordering::Relaxed);
            })?;
        }
        Ok(Seating {
            budget: budget.clone(),
            household: self.household,
        })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self.budget.counts();
        counts.connections = counts.connections.saturating_sub(1);
        counts.leave(self.household);
    }
}

/// A listener whose stream is carried; counts until it is dropped.
#[derive(Debug)]
#[must_use = "the listener counts for as long as his seating is kept"]
pub struct Seating {
    budget: Arc<Budget>,
    household: Option<Household>,
}

impl Drop for Seating {
    fn drop(&mut self) {
        self.budget.counts().release(self.household, |count| {
            count.listeners = count.listeners.saturating_sub(1);
        });
    }
}

#[cfg(test)]
mod tests;
