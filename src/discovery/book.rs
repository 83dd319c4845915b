//! The address book: the addresses that each relay's host name had when it last resolved, and how each of them answers.
//!
//! In: resolved names from discovery, results of attempts from polls and streams. Out: the addresses of a relay in the order
//! in which a connection tries them. Polls and streams share one book, so that both connect to the same machine.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use log::{info, warn};

use super::address_health::{self, AddressState, KnownAddress};

/// Host names, their last known addresses and the health of each; clones share one book.
#[derive(Debug, Clone, Default)]
pub struct AddressBook(Arc<Mutex<HashMap<String, Host>>>);

/// One host name.
#[derive(Debug, Default)]
struct Host {
    /// In the resolver's order.
    addresses: Vec<IpAddr>,
    /// Last results by address and port: several relays may share a name, each on a port of its own.
    results: HashMap<SocketAddr, KnownAddress>,
}

impl AddressBook {
    /// The last known addresses of `host` in the resolver's order; empty when it never resolved.
    pub fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let hosts = self.hosts();
        let host = hosts.get(host);
        host.map(|host| host.addresses.clone()).unwrap_or_default()
    }

    /// The addresses of a relay with their last results, in the resolver's order.
    pub fn known(&self, host: &str, port: u16) -> Vec<KnownAddress> {
        let hosts = self.hosts();
        hosts
            .get(host)
            .map(|host| host.known(port))
            .unwrap_or_default()
    }

    /// The addresses of a relay in the order in which a stream tries them; empty when its name never resolved.
    pub fn stream_order(&self, host: &str, port: u16) -> Vec<KnownAddress> {
        address_health::ordered(&self.known(host, port))
    }

    /// The addresses of a relay in the order in which a poll tries them: now and then a failed one is tried first.
    pub fn poll_order(&self, host: &str, port: u16, now: Instant) -> Vec<KnownAddress> {
        address_health::ordered_with_retest(&self.known(host, port), now)
    }

    /// Replaces the addresses of `host`; returns whether that changed them. An address that stays keeps its results.
    pub fn note(&self, host: &str, addresses: &[IpAddr]) -> bool {
        let mut hosts = self.hosts();
        let host = hosts.entry(host.to_owned()).or_default();
        if host.addresses == addresses {
            return false;
        }
        host.addresses = addresses.to_vec();
        host.results
            .retain(|address, _| addresses.contains(&address.ip()));
        true
    }

    /// Notes that a relay answered at one of its addresses.
    pub fn note_answer(&self, host: &str, address: SocketAddr, now: Instant) {
        let note = |known: &mut KnownAddress| known.answered_at = known.answered_at.max(Some(now));
        let changed = self.change(host, address, note);
        if changed == Some((AddressState::Failed, AddressState::Working)) {
            info!("discovery: address works again: host={host} address={address}");
        }
    }

    /// Notes that an attempt at one address of a relay failed.
    pub fn note_failure(&self, host: &str, address: SocketAddr, now: Instant) {
        let note = |known: &mut KnownAddress| known.failed_at = known.failed_at.max(Some(now));
        let changed = self.change(host, address, note);
        if changed.is_some_and(|(before, after)| before != after && after == AddressState::Failed) {
            warn!("discovery: address failed: host={host} address={address}");
        }
    }

    /// Changes the results of one address; returns its state before and after where the host has several: the health of the
    /// relay says all about a single one.
    fn change(
        &self,
        host: &str,
        address: SocketAddr,
        change: impl FnOnce(&mut KnownAddress),
    ) -> Option<(AddressState, AddressState)> {
        let mut hosts = self.hosts();
        let host = hosts.get_mut(host)?;
        // A result may come in after the address left the name.
        if !host.addresses.contains(&address.ip()) {
            return None;
        }
        let new = || KnownAddress::new(address);
        let known = host.results.entry(address).or_insert_with(new);
        let before = known.state();
        change(known);
        (host.addresses.len() > 1).then_some((before, known.state()))
    }

    /// Forgets the hosts and ports that are not `wanted`.
    pub fn keep(&self, wanted: &BTreeSet<(&str, u16)>) {
        let names: BTreeSet<&str> = wanted.iter().map(|(host, _)| *host).collect();
        self.hosts().retain(|name, host| {
            host.results
                .retain(|address, _| wanted.contains(&(name.as_str(), address.port())));
            names.contains(name.as_str())
        });
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    fn known(&self, port: u16) -> Vec<KnownAddress> {
        let known = |ip: &IpAddr| {
            let address = SocketAddr::new(*ip, port);
            let known = self.results.get(&address).copied();
            known.unwrap_or_else(|| KnownAddress::new(address))
        };
        self.addresses.iter().map(known).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PORT: u16 = 8000;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn at(ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, PORT)
    }

    fn order(book: &AddressBook) -> Vec<IpAddr> {
        let order = book.stream_order("twin", PORT);
        order.iter().map(|known| known.address.ip()).collect()
    }

    #[test]
    fn failed_address_is_tried_last_until_it_answers() {
        let (book, now) = (AddressBook::default(), Instant::now());
        let (a, b) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        assert!(book.note("twin", &[a, b]));
        assert_eq!(order(&book), [a, b]);
        book.note_failure("twin", at(a), now);
        assert_eq!(order(&book), [b, a]);
        book.note_answer("twin", at(b), now);
        book.note_answer("twin", at(a), now + Duration::from_secs(1));
        assert_eq!(order(&book), [a, b]);
        book.note_failure("twin", at(a), now + Duration::from_secs(2));
        assert_eq!(order(&book), [b, a]);
        assert_eq!(book.addresses("twin"), [a, b], "the resolver's order");
    }

    #[test]
    fn address_that_left_the_name_leaves_the_book() {
        let (book, now) = (AddressBook::default(), Instant::now());
        let all = ips(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        book.note("twin", &all);
        for ip in &all {
            book.note_failure("twin", at(*ip), now);
        }
        assert!(book.note("twin", &all[1..]));
        assert!(!book.note("twin", &all[1..]));
        book.note_failure("twin", at(all[0]), now);
        let states = || {
            let known = book.known("twin", PORT);
            known.iter().map(KnownAddress::state).collect::<Vec<_>>()
        };
        assert_eq!(states(), [AddressState::Failed; 2]);
        assert!(book.note("twin", &all));
        assert_eq!(states()[0], AddressState::Untried);
        book.note_failure("other", at(all[0]), now);
        assert!(book.known("other", PORT).is_empty());
    }

    #[test]
    fn relays_that_share_a_name_have_their_own_results() {
        let (book, now) = (AddressBook::default(), Instant::now());
        book.note("twin", &ips(&["10.0.0.1", "10.0.0.2"]));
        book.note_failure("twin", "10.0.0.1:8000".parse().unwrap(), now);
        book.note_answer("twin", "10.0.0.1:8010".parse().unwrap(), now);
        let state = |port| book.known("twin", port)[0].state();
        assert_eq!(state(8000), AddressState::Failed);
        assert_eq!(state(8010), AddressState::Working);
        book.keep(&BTreeSet::from([("twin", 8010)]));
        assert_eq!(state(8000), AddressState::Untried);
        assert_eq!(state(8010), AddressState::Working);
        book.keep(&BTreeSet::new());
        assert!(book.addresses("twin").is_empty());
    }
}
