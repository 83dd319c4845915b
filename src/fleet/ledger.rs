//! The ledger: what we know of listeners before any report shows it: whom we sent, who left, who was failed.

use std::time::Instant;

use super::flow::Flow;
use super::{Fleet, RelayId};

impl Fleet {
    /// Notes that a listener was sent to this mount of this relay at `now`.
    pub fn raise_pending(&mut self, id: RelayId, mount: &str, now: Instant) {
        self.change_flow(id, mount, |flow| flow.send(now));
        if let Some(carrier) = self.mounts.carrier_mut(mount, id) {
            carrier.note_wake(now);
        }
    }

    /// Takes back the latest placement: the listener was not sent after all.
    pub fn withdraw_pending(&mut self, id: RelayId, mount: &str) {
        self.change_flow(id, mount, Flow::withdraw);
    }

    /// Notes that the listener whom we sent just before `sent` is served from `now` on: known where we carry the stream.
    pub fn note_arrival(&mut self, id: RelayId, mount: &str, sent: Instant, now: Instant) {
        self.change_flow(id, mount, |flow| flow.arrive(sent, now));
    }

    /// Notes that a listener left, or never came, whom we sent or saw arrive just before `noted`: known exactly where we
    /// carry the stream. Until a report can show it, one listener less counts.
    pub fn note_departure(
        &mut self,
        id: RelayId,
        mount: &str,
        noted: Instant,
        arrived: bool,
        now: Instant,
    ) {
        self.change_flow(id, mount, |flow| flow.depart(noted, arrived, now));
    }

    /// Notes that a relay failed somebody: until its next good poll it is chosen only when no other can be.
    pub fn note_trouble(&mut self, id: RelayId) {
        if let Some(standing) = self.standings.get_mut(id.index()) {
            standing.suspect = true;
        }
    }

    fn change_flow(&mut self, id: RelayId, mount: &str, change: impl Fn(&mut Flow)) {
        let place = id.index();
        let (Some(record), Some(standing)) =
            (self.records.get_mut(place), self.standings.get_mut(place))
        else {
            return;
        };
        change(&mut record.flow);
        standing.pending_listeners = record.flow.pending();
        standing.departed_listeners = record.flow.departed();
        if let Some(carrier) = self.mounts.carrier_mut(mount, id) {
            change(&mut carrier.flow);
        }
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
        fleet.raise_pending(A, MOUNT, second(1));
        fleet.raise_pending(A, MOUNT, second(2));
        assert_eq!(taken(&fleet), (2, true));

        fleet.note_departure(A, MOUNT, second(2), false, second(3));
        assert_eq!(taken(&fleet), (1, false), "no report had shown him");
        fleet.apply(A, reported(1, second(5)), second(5));
        fleet.note_departure(A, MOUNT, second(1), false, second(6));
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
        fleet.raise_pending(A, MOUNT, millis(1_000));
        fleet.note_arrival(A, MOUNT, millis(1_000), millis(1_200));
        assert_eq!(taken(&fleet).0, 1);
        fleet.apply(A, reported(0, millis(1_500)), millis(1_500));
        assert_eq!(taken(&fleet).0, 1, "counts lag behind");
        fleet.apply(A, reported(1, millis(1_600)), millis(1_600));
        assert_eq!(taken(&fleet).0, 1);
        fleet.note_departure(A, MOUNT, millis(1_200), true, millis(2_000));
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
