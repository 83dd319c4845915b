//! What a connection and a listener hold for as long as they count.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use tokio::sync::Notify;

use super::{Budget, Over, TooManyListeners};
use crate::fleet::ClientPrefix;

/// A connection that was let in; counts until it is dropped.
#[derive(Debug)]
#[must_use = "the connection counts for as long as its pass is kept"]
pub struct Pass {
    pub(super) place: Place,
    pub(super) client: Option<ClientPrefix>,
}

impl Pass {
    /// Its place among the others.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Counts the connection for another address from now on: the one that a proxy in front told.
    ///
    /// # Errors
    /// There are too many of that address; the refusal was counted, and the connection counts no more.
    pub fn on_behalf_of(mut self, address: IpAddr) -> Result<Self, Over> {
        let budget = self.place.budget.clone();
        let client = budget.client(Some(address));
        let mut counts = budget.counts();
        if let Err(over) = counts.enter(client, &budget.limits.load()) {
            drop(counts);
            return Err(budget.refuse(over));
        }
        counts.leave(self.client);
        drop(counts);
        self.client = client;
        Ok(self)
    }

    /// Seats a listener of this connection until the seating is dropped, whether before or after the pass. He counts for
    /// `address`, where a proxy told one.
    ///
    /// # Errors
    /// There are too many of his address; the refusal was counted.
    pub fn listen(&self, address: Option<IpAddr>) -> Result<Seating, TooManyListeners> {
        let budget = &self.place.budget;
        let own = || self.client;
        let client = address.map_or_else(own, |it| budget.client(Some(it)));
        if let Some(client) = client {
            let seated = budget.counts().seat(client, &budget.limits.load());
            seated.inspect_err(|_| {
                budget.refused.listeners.fetch_add(1, Ordering::Relaxed);
            })?;
        }
        Ok(Seating {
            budget: budget.clone(),
            client,
            place: None,
        })
    }

    /// Seats a listener who shares this connection with others: he counts as a connection too, as he needs a socket towards
    /// relays like everybody else.
    ///
    /// # Errors
    /// There are too many of his address, or in total; the refusal was counted.
    pub fn listen_beside_others(
        &self,
        address: Option<IpAddr>,
    ) -> Result<Seating, TooManyListeners> {
        // First what makes nobody go.
        let mut seating = self.listen(address)?;
        let place = self.place.budget.admit_to(self.client);
        seating.place = Some(place.map_err(|_| TooManyListeners)?);
        Ok(seating)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Place { budget, number } = &self.place;
        budget.counts().dismiss(*number, self.client);
    }
}

/// A listener whose stream is carried; counts until it is dropped.
#[derive(Debug)]
#[must_use = "the listener counts for as long as his seating is kept"]
pub struct Seating {
    budget: Arc<Budget>,
    pub(super) client: Option<ClientPrefix>,
    /// Where he shares a connection.
    place: Option<Pass>,
}

impl Drop for Seating {
    fn drop(&mut self) {
        self.place.take();
        self.budget.counts().unseat(self.client);
    }
}

/// A connection's place. While nothing is asked of it, it is given to somebody else when all places are taken: those who
/// came first and still have not said what they want go first.
#[derive(Debug, Clone)]
pub struct Place {
    pub(super) budget: Arc<Budget>,
    pub(super) number: u64,
}

impl Place {
    /// Awaits what the other side is to say next; `None` when the place was given away meanwhile.
    pub async fn rest_during<T>(&self, waiting: impl Future<Output = T>) -> Option<T> {
        let mut waiting = pin!(waiting);
        // Most have said it already.
        let said = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx))).await;
        if let Poll::Ready(said) = said {
            return Some(said);
        }
        let mut rest = self.rest();
        tokio::select! {
            biased;
            () = rest.called() => None,
            said = waiting => rest.end().then_some(said),
        }
    }

    /// Offers the place until the rest ends or is dropped.
    pub fn rest(&self) -> Rest<'_> {
        let call = Arc::new(Notify::new());
        self.budget.counts().rest(self.number, call.clone());
        Rest { place: self, call }
    }
}

/// The time in which a place may be given away.
#[derive(Debug)]
pub struct Rest<'p> {
    place: &'p Place,
    call: Arc<Notify>,
}

impl Rest<'_> {
    /// Ready when the place is given away.
    pub async fn called(&mut self) {
        self.call.notified().await;
    }

    /// Ends the rest; false when the place was given away.
    pub fn end(self) -> bool {
        let Place { budget, number } = self.place;
        budget.counts().rise(*number)
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        let Place { budget, number } = self.place;
        budget.counts().rise(*number);
    }
}
