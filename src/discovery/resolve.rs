//! Resolution: one relay's host name to its addresses, now and again, keeping the last good answer.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::{info, warn};

use super::AddressBook;
use crate::fleet::is_server_address;

/// The most addresses kept of one name; what polls and proxies would never get to is left out.
const ADDRESS_LIMIT: usize = 32;

/// A resolver that has not answered by then counts as failed.
const DEADLINE: Duration = Duration::from_secs(10);

/// One host name and whether its last resolution worked.
#[derive(Debug)]
pub struct Name {
    host: String,
    book: AddressBook,
    in_flight: AtomicBool,
    failing: AtomicBool,
}

impl Name {
    /// A name that was not resolved yet.
    pub fn new(host: String, book: AddressBook) -> Self {
        Self {
            host,
            book,
            in_flight: AtomicBool::new(false),
            failing: AtomicBool::new(false),
        }
    }

    /// The name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Resolves the name and notes the answer; does nothing while an earlier call still waits for the resolver.
    pub async fn refresh(&self) {
        if self.in_flight.swap(true, Ordering::AcqRel) {
            return;
        }
        match self.resolve().await {
            Ok(found) => self.note(found),
            Err(reason) => self.keep(&reason),
        }
        self.in_flight.store(false, Ordering::Release);
    }

    async fn resolve(&self) -> Result<Vec<IpAddr>, String> {
        let lookup = tokio::net::lookup_host((self.host.as_str(), 0));
        let answer = tokio::time::timeout(DEADLINE, lookup)
            .await
            .map_err(|_| format!("no answer within {DEADLINE:?}"))?
            .map_err(|error| error.to_string())?;
        let all: Vec<IpAddr> = answer.map(|address| address.ip().to_canonical()).collect();
        let permitted: Vec<IpAddr> = all
            .iter()
            .copied()
            .filter(|ip| is_server_address(*ip))
            .collect();
        match (all.is_empty(), permitted.is_empty()) {
            (true, _) => Err("the answer is empty".to_owned()),
            (false, true) => Err(format!("{all:?} is no address of a relay")),
            (false, false) => Ok(permitted),
        }
    }

    fn note(&self, found: Vec<IpAddr>) {
        let before = self.book.addresses(&self.host);
        let addresses = in_stable_order(found, &before);
        if self.failing.swap(false, Ordering::AcqRel) {
            info!("{} resolves again", self.host);
        }
        if self.book.note(&self.host, &addresses) && !before.is_empty() {
            info!("{} moved from {before:?} to {addresses:?}", self.host);
        }
    }

    fn keep(&self, reason: &str) {
        if self.failing.swap(true, Ordering::AcqRel) {
            return;
        }
        let kept = self.book.addresses(&self.host);
        if kept.is_empty() {
            warn!("{} does not resolve: {reason}", self.host);
        } else {
            warn!("{} does not resolve: {reason}; keeping {kept:?}", self.host);
        }
    }
}

/// Name servers rotate their answers: what was known stays in front, so that a relay does not seem to move.
fn in_stable_order(found: Vec<IpAddr>, before: &[IpAddr]) -> Vec<IpAddr> {
    let known = before.iter().copied().filter(|ip| found.contains(ip));
    let mut ordered: Vec<IpAddr> = known.collect();
    for ip in found {
        if !ordered.contains(&ip) {
            ordered.push(ip);
        }
    }
    ordered.truncate(ADDRESS_LIMIT);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_rotated_answer_changes_nothing() {
        let before = ips(&["10.0.0.1", "10.0.0.2"]);
        let rotated = ips(&["10.0.0.2", "10.0.0.1"]);
        assert_eq!(in_stable_order(rotated, &before), before);
        let replaced = ips(&["10.0.0.3", "10.0.0.2"]);
        assert_eq!(
            in_stable_order(replaced, &before),
            ips(&["10.0.0.2", "10.0.0.3"])
        );
    }

    #[tokio::test]
    async fn a_name_that_stops_resolving_keeps_its_last_addresses() {
        let book = AddressBook::default();
        let host = "no-such-relay.invalid";
        book.note(host, &ips(&["10.0.0.1"]));
        let name = Name::new(host.to_owned(), book.clone());
        name.refresh().await;
        assert!(name.failing.load(Ordering::Acquire));
        assert_eq!(book.addresses(host), ips(&["10.0.0.1"]));
    }

    #[tokio::test]
    async fn a_name_resolves_to_its_addresses() {
        let book = AddressBook::default();
        let name = Name::new("localhost".to_owned(), book.clone());
        name.refresh().await;
        let found = book.addresses("localhost");
        assert!(!found.is_empty());
        assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
    }
}
