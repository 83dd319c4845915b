//! The memory of `stats = "auto"`: which status page each relay was found to have.
//!
//! In: judged attempts. Out: the dialect to ask for first. Holds one short entry per relay.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::dialect::Dialect;
use super::judge::{Attempt, Hint};
use crate::fleet::PollOutcome;

/// A relay that restarts serves a bad page once or twice; a server that was replaced serves it always.
const MISSES: u8 = 3;

/// A password that was put right on the relay is noticed after this many polls, an hour at the default interval.
const POLLS_UNTIL_ANOTHER_TRY: u16 = 720;

/// What was found out about each relay, by its name.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<String, Memory>>);

#[derive(Debug, Default)]
struct Memory {
    found: Option<Dialect>,
    /// Polls in a row in which the found page was not there or not readable.
    misses: u8,
    /// The operator was told that the credentials are not accepted.
    warned: bool,
    /// Polls of a public page since then.
    polls_locked_out: u16,
}

impl Known {
    /// The page that worked last, if it still does.
    pub(super) fn dialect(&self, relay: &str) -> Option<Dialect> {
        self.lock().get(relay).and_then(|memory| memory.found)
    }

    /// Forgets a relay.
    pub(super) fn forget(&self, relay: &str) {
        self.lock().remove(relay);
    }

    /// Remembers what an attempt showed.
    pub(super) fn learn(&self, relay: &str, dialect: Dialect, attempt: &Attempt) {
        let mut memories = self.lock();
        let memory = memories.entry(relay.to_owned()).or_default();
        match attempt.hint {
            Hint::Settled => memory.settle(dialect, &attempt.polled.outcome),
            Hint::NotThisDialect => memory.miss(dialect),
            Hint::Unauthorized => memory.lock_out(relay, dialect),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Memory>> {
        // Every entry is valid after each statement, so a panic elsewhere cannot have left it half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn settle(&mut self, dialect: Dialect, outcome: &PollOutcome) {
        if !matches!(outcome, PollOutcome::Report(_)) {
            return;
        }
        self.found = Some(dialect);
        self.misses = 0;
        if dialect.needs_credentials() {
            self.warned = false;
        } else if self.warned {
            self.wait_for_another_try();
        }
    }

    fn wait_for_another_try(&mut self) {
        self.polls_locked_out += 1;
        if self.polls_locked_out >= POLLS_UNTIL_ANOTHER_TRY {
            self.polls_locked_out = 0;
            self.found = None;
        }
    }

    fn miss(&mut self, dialect: Dialect) {
        if self.found != Some(dialect) {
            return;
        }
        self.misses += 1;
        if self.misses >= MISSES {
            self.found = None;
            self.misses = 0;
        }
    }

    fn lock_out(&mut self, relay: &str, dialect: Dialect) {
        self.found = None;
        self.misses = 0;
        if !std::mem::replace(&mut self.warned, true) {
            let page = dialect.page();
            log::warn!(
                "relay {relay}: {page} does not accept the credentials, polling public pages"
            );
        }
    }
}
