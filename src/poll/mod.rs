//! Polling: asks a relay for its status page, whichever it has, and makes one [`Report`] of it.
//!
//! In: a [`Target`] and the addresses of its host. Out: a [`Polled`] for the fleet. Each dialect is a pure function from
//! bytes to a report; only `fetch` touches the network. It judges no health: what a failed poll means is the fleet's.

mod admin_stats;
mod answer;
mod check;
mod dialect;
mod fetch;
mod judge;
mod known;
mod lenient;
mod loose;
mod overhear;
mod permits;
mod resolve;
mod rounds;
mod shoutcast1;
mod shoutcast2;
mod status_json;
#[cfg(test)]
mod tests;
mod text;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use check::RelayCheck;
pub use rounds::{Pace, Rounds};

use crate::config::{Credentials, Stats};
use crate::discovery::AddressBook;
use crate::fleet::{Origin, Polled};

use dialect::Dialect;
use fetch::Fetcher;
use judge::{Attempt, Hint};
use known::Known;

/// Why an answer could not be read as a status document.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// ICECAST: 2.4 answers so for 0.3 s after its start.
    #[error("the server has just started and has no statistics yet")]
    NotReady,
    /// Neither strict JSON of the expected shape nor repairable.
    #[error("expected a JSON status document")]
    Json(#[source] serde_json::Error),
    /// Not well-formed.
    #[error("expected an XML status document")]
    Xml(#[source] quick_xml::Error),
    /// XML, but not Icecast's statistics.
    #[error("expected the root element icestats")]
    NotIcestats,
    /// The document ends too early.
    #[error("expected the end of icestats, found the end of the page")]
    Truncated,
    /// More mounts than any real relay has.
    #[error("expected at most 10000 mounts")]
    TooManyMounts,
    /// Not SHOUTcast v1's line.
    #[error("expected seven fields: five counts, a bitrate, a title")]
    NotSeven,
}

/// A relay as the poller needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The relay's name, unique in the fleet; what was found out about its status page is remembered under it.
    pub name: String,
    /// Where it is polled.
    pub url: Origin,
    /// Which status page it has.
    pub stats: Stats,
    /// Who the poller says it is; sent to `/admin/stats` only.
    pub credentials: Option<Credentials>,
}

/// The poller could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum PollerError {
    /// The HTTP client cannot be made, which is a matter of the machine's certificates.
    #[error(
        "cannot set up the HTTP client that polls relays (is the package ca-certificates installed?): {0:?}"
    )]
    Client(#[source] reqwest::Error),
    /// The file of the relays' authorities cannot be read.
    #[error("cannot read the certificates of upstream.ca_file: {0}")]
    Authorities(#[source] std::io::Error),
}

/// Polls relays, any number at the same time, and remembers which status page each has.
#[derive(Debug)]
pub struct Poller {
    fetcher: Arc<Fetcher>,
    known: Arc<Known>,
    timeout: Duration,
}

impl Poller {
    /// A poller whose every poll ends within `timeout`, and that finds relays through `book`; those on https must have
    /// certificates of the authorities in the file `ca`, or else of the public ones.
    ///
    /// # Errors
    /// When the HTTP client cannot be built, which is a matter of certificates.
    pub fn new(
        timeout: Duration,
        book: AddressBook,
        ca: Option<&Path>,
    ) -> Result<Self, PollerError> {
        Ok(Self {
            fetcher: Arc::new(Fetcher::new(book, ca)?),
            known: Arc::default(),
            timeout,
        })
    }

    /// One that remembers what this one found out, and polls as [`Poller::new`] says; without authorities of its own, before and
    /// now, by the same HTTP client.
    ///
    /// # Errors
    /// As of [`Poller::new`].
    pub fn succeeded_by(
        &self,
        timeout: Duration,
        book: AddressBook,
        ca: Option<&Path>,
    ) -> Result<Self, PollerError> {
        let fetcher = match (ca, self.fetcher.has_own_authorities()) {
            (None, false) => self.fetcher.clone(),
            _ => Arc::new(Fetcher::new(book, ca)?),
        };
        Ok(Self {
            fetcher,
            known: self.known.clone(),
            timeout,
        })
    }

    /// Forgets what was found out about a relay's status page.
    pub fn forget(&self, relay: &str) {
        self.known.forget(relay);
    }

    /// Most sockets that a poll of this relay has at a time: one for each address of its name.
    fn sockets(&self, target: &Target) -> usize {
        self.fetcher.sockets(&target.url)
    }

    /// Polls one relay; takes no longer than the timeout, however many pages have to be tried.
    pub async fn poll(&self, target: &Target) -> Polled {
        self.poll_within(target, None).await
    }

    /// The same, within `limit` where that is shorter than the timeout.
    async fn poll_within(&self, target: &Target, limit: Option<Duration>) -> Polled {
        let limit = limit.map_or(self.timeout, |limit| limit.min(self.timeout));
        let deadline = Instant::now() + limit;
        if let Some(dialect) = Dialect::configured(target.stats) {
            return self.attempt(target, dialect, deadline).await.polled;
        }
        match self.known.dialect(&target.name) {
            Some(dialect) => self.poll_known(target, dialect, deadline).await,
            None => self.find(target, deadline).await,
        }
    }

    /// Asks for the page that worked before; goes looking again at once when it wants other credentials.
    async fn poll_known(&self, target: &Target, dialect: Dialect, deadline: Instant) -> Polled {
        let attempt = self.explore(target, dialect, deadline).await;
        if attempt.hint == Hint::Unauthorized {
            return self.find(target, deadline).await;
        }
        attempt.polled
    }

    /// Asks for one page after the other until one is understood, or the relay shows that none will be.
    async fn find(&self, target: &Target, deadline: Instant) -> Polled {
        let (first, others) = Dialect::search_order(target.credentials.is_some());
        let mut best = self.explore(target, first, deadline).await;
        let mut hint = best.hint;
        for &other in others {
            if hint == Hint::Settled {
                break;
            }
            let attempt = self.explore(target, other, deadline).await;
            hint = attempt.hint;
            best = best.or_more_telling(attempt);
        }
        best.polled
    }

    /// One attempt, remembered.
    async fn explore(&self, target: &Target, dialect: Dialect, deadline: Instant) -> Attempt {
        let attempt = self.attempt(target, dialect, deadline).await;
        self.known.learn(&target.name, dialect, &attempt);
        attempt
    }

    async fn attempt(&self, target: &Target, dialect: Dialect, deadline: Instant) -> Attempt {
        let began = Instant::now();
        let fetched = self.fetcher.fetch(target, dialect, deadline).await;
        Attempt::judge(began, dialect, target.credentials.is_some(), fetched)
    }
}
