//! The ledger: what we know of listeners before any report shows it: whom we sent, who left, who was failed.

use std::time::Instant;

use super::flow::Flow;
use super::{ClientPrefix, Fleet, RelayId, StreamFormat, Trouble};

/// A listener's place on a relay: how it counts until a report shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// The relay.
    pub relay: RelayId,
    client: Option<ClientPrefix>,
    /// True when it counts toward capacities while it is unconfirmed.
    is_counted: bool,
    noted: Noted,
}

/// The last event of a placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noted {
    /// The listener was sent to the relay.
    Sent(Instant),
    /// The relay serves it.
    Arrived(Instant),
}

/// Clients whose unconfirmed listeners are kept, over all relays: about 20 MB. Listeners of further ones count in full.
const CLIENTS_OF_ALL: usize = 131_072;

impl Fleet {
    /// Notes that a listener of `client` was sent to this mount of this relay at `now`; without a client it counts in full.
    pub fn raise_pending(
        &mut self,
        relay: RelayId,
        mount: &str,
        client: Option<ClientPrefix>,
        now: Instant,
    ) -> Placement {
        let mut placement = Placement {
            relay,
            client,
            is_counted: true,
            noted: Noted::Sent(now),
        };
        let limit = self.unconfirmed_limit();
        let place = relay.index();
        let (Some(record), Some(standing)) =
            (self.records.get_mut(place), self.standings.get_mut(place))
        else {
            return placement;
        };
        let carrier = self.mounts.carrier_mut(mount, relay);
        let mount_limit = carrier.as_ref().and_then(|it| it.capacity_listeners);
        let is_limited = standing.capacity_listeners.is_some() || mount_limit.is_some();
        if let Some(client) = client.filter(|_| is_limited) {
            placement.is_counted = record.unconfirmed.send(client, now, limit);
        }
        record.flow.send(placement.is_counted, now);
        standing.take_flow(&record.flow);
        if let Some(carrier) = carrier {
            carrier.flow.send(placement.is_counted, now);
            carrier.note_wake(now);
        }
        placement
    }

    /// Notes that a proxied listener was sent to this mount: where it was in trouble, that is a try.
    pub fn note_try(&mut self, relay: RelayId, mount: &str, now: Instant) {
        let carrier = self.mounts.carrier_mut(mount, relay);
        if let Some(trouble) = carrier.and_then(|carrier| carrier.trouble.as_mut()) {
            trouble.note_sent(now);
        }
    }

    /// Takes back the placement that was made last on its relay: the listener was not sent after all.
    pub fn withdraw_pending(&mut self, placement: &Placement, mount: &str) {
        self.confirm(placement);
        self.change_flow(placement.relay, mount, |flow| {
            flow.withdraw(placement.is_counted)
        });
    }

    /// Notes that the relay serves the listener from `now` on: known of proxied streams.
    pub fn note_arrival(&mut self, placement: &mut Placement, mount: &str, now: Instant) {
        let Noted::Sent(sent) = placement.noted else {
            return;
        };
        placement.noted = Noted::Arrived(now);
        let is_counted = placement.is_counted;
        if self.change_flow(placement.relay, mount, |flow| {
            flow.arrive(sent, is_counted, now)
        }) {
            self.confirm(placement);
        }
    }

    /// Notes that the listener left, or never came: known exactly of proxied streams. Until a report can show it, one
    /// listener less counts.
    pub fn note_departure(&mut self, placement: &Placement, mount: &str, now: Instant) {
        let relay = placement.relay;
        match placement.noted {
            Noted::Sent(sent) => {
                let is_counted = placement.is_counted;
                let leave = |flow: &mut Flow| flow.leave_unseen(sent, is_counted, now);
                if self.change_flow(relay, mount, leave) {
                    self.confirm(placement);
                }
            }
            Noted::Arrived(arrived) => {
                self.change_flow(relay, mount, |flow| flow.depart(arrived, now));
            }
        }
    }

    /// Frees the place of a listener among those of its client that count unconfirmed.
    fn confirm(&mut self, placement: &Placement) {
        let record = self.records.get_mut(placement.relay.index());
        if let (Some(client), true, Some(record)) = (placement.client, placement.is_counted, record)
        {
            record.unconfirmed.withdraw(client);
        }
    }

    /// Most clients that are kept of each relay.
    fn unconfirmed_limit(&self) -> usize {
        CLIENTS_OF_ALL / self.roster.len().max(1)
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

    /// Returns true when the relay reports this format for a mount, or none, and most carriers report no other one.
    pub fn is_expected(&self, id: RelayId, mount: &str, format: &StreamFormat) -> bool {
        // The relay's own answer counts as one report.
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

    /// Changes what came and went of a relay and of a mount on it; returns what the change of the relay returns.
    fn change_flow<T: Default>(
        &mut self,
        id: RelayId,
        mount: &str,
        change: impl Fn(&mut Flow) -> T,
    ) -> T {
        let place = id.index();
        let (Some(record), Some(standing)) =
            (self.records.get_mut(place), self.standings.get_mut(place))
        else {
            return T::default();
        };
        let changed = change(&mut record.flow);
        standing.take_flow(&record.flow);
        if let Some(carrier) = self.mounts.carrier_mut(mount, id) {
            change(&mut carrier.flow);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::fleet::tests::{relays, report, rules};
    use crate::fleet::{Fleet, Polled, RelayId};

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
        let first = fleet.raise_pending(A, MOUNT, None, second(1));
        let second_one = fleet.raise_pending(A, MOUNT, None, second(2));
        assert_eq!(taken(&fleet), (2, true));

        fleet.note_departure(&second_one, MOUNT, second(3));
        assert_eq!(taken(&fleet), (1, false), "no report had shown him");
        fleet.apply(A, reported(1, second(5)), second(5));
        fleet.note_departure(&first, MOUNT, second(6));
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
        let mut placement = fleet.raise_pending(A, MOUNT, None, millis(1_000));
        fleet.note_arrival(&mut placement, MOUNT, millis(1_200));
        assert_eq!(taken(&fleet).0, 1);
        fleet.apply(A, reported(0, millis(1_500)), millis(1_500));
        assert_eq!(taken(&fleet).0, 1, "counts lag behind");
        fleet.apply(A, reported(1, millis(1_600)), millis(1_600));
        assert_eq!(taken(&fleet).0, 1);
        fleet.note_departure(&placement, MOUNT, millis(2_000));
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
