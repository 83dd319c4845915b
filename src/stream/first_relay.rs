//! First relay: finds the relay that a listener's stream begins on.
//!
//! In: a reservation on the least loaded relay. Out: the first connection that delivers audio of the expected type, or why
//! each relay did not take the listener. An answer alone counts for nothing: a relay that has a page, a playlist or silence
//! under the name of a mount looks as well as any other, and with the fewest listeners.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use log::debug;
use tokio::time::{Instant, sleep_until};

use super::head::RelayHead;
use super::link::{Link, TurnedAway};
use super::request::Request;
use super::routes::SharedRoutes;
use super::seats::{SLOW_AFTER, Seat, Seats};

/// Time until a second relay is tried beside the first, and from then on the next one.
const HEDGE_AFTER: Duration = SLOW_AFTER;
const NEXT_AFTER: Duration = Duration::from_millis(700);

/// Most relays that are tried at once for one listener: with the usual `answer_timeout` of 5 s four silent ones and a fifth.
const TRY_LIMIT: usize = 5;

/// A relay that delivers.
pub type Opened = (Seat, Link, RelayHead);

/// Inputs of a search.
#[derive(Debug)]
pub struct FirstRelay<'a> {
    /// Source of reservations.
    pub seats: &'a Seats,
    /// Connections to relays.
    pub routes: &'a SharedRoutes,
    /// Request that is sent to relays.
    pub request: &'a Request,
    /// The mount's public path.
    pub mount: &'a Arc<str>,
}

impl FirstRelay<'_> {
    /// Tries the relay of `first`, others when it fails, and others beside it when it takes its time. All of them together
    /// have the time of `answer_timeout`.
    ///
    /// # Errors
    /// Why each relay that was tried did not take the listener.
    pub async fn open(&self, first: Seat) -> Result<Opened, Vec<TurnedAway>> {
        let limit = self.routes.answer_timeout();
        let deadline = Instant::now() + limit;
        let mut tried = vec![first.id()];
        // On the heap: each node of the list has room for one, and one more has the list itself.
        let mut tries = FuturesUnordered::new();
        tries.push(Box::pin(self.open_one(first)));
        let mut next_at = Instant::now() + HEDGE_AFTER;
        let mut reasons = Vec::new();
        let mut odd: Option<Opened> = None;
        let mut over = pin!(sleep_until(deadline));
        loop {
            let may_try = tries.len() < TRY_LIMIT;
            tokio::select! {
                Some((seat, opened)) = tries.next() => {
                    next_at = Instant::now();
                    match opened {
                        Ok((link, head)) if seat.is_expected(head.content_type.as_deref()) => {
                            if let Some((odd, ..)) = odd {
                                odd.note_turned_away(&TurnedAway::OtherType);
                            }
                            return Ok((seat, link, head));
                        }
                        Ok((link, head)) => {
                            reasons.push(TurnedAway::OtherType);
                            odd.get_or_insert((seat, link, head));
                        }
                        Err(why) => reasons.push(self.turned_away(&seat, why)),
                    }
                }
                () = sleep_until(next_at), if may_try => {
                    let Some(seat) = self.seats.take(self.mount, self.request.client, &tried) else {
                        if tries.is_empty() {
                            break;
                        }
                        next_at = deadline;
                        continue;
                    };
                    tried.push(seat.id());
                    tries.push(Box::pin(self.open_one(seat)));
                    next_at = Instant::now() + NEXT_AFTER;
                }
                () = &mut over => {
                    reasons.extend(tries.iter().map(|_| TurnedAway::Silent(limit)));
                    break;
                }
            }
        }
        // The source may have changed its type since the reports: what all relays serve is right.
        odd.ok_or(reasons)
    }

    async fn open_one(&self, seat: Seat) -> (Seat, Result<(Link, RelayHead), TurnedAway>) {
        let opened = Link::open(&seat, self.routes, self.request).await;
        (seat, opened)
    }

    fn turned_away(&self, seat: &Seat, why: TurnedAway) -> TurnedAway {
        debug!(
            "stream: relay refused: relay={} mount={} reason=\"{why}\"",
            seat.relay().name,
            self.mount.escape_debug()
        );
        seat.note_turned_away(&why);
        why
    }
}
