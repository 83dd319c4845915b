//! The crowd at the operator's address: bounded, and never in the way of who comes next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Monitoring, dashboards and some operators have a dozen connections.
const LIMIT: usize = 256;

/// Everybody who is connected, by when they came.
#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<People>);

#[derive(Debug, Default)]
struct People {
    next: u64,
    inside: BTreeMap<u64, Arc<Notify>>,
}

/// A place in the crowd, given back when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    crowd: &'a Crowd,
    number: u64,
    lost: Arc<Notify>,
}

impl Crowd {
    /// Takes in one more. Where there are too many the oldest loses the place: who fills the address with silence keeps
    /// nobody out, as whoever was hung up on would be.
    pub(super) fn enter(&self) -> Place<'_> {
        let mut people = self.lock();
        let (number, lost) = (people.next, Arc::new(Notify::new()));
        people.next += 1;
        people.inside.insert(number, lost.clone());
        if people.inside.len() > LIMIT
            && let Some((_, oldest)) = people.inside.pop_first()
        {
            oldest.notify_one();
        }
        drop(people);
        Place {
            crowd: self,
            number,
            lost,
        }
    }

    fn lock(&self) -> MutexGuard<'_, People> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Waits until the place is another's.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.crowd.lock().inside.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn the_oldest_makes_room_for_the_newest() {
        let crowd = Crowd::default();
        let mut inside: Vec<Place<'_>> = (0..LIMIT).map(|_| crowd.enter()).collect();
        assert!(inside[0].lost().now_or_never().is_none());
        drop(inside.remove(1));
        let one_more = crowd.enter();
        assert!(inside[0].lost().now_or_never().is_none(), "one had left");

        let too_many = crowd.enter();
        assert!(inside[0].lost().now_or_never().is_some());
        for place in inside.iter().skip(1).chain([&one_more, &too_many]) {
            assert!(place.lost().now_or_never().is_none());
        }
        assert_eq!(crowd.lock().inside.len(), LIMIT);
        drop((inside, one_more, too_many));
        assert!(crowd.lock().inside.is_empty());
    }
}
