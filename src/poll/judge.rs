//! What an answer means: the outcome for the fleet, and whether another status page may fare better.
//!
//! In: what `fetch` brought. Out: an [`Attempt`]. Pure. Knows the answers of full and of guarded servers.

use std::error::Error;
use std::time::Instant;

use reqwest::StatusCode;

use super::answer::Answer;
use super::dialect::Dialect;
use super::fetch::{FetchError, causes};
use crate::fleet::{PollFault, PollOutcome, Polled};

/// One request to a relay, judged.
#[derive(Debug)]
pub(super) struct Attempt {
    /// What the fleet is told if this was the last word.
    pub(super) polled: Polled,
    /// What it says about the relay's other pages.
    pub(super) hint: Hint,
}

/// What an attempt says about the relay's other status pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// This is the relay's word; another page would say the same.
    Settled,
    /// The relay does not have this page, or it is another server's.
    NotThisDialect,
    /// The page is there, but wants other credentials.
    Unauthorized,
}

impl Attempt {
    /// Judges what one request brought; `began` is the moment before it was sent.
    pub(super) fn judge(
        began: Instant,
        dialect: Dialect,
        with_credentials: bool,
        fetched: Result<Answer, FetchError>,
    ) -> Self {
        let (outcome, hint) = match fetched {
            Ok(answer) if answer.status == StatusCode::OK => read(dialect, &answer.body),
            Ok(answer) => refusal(dialect, with_credentials, &answer),
            Err(error) => failure(&error),
        };
        Self {
            polled: Polled { began, outcome },
            hint,
        }
    }

    /// This attempt, or a later one that tells the operator more.
    pub(super) fn or_more_telling(self, later: Self) -> Self {
        if later.rank() > self.rank() {
            later
        } else {
            self
        }
    }

    /// A page that cannot be read tells more than one that is not there.
    fn rank(&self) -> u8 {
        match self.polled.outcome {
            PollOutcome::Failed(_) => 0,
            PollOutcome::Unreadable(_) => 1,
            PollOutcome::Report(_) | PollOutcome::Full | PollOutcome::Refused(_) => 2,
        }
    }
}

fn read(dialect: Dialect, body: &[u8]) -> (PollOutcome, Hint) {
    match dialect.parse(body) {
        Ok(report) => (PollOutcome::Report(report), Hint::Settled),
        Err(error) => {
            let outcome = PollOutcome::Unreadable(fault(dialect, &error));
            (outcome, Hint::NotThisDialect)
        }
    }
}

/// Judges an answer other than 200.
fn refusal(dialect: Dialect, with_credentials: bool, answer: &Answer) -> (PollOutcome, Hint) {
    if is_full(answer) {
        return (PollOutcome::Full, Hint::Settled);
    }
    let page = dialect.page();
    let status = answer.status;
    let text = match (status, dialect.needs_credentials() && with_credentials) {
        (StatusCode::UNAUTHORIZED, true) => {
            format!("{page}: {status}: the credentials are not accepted")
        }
        (StatusCode::UNAUTHORIZED, false) => format!("{page}: {status}: credentials are needed"),
        _ => format!("{page}: {status}"),
    };
    let hint = match status {
        StatusCode::UNAUTHORIZED if dialect.needs_credentials() => Hint::Unauthorized,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Hint::Settled,
        status if status.is_redirection() || status.is_client_error() => Hint::NotThisDialect,
        _ => Hint::Settled,
    };
    (PollOutcome::Failed(PollFault::new(text)), hint)
}

/// Whether the server turned the poller away because its client limit is reached.
///
/// ICECAST: 2.4 answers 403 and resets, so its words may be lost; a status page has no other reason for a bare 403.
/// 2.5 answers 503 (read in its source).
fn is_full(answer: &Answer) -> bool {
    let says = |words: &[u8]| answer.body.windows(words.len()).any(|part| part == words);
    let says_so = says(b"connection limit reached") || says(b"max listeners reached");
    match answer.status {
        StatusCode::FORBIDDEN => says_so || answer.body.trim_ascii().is_empty(),
        StatusCode::SERVICE_UNAVAILABLE => says_so,
        _ => false,
    }
}

fn failure(error: &FetchError) -> (PollOutcome, Hint) {
    let fault = PollFault::new(describe(error));
    match error {
        FetchError::Refused => (PollOutcome::Refused(fault), Hint::Settled),
        FetchError::TooLarge | FetchError::Encoded => {
            (PollOutcome::Unreadable(fault), Hint::NotThisDialect)
        }
        FetchError::NotHttp(_) => (PollOutcome::Failed(fault), Hint::NotThisDialect),
        FetchError::NotInBook(_)
        | FetchError::TimedOut
        | FetchError::Broken(_)
        | FetchError::Unasked(_) => (PollOutcome::Failed(fault), Hint::Settled),
    }
}

fn fault(dialect: Dialect, error: &(dyn Error + 'static)) -> PollFault {
    PollFault::new(format!("{}: {}", dialect.page(), describe(error)))
}

/// An error with its innermost cause, which alone says more than those between.
fn describe(error: &(dyn Error + 'static)) -> String {
    let words = error.to_string();
    match causes(error).skip(1).last() {
        Some(cause) => format!("{words}: {cause}"),
        None => words,
    }
}
