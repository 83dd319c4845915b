//! The ledger: what we know of listeners before any report shows it: whom we sent, who left, who was failed.

use std::time::Instant;

use super::{Carrier, Fleet, Pending, RelayId};

impl Fleet {
    /// Notes that a listener was sent to this mount of this relay at `now`.
    pub fn raise_pending(&mut self, id: RelayId, mount: &str, now: Instant) {
        self.change_pending(
            id,
            mount,
            |pending| pending.raise(now),
            |carrier| carrier.raise_pending(now),
        );
    }

    /// Takes back the latest placement: the listener was not sent after all.
    pub fn withdraw_pending(&mut self, id: RelayId, mount: &str) {
        self.change_pending(id, mount, Pending::withdraw, |carrier| {
            carrier.pending.withdraw()
        });
    }

    /// Notes that a listener whom we sent at `raised` left, or never came: known exactly where we carry the stream.
    ///
    /// Until a report can show it, one listener less counts; a placement that no report showed is taken back.
    pub fn note_departure(&mut self, id: RelayId, mount: &str, raised: Instant, now: Instant) {
        let leave = |pending: &mut Pending, departed: &mut Pending| {
            if !pending.withdraw_of(raised) {
                departed.raise(now);
            }
        };
        let place = id.index();
        let (Some(record), Some(standing)) =
            (self.records.get_mut(place), self.standings.get_mut(place))
        else {
            return;
        };
        leave(&mut record.pending, &mut record.departed);
        standing.pending_listeners = record.pending.listeners();
        standing.departed_listeners = record.departed.listeners();
        if let Some(carrier) = self.mounts.carrier_mut(mount, id) {
            leave(&mut carrier.pending, &mut carrier.departed);
        }
    }

    /// Notes that a relay failed somebody: until its next good poll it is chosen only when no other can be.
    pub fn note_trouble(&mut self, id: RelayId) {
        if let Some(standing) = self.standings.get_mut(id.index()) {
            standing.suspect = true;
        }
    }

    fn change_pending(
        &mut self,
        id: RelayId,
        mount: &str,
        change: impl FnOnce(&mut Pending),
        change_carrier: impl FnOnce(&mut Carrier),
    ) {
        let place = id.index();
        let (Some(record), Some(standing)) =
            (self.records.get_mut(place), self.standings.get_mut(place))
        else {
            return;
        };
        change(&mut record.pending);
        standing.pending_listeners = record.pending.listeners();
        if let Some(carrier) = self.mounts.carrier_mut(mount, id) {
            change_carrier(carrier);
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

        fleet.note_departure(A, MOUNT, second(2), second(3));
        assert_eq!(taken(&fleet), (1, false), "no report had shown him");
        fleet.apply(A, reported(1, second(5)), second(5));
        fleet.note_departure(A, MOUNT, second(1), second(6));
        assert_eq!(taken(&fleet), (0, false), "the report contains him");
        fleet.apply(A, reported(0, second(8)), second(8));
        assert_eq!(taken(&fleet), (0, false));
        fleet.apply(A, reported(1, second(9)), second(9));
        assert_eq!(taken(&fleet), (1, false), "somebody else");
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
