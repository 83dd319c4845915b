//! Address health: when one address of a host last answered and last failed, and the order in which the addresses of a
//! host are tried. Pure: the time is an argument.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Time after which a poll tries a failed address again although another one works: a repaired address is noticed within a
/// minute, and a dead one delays one poll a minute by the attempt delay.
pub(super) const RETEST_AFTER: Duration = Duration::from_secs(60);

/// State of an address, in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressState {
    /// The relay answered there last.
    Working,
    /// Nothing was sent there yet.
    Untried,
    /// The last attempt failed.
    Failed,
}

/// One address of a host and its last results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownAddress {
    /// The address, with the relay's port.
    pub address: SocketAddr,
    /// Time of the last answer.
    pub answered_at: Option<Instant>,
    /// Time of the last failure.
    pub failed_at: Option<Instant>,
}

impl KnownAddress {
    /// An address that was not tried yet.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            answered_at: None,
            failed_at: None,
        }
    }

    /// State by the last result.
    pub fn state(&self) -> AddressState {
        match (self.answered_at, self.failed_at) {
            (None, None) => AddressState::Untried,
            (answered, failed) if failed > answered => AddressState::Failed,
            _ => AddressState::Working,
        }
    }

    fn is_due_for_retest(&self, now: Instant) -> bool {
        let is_old = |at: Instant| now.saturating_duration_since(at) >= RETEST_AFTER;
        self.state() == AddressState::Failed && self.failed_at.is_some_and(is_old)
    }
}

/// Addresses in the order in which a connection tries them: working ones, untried ones, failed ones (the longest ago first).
///
/// Within a state the order is the resolver's (RFC 6724), its address families taken in turn (RFC 8305, section 4), so that
/// a network that has lost one family costs one attempt and not one for each address.
pub(super) fn ordered(known: &[KnownAddress]) -> Vec<KnownAddress> {
    let of = |state| {
        let same = known.iter().filter(move |address| address.state() == state);
        same.copied().collect::<Vec<_>>()
    };
    let mut failed = of(AddressState::Failed);
    failed.sort_by_key(|address| address.failed_at);
    let mut order = interleaved(of(AddressState::Working));
    order.extend(interleaved(of(AddressState::Untried)));
    order.extend(failed);
    order
}

/// The same for a poll: with one failed address in front when its last attempt is old enough.
pub(super) fn ordered_with_retest(known: &[KnownAddress], now: Instant) -> Vec<KnownAddress> {
    let mut order = ordered(known);
    let due = order
        .iter()
        .position(|address| address.is_due_for_retest(now));
    if let Some(due) = due {
        let retested = order.remove(due);
        order.insert(0, retested);
    }
    order
}

/// Takes the families in turn, beginning with that of the first address.
fn interleaved(mut addresses: Vec<KnownAddress>) -> Vec<KnownAddress> {
    let Some(first) = addresses.first().map(|known| known.address.is_ipv4()) else {
        return addresses;
    };
    // Place within the own family, then the family: a stable sort on that takes them in turn.
    let (mut firsts, mut others) = (0_usize, 0_usize);
    let mut ranked: Vec<_> = addresses
        .drain(..)
        .map(|known| {
            let is_other = known.address.is_ipv4() != first;
            let place = if is_other { &mut others } else { &mut firsts };
            *place += 1;
            ((*place, is_other), known)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 8000)
    }

    fn at(text: &str, answered: Option<u64>, failed: Option<u64>, start: Instant) -> KnownAddress {
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        KnownAddress {
            address: address(text),
            answered_at: answered.map(after),
            failed_at: failed.map(after),
        }
    }

    fn texts(order: &[KnownAddress]) -> Vec<String> {
        order.iter().map(|it| it.address.ip().to_string()).collect()
    }

    #[test]
    fn working_addresses_come_before_untried_and_failed_ones() {
        let start = Instant::now();
        let known = [
            at("10.0.0.1", Some(1), Some(9), start),
            at("10.0.0.2", None, Some(5), start),
            at("10.0.0.3", None, None, start),
            at("10.0.0.4", Some(2), Some(1), start),
            at("10.0.0.5", Some(1), None, start),
        ];
        let order = texts(&ordered(&known));
        assert_eq!(
            order,
            ["10.0.0.4", "10.0.0.5", "10.0.0.3", "10.0.0.2", "10.0.0.1"]
        );
    }

    #[test]
    fn address_families_are_taken_in_turn() {
        let known =
            ["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"].map(|it| KnownAddress::new(address(it)));
        let order = texts(&ordered(&known));
        assert_eq!(order, ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]);
        let known = ["10.0.0.1", "10.0.0.2", "::1"].map(|it| KnownAddress::new(address(it)));
        assert_eq!(texts(&ordered(&known)), ["10.0.0.1", "::1", "10.0.0.2"]);
    }

    #[test]
    fn failed_address_is_retested_by_a_poll_after_a_minute() {
        let start = Instant::now();
        let known = [
            at("10.0.0.1", None, Some(0), start),
            at("10.0.0.2", Some(0), None, start),
        ];
        let early = start + RETEST_AFTER - Duration::from_secs(1);
        let order = ordered_with_retest(&known, early);
        assert_eq!(texts(&order), ["10.0.0.2", "10.0.0.1"]);
        let order = ordered_with_retest(&known, start + RETEST_AFTER);
        assert_eq!(texts(&order), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(texts(&ordered(&known)), ["10.0.0.2", "10.0.0.1"]);
    }

    proptest! {
        #[test]
        fn no_address_is_lost_or_doubled(
            addresses in prop::collection::hash_map(any::<SocketAddr>(), (0..4_u64, 0..4_u64), 0..9),
        ) {
            let start = Instant::now();
            let time = |seconds: u64| (seconds > 0).then(|| start + Duration::from_secs(seconds));
            let known: Vec<_> = addresses
                .iter()
                .map(|(address, (answered, failed))| KnownAddress {
                    address: *address,
                    answered_at: time(*answered),
                    failed_at: time(*failed),
                })
                .collect();
            for order in [ordered(&known), ordered_with_retest(&known, start + 2 * RETEST_AFTER)] {
                let mut found: Vec<_> = order.iter().map(|it| it.address).collect();
                found.sort_unstable();
                let mut wanted: Vec<_> = addresses.keys().copied().collect();
                wanted.sort_unstable();
                prop_assert_eq!(found, wanted);
            }
            prop_assert!(ordered(&known).is_sorted_by_key(KnownAddress::state));
        }
    }
}
