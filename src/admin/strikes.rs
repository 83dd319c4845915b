//! Strikes: which addresses gave wrong tokens lately. Pure, and bounded whoever guesses from wherever.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::fleet::ClientPrefix;

/// Wrong tokens that an address may give within a minute; a person who mistypes needs no more.
const ALLOWED: u32 = 5;

const MINUTE: Duration = Duration::from_secs(60);

/// More addresses at the same time are an attack; 1,024 take some 64 KiB.
const ADDRESSES: usize = 1024;

/// Stands for all addresses that came when the table was full.
const LATECOMERS: Option<ClientPrefix> = None;

/// The wrong tokens of the last minute, by address.
#[derive(Debug, Default)]
pub struct Strikes(HashMap<Option<ClientPrefix>, Minute>);

/// The minute that began with an address's first wrong token.
#[derive(Debug)]
struct Minute {
    ends: Instant,
    strikes: u32,
}

impl Strikes {
    /// How long the address has yet to wait; `None` when it may try.
    pub fn bar(&mut self, peer: IpAddr, now: Instant) -> Option<Duration> {
        self.forget(now);
        self.0.get(&self.key(peer))?.bar(now)
    }

    /// Notes a wrong token; returns how long the address has to wait if that was one too many.
    pub fn strike(&mut self, peer: IpAddr, now: Instant) -> Option<Duration> {
        self.forget(now);
        let minute = self.0.entry(self.key(peer)).or_insert(Minute {
            ends: now + MINUTE,
            strikes: 0,
        });
        minute.strikes += 1;
        minute.bar(now)
    }

    fn forget(&mut self, now: Instant) {
        self.0.retain(|_, minute| now < minute.ends);
    }

    /// SECURITY: a full table is not emptied, or guessing from many addresses would buy every one of them a new minute.
    fn key(&self, peer: IpAddr) -> Option<ClientPrefix> {
        let network = Some(ClientPrefix::from_address(peer));
        if self.0.contains_key(&network) || self.0.len() < ADDRESSES {
            network
        } else {
            LATECOMERS
        }
    }
}

impl Minute {
    fn bar(&self, now: Instant) -> Option<Duration> {
        (self.strikes > ALLOWED).then(|| self.ends.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_sixth_wrong_token_of_a_minute_bars_its_address_until_the_minute_is_over() {
        let (mut strikes, began) = (Strikes::default(), Instant::now());
        let after = |seconds| began + Duration::from_secs(seconds);
        for second in 0..5 {
            assert_eq!(strikes.strike(ip("192.0.2.1"), after(second)), None);
            assert_eq!(strikes.bar(ip("192.0.2.1"), after(second)), None);
        }

        let rest = Some(Duration::from_secs(50));
        assert_eq!(strikes.strike(ip("192.0.2.1"), after(10)), rest);
        assert_eq!(strikes.bar(ip("192.0.2.1"), after(10)), rest);
        assert_eq!(strikes.bar(ip("::ffff:192.0.2.1"), after(10)), rest);
        assert_eq!(strikes.bar(ip("192.0.2.2"), after(10)), None);

        assert_eq!(strikes.bar(ip("192.0.2.1"), after(60)), None);
        assert_eq!(strikes.strike(ip("192.0.2.1"), after(60)), None);
    }

    #[test]
    fn the_addresses_of_one_ipv6_subscriber_count_together() {
        let (mut strikes, now) = (Strikes::default(), Instant::now());
        for n in 0..6 {
            strikes.strike(ip(&format!("2001:db8::{n}")), now);
        }
        assert!(strikes.bar(ip("2001:db8::99"), now).is_some());
        assert!(strikes.bar(ip("2001:db8:0:1::1"), now).is_none());
    }

    #[test]
    fn guesses_from_a_million_addresses_fill_no_memory_and_buy_no_time() {
        let (mut strikes, now) = (Strikes::default(), Instant::now());
        let barred = (0..3_000_u32).map(|n| strikes.strike(IpAddr::V4((n + 1).into()), now));
        let barred = barred.filter(Option::is_some).count();

        assert_eq!(strikes.0.len(), ADDRESSES + 1);
        assert_eq!(barred, 3_000 - ADDRESSES - 5);
        assert!(strikes.bar(ip("198.51.100.1"), now).is_some());
        assert!(strikes.bar(ip("0.0.0.1"), now).is_none(), "it was there");
        assert!(strikes.bar(ip("198.51.100.1"), now + MINUTE).is_none());
        assert!(strikes.0.is_empty());
    }
}
