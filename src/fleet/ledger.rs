//! The ledger: what we know of listeners before any report shows it: whom we sent, who left, who was failed.

use std::time::Instant;

use super::flow::Flow;
use super::{ClientPrefix, Fleet, RelayId, StreamFormat, Trouble};

/// What was last noted of a listener, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It was sent to a relay.
    Sent(Instant),
    /// The relay serves it.
    Arrived(Instant),
}

impl Fleet {
    /// Notes that a listener of `client` was sent to this mount of this relay at `now`; without a client it counts in full.
    pub fn raise_pending(
        &mut self,
        id: RelayId,
        mount: &str,
        client: Option<ClientPrefix>,
        now: Instant,
    ) {
        let place = id.index();
        let (Some(record), Some(standing)) =
            (self.records.get_mut(place), self.standings.get_mut(place))
        else {
            return;
        };
        let carrier = self.mounts.carrier_mut(mount, id);
        let mount_limit = carrier.as_ref().and_then(|it| it.capacity_listeners);
        let is_limited = standing.capacity_listeners.is_some() || mount_limit.is_some();
        let is_counted = match client {
            Some(client) if is_limited => record.unconfirmed.send(client, now),
            _ => true,
        };
        record.flow.send(is_counted, now);
        standing.take_flow(&record.flow);
        if let Some(carrier) = carrier {
            carrier.flow.send(is_counted, now);
            carrier.note_sent(now);
        }
    }

    /// Takes back the latest placement: the listener was not sent after all.
    pub fn withdraw_pending(&mut self, id: RelayId, mount: &str, client: Option<ClientPrefix>) {
        self.confirm(id, client);
        self.change_flow(id, mount, Flow::withdraw);
    }

    /// Notes that the listener of `client` that was sent just before `sent` is served from `now` on: known where we carry
    /// the stream.
    pub fn note_arrival(
        &mut self,
        id: RelayId,
        mount: &str,
        client: Option<ClientPrefix>,
        sent: Instant,
        now: Instant,
    ) {
        self.confirm(id, client);
        self.change_flow(id, mount, |flow| flow.arrive(sent, now));
    }

    /// Notes that a listener of `client` left, or never came, that was sent or seen to arrive just before `noted`: known
    /// exactly where we carry the stream. Until a report can show it, one listener less counts.
    pub fn note_departure(
        &mut self,
        id: RelayId,
        mount: &str,
        client: Option<ClientPrefix>,
        noted: Noted,
        now: Instant,
    ) {
        let (noted, arrived) = match noted {
            Noted::Sent(at) => (at, false),
            Noted::Arrived(at) => (at, true),
        };
        if !arrived {
            self.confirm(id, client);
        }
        self.change_flow(id, mount, |flow| flow.depart(noted, arrived, now));
    }

    /// Frees the place of a listener of `client` among those that may count unconfirmed.
    fn confirm(&mut self, id: RelayId, client: Option<ClientPrefix>) {
        if let (Some(client), Some(record)) = (client, self.records.get_mut(id.index())) {
            record.unconfirmed.withdraw(client);
        }
    }

    /// Notes that a relay failed somebody: until its next good poll it is chosen only when no other can be.
    pub fn note_trouble(&mut self, id: RelayId) {
        if let Some(standing) = self.standings.get_mut(id.index()) {
            standing.suspect = true;
        }
    }

    /// Notes that a relay answered for a mount and did not serve it; returns whether that is news.
    pub fn note_not_serving(
        &mut self,
        id: RelayId,
        mount: &str,
        reason: &'static str,
        now: Instant,
    ) -> bool {
        let Some(carrier) = self.mounts.carrier_mut(mount, id) else {
            return false;
        };
        match &mut carrier.trouble {
            Some(trouble) => {
                trouble.note_again(reason, now);
                false
            }
            None => {
                carrier.trouble = Some(Trouble::new(reason, now));
                true
            }
        }
    }

    /// Notes that a relay delivers a mount's audio, for longer than a burst lasts; returns the trouble that is over.
    pub fn note_serving(&mut self, id: RelayId, mount: &str) -> Option<Trouble> {
        self.mounts.carrier_mut(mount, id)?.trouble.take()
    }

    /// Whether the relay reports this format for a mount, and the other carriers do not mostly report another one.
    pub fn is_expected(&self, id: RelayId, mount: &str, format: &StreamFormat) -> bool {
        // The relay's own answer is a word beside those of the reports.
        let (mut same, mut others) = (1, 0);
        for carrier in self.mounts.carriers(mount) {
            match (&carrier.format, carrier.relay == id) {
                (Some(reported), true) if reported != format => return false,
                (None, _) | (_, true) => {}
                (Some(reported), false) if reported == format => same += 1,
                (Some(_), false) => others += 1,
            }
        }
        others <= same
    }

    fn change_flow(&mut self, id: RelayId, mount: &str, change: impl Fn(&mut Flow)) {
        let place = id.index();
        let (Some(record), Some(standing)) =
            (self.records.get_mut(place), self.standings.get_mut(place))
        else {
            return;
        };
        change(&mut record.flow);
        standing.take_flow(&record.flow);
        if let Some(carrier) = self.mounts.carrier_mut(mount, id) {
            change(&mut carrier.flow);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::fleet::tests::{relays, report, rules};
    use crate::fleet::{Fleet, Noted, Polled, RelayId};

    const A: RelayId = RelayId(0);
    const MOUNT: &str = "/live.mp3";

    fn reported(listeners: u32, began: Instant) -> Polled {
        Polled {
            began,
            outcome: report(&[(MOUNT, listeners)]),
        }
    }

    fn taken(fleet: &Fleet) -> (u32, bool) {
        let carrier = &fleet.mounts().carriers(MOUNT)[0];
        let standing = fleet.standing(A).unwrap();
        (standing.taken_listeners(), carrier.is_full())
    }

    #[test]
    fn who_left_counts_no_more_although_the_last_report_contains_him() {
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        let mut rules = rules();
        rules.mounts.capacities.insert(MOUNT.to_owned(), 2);
        let mut fleet = Fleet::new(relays(&["a"]), rules);
        fleet.apply(A, reported(0, start), start);
        fleet.raise_pending(A, MOUNT, None, second(1));
        fleet.raise_pending(A, MOUNT, None, second(2));
        assert_eq!(taken(&fleet), (2, true));

        fleet.note_departure(A, MOUNT, None, Noted::Sent(second(2)), second(3));
        assert_eq!(taken(&fleet), (1, false), "no report had shown him");
        fleet.apply(A, reported(1, second(5)), second(5));
        fleet.note_departure(A, MOUNT, None, Noted::Sent(second(1)), second(6));
        assert_eq!(taken(&fleet), (0, false), "the report contains him");
        fleet.apply(A, reported(0, second(8)), second(8));
        assert_eq!(taken(&fleet), (0, false));
        fleet.apply(A, reported(1, second(9)), second(9));
        assert_eq!(taken(&fleet), (1, false), "somebody else");
    }

    #[test]
    fn who_is_served_by_us_is_in_the_next_report_and_not_counted_beside_it() {
        let start = Instant::now();
        let millis = |n| start + Duration::from_millis(n);
        let mut fleet = Fleet::new(relays(&["a"]), rules());
        fleet.apply(A, reported(0, start), start);
        fleet.raise_pending(A, MOUNT, None, millis(1_000));
        fleet.note_arrival(A, MOUNT, None, millis(1_000), millis(1_200));
        assert_eq!(taken(&fleet).0, 1);
        fleet.apply(A, reported(0, millis(1_500)), millis(1_500));
        assert_eq!(taken(&fleet).0, 1, "counts lag behind");
        fleet.apply(A, reported(1, millis(1_600)), millis(1_600));
        assert_eq!(taken(&fleet).0, 1);
        fleet.note_departure(A, MOUNT, None, Noted::Arrived(millis(1_200)), millis(2_000));
        assert_eq!(taken(&fleet).0, 0);
    }

    #[test]
    fn a_relay_that_failed_somebody_is_suspect_until_its_next_good_poll() {
        let now = Instant::now();
        let mut fleet = Fleet::new(relays(&["a"]), rules());
        fleet.apply(A, reported(0, now), now);
        fleet.note_trouble(A);
        assert!(fleet.standing(A).unwrap().suspect);
        fleet.apply(A, reported(0, now), now);
        assert!(!fleet.standing(A).unwrap().suspect);
    }
}
