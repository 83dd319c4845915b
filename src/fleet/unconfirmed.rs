//! Unconfirmed listeners of a relay by client: how many of them count toward its capacity. Pure.
//!
//! SECURITY: a client that requests redirects and follows none would otherwise make every relay full with one connection.
//! The load of a relay contains all of them; only the decision that it is full is bounded.

use std::collections::HashMap;
use std::time::Instant;

use super::client_prefix::ClientPrefix;
use super::pending::SETTLE;

/// Unconfirmed listeners of one client that count toward a relay's capacity. A household behind one address tunes in with a
/// few players at a time; 4 requests make no relay full.
pub const COUNTED_PER_CLIENT: usize = 4;

/// The listeners that count, by client.
#[derive(Debug, Clone, Default)]
pub struct Unconfirmed {
    clients: HashMap<ClientPrefix, Sent>,
}

/// When the listeners of a client that count were sent, the earliest first.
#[derive(Debug, Clone, Copy)]
struct Sent {
    times: [Instant; COUNTED_PER_CLIENT],
    length: usize,
}

impl Sent {
    fn times(&self) -> &[Instant] {
        self.times.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, now: Instant) -> bool {
        let Some(free) = self.times.get_mut(self.length) else {
            return false;
        };
        *free = now;
        self.length += 1;
        true
    }

    /// Removes those that a report shows; returns whether any is left.
    fn settle(&mut self, poll_began: Instant) -> bool {
        let times = self.times();
        let shown = times.partition_point(|sent| *sent + SETTLE <= poll_began);
        self.times.rotate_left(shown);
        self.length -= shown;
        self.length > 0
    }
}

impl Unconfirmed {
    /// Notes a listener of `client` sent at `now`; returns whether it counts toward the capacity. Of at most `limit` clients
    /// listeners are kept, 160 bytes each; those of further ones count in full.
    pub fn send(&mut self, client: ClientPrefix, now: Instant, limit: usize) -> bool {
        if let Some(sent) = self.clients.get_mut(&client) {
            return sent.push(now);
        }
        if self.clients.len() < limit {
            let sent = Sent {
                times: [now; COUNTED_PER_CLIENT],
                length: 1,
            };
            self.clients.insert(client, sent);
        }
        true
    }

    /// Removes the latest listener of `client` that counts, because it arrived, left or was not sent after all.
    pub fn withdraw(&mut self, client: ClientPrefix) {
        if let Some(sent) = self.clients.get_mut(&client) {
            sent.length -= 1;
            if sent.length == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// Removes the listeners that a report shows whose poll began at `poll_began`.
    pub fn settle(&mut self, poll_began: Instant) {
        self.clients.retain(|_, sent| sent.settle(poll_began));
        // After a flood its room is of no more use.
        if self.clients.capacity() > 4 * (self.clients.len() + 64) {
            self.clients.shrink_to(2 * self.clients.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::*;

    fn client(number: u32) -> ClientPrefix {
        ClientPrefix::from_address(IpAddr::V4(Ipv4Addr::from(number)))
    }

    #[test]
    fn four_listeners_of_a_client_count_until_a_report_shows_them() {
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        let mut unconfirmed = Unconfirmed::default();
        let counted: Vec<bool> = (0..6)
            .map(|n| unconfirmed.send(client(1), second(n), 100))
            .collect();
        assert_eq!(counted, [true, true, true, true, false, false]);
        assert!(unconfirmed.send(client(2), second(6), 100));
        unconfirmed.settle(second(2));
        assert!(unconfirmed.send(client(1), second(7), 100), "two are shown");
        assert!(unconfirmed.send(client(1), second(7), 100));
        assert!(!unconfirmed.send(client(1), second(7), 100));
        unconfirmed.withdraw(client(1));
        assert!(unconfirmed.send(client(1), second(8), 100));
        unconfirmed.settle(second(60));
        assert!(unconfirmed.clients.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let now = Instant::now();
        let mut unconfirmed = Unconfirmed::default();
        for number in 0..100_000 {
            assert!(
                unconfirmed.send(client(number), now, 16_384),
                "distinct clients count"
            );
        }
        assert_eq!(unconfirmed.clients.len(), 16_384);
        unconfirmed.settle(now + SETTLE);
        assert!(unconfirmed.clients.capacity() < 256);
    }
}
