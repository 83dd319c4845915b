//! What is there now, counted. No locks, no clocks.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tokio::sync::Notify;

use super::{Over, TooManyListeners};
use crate::config::Limits;

/// What is there now. INVARIANT: an address without connections and streams has no entry, so there are at most as many
/// entries as passes and seatings.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) connections: usize,
    pub(super) addresses: HashMap<Household, Count>,
    /// Rises with each connection.
    number: u64,
    /// The connections of which nothing is asked, by their numbers: those that came first are first. INVARIANT: all of them
    /// are there, and none is among those that leave.
    resting: BTreeMap<u64, Arc<Notify>>,
    /// The connections that were told to go and are not gone yet; all of them are there.
    leaving: HashSet<u64>,
}

/// What is there of one address. Streams are counted apart because a seating may outlive its connection's pass.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count {
    pub(super) connections: usize,
    pub(super) listeners: usize,
}

/// Whose connections are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) enum Household {
    V4(Ipv4Addr),
    /// The network's 64 bits: an IPv6 host may take any address in it.
    V6([u16; 4]),
}

impl Household {
    pub(in super::super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// A connection that was let in.
pub(super) struct Admitted {
    /// Its number.
    pub(super) number: u64,
    /// Whether another one was told to go for it.
    pub(super) is_in_place_of_another: bool,
}

impl Counts {
    pub(super) fn admit(
        &mut self,
        household: Option<Household>,
        limits: &Limits,
    ) -> Result<Admitted, Over> {
        let staying = self.connections.saturating_sub(self.leaving.len());
        let is_full = limits.connections.is_some_and(|most| staying >= most);
        if is_full && self.resting.is_empty() {
            return Err(Over::Total);
        }
        self.enter(household, limits)?;
        if is_full && let Some((oldest, call)) = self.resting.pop_first() {
            self.leaving.insert(oldest);
            call.notify_one();
        }
        self.connections += 1;
        self.number += 1;
        Ok(Admitted {
            number: self.number,
            is_in_place_of_another: is_full,
        })
    }

    /// A connection is gone.
    pub(super) fn dismiss(&mut self, number: u64, household: Option<Household>) {
        self.connections = self.connections.saturating_sub(1);
        self.leaving.remove(&number);
        // A handshake that fails takes the pass with it before its rest ends.
        self.resting.remove(&number);
        self.leave(household);
    }

    /// A connection rests: it may be told to go, once; if it was before, it is at once.
    pub(super) fn rest(&mut self, number: u64, call: Arc<Notify>) {
        if self.leaving.contains(&number) {
            call.notify_one();
            return;
        }
        self.resting.insert(number, call);
    }

    /// A connection rests no more; false when it was told to go before.
    pub(super) fn rise(&mut self, number: u64) -> bool {
        self.resting.remove(&number).is_some()
    }

    /// Puts a connection on an address.
    pub(super) fn enter(
        &mut self,
        household: Option<Household>,
        limits: &Limits,
    ) -> Result<(), Over> {
        let Some(household) = household else {
            return Ok(());
        };
        if self.of(household).connections >= limits.connections_per_address {
            return Err(Over::Address);
        }
        self.addresses.entry(household).or_default().connections += 1;
        Ok(())
    }

    /// Takes a connection off an address.
    pub(super) fn leave(&mut self, household: Option<Household>) {
        self.release(household, |count| {
            count.connections = count.connections.saturating_sub(1);
        });
    }

    pub(super) fn seat(
        &mut self,
        household: Household,
        limits: &Limits,
    ) -> Result<(), TooManyListeners> {
        if self.of(household).listeners >= limits.listeners_per_address {
            return Err(TooManyListeners);
        }
        self.addresses.entry(household).or_default().listeners += 1;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.resting.is_empty() && self.leaving.is_empty()
    }

    /// Takes a listener off an address.
    pub(super) fn unseat(&mut self, household: Option<Household>) {
        self.release(household, |count| {
            count.listeners = count.listeners.saturating_sub(1);
        });
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
