//! Why there is no new certificate, in words for the log, and what the failure asks of the schedule.

use std::error::Error;
use std::time::{Duration, Instant};

use instant_acme::{Error as Asked, Problem};

use super::binding::Binding;
use super::certificate::PairError;
use super::challenges::ChallengeError;
use super::store::StoreError;
use super::wire::WireError;

/// A server that refuses for too many requests and does not say for how long: Let's Encrypt's shortest limit is of an hour.
const RATE_LIMITED_PAUSE: Duration = Duration::from_secs(3600);

/// Servers' words are theirs: only the beginning of a longer speech is told.
const LONGEST_TEXT: usize = 1000;

/// An attempt failed; the old certificate is untouched.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The state directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An order was placed whose URL is lost with it: the next attempt places another one.
    #[error("an order was placed and could not be noted, so it is lost")]
    OrderLost(#[source] StoreError),
    /// There is no client to ask with.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server was not reached, or said no.
    #[error("{step} failed")]
    Asking {
        /// What was asked of it.
        step: &'static str,
        /// What came.
        source: Asked,
    },
    /// The server wants to know which of its customers we are.
    #[error(
        "the authority takes bound accounts only: set eab_key_id and eab_key_file in [tls.acme] to the key that it gives you"
    )]
    BindingWanted(#[source] Problem),
    /// The server does not know that customer, or not by this key.
    #[error(
        "the authority did not take the key {key_id:?}: see that eab_key_id and eab_key_file in [tls.acme] are as it gave \
         them, for this directory, and that the key has not served already"
    )]
    BindingRefused {
        /// Which key it was.
        key_id: String,
        /// What the server says.
        #[source]
        problem: Problem,
    },
    /// The server looked for the answer to its challenge, and did not find it or did not like it.
    #[error("{domain} was not validated")]
    NotValidated {
        /// Whose challenge it was.
        domain: String,
        /// What the server says.
        #[source]
        problem: Problem,
    },
    /// Other ways to prove a domain need the name server or the TLS bind; wildcards always do.
    #[error("{0}: the server offers no http-01 challenge")]
    NoHttp01(String),
    /// The server's token is none.
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    /// No key or no request for a certificate could be made.
    #[error("cannot make a key and a request for the domains")]
    Request(#[source] rcgen::Error),
    /// What came is no chain for our key.
    #[error("the server's certificate is of no use")]
    Useless(#[from] PairError),
    /// What came is for other names.
    #[error("the server's certificate is for {0}")]
    OtherNames(String),
    /// Another certificate would be due as well: each costs one of the few that an authority gives
    /// in a week.
    #[error(
        "the new certificate is already due for renewal by the clock of this machine, which is about {} ahead of the authority's: set the clock",
        days(*.0)
    )]
    ClockAhead(Duration),
    /// The whole took too long.
    #[error("no certificate in time")]
    TimedOut,
}

impl AcmeError {
    /// What went wrong, with all causes, in one line.
    pub(super) fn text(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let words = error.to_string();
            // A transparent cause says the same again.
            if !text.ends_with(&words) {
                text = format!("{text}: {words}");
            }
            cause = error.source();
        }
        one_line(&text)
    }

    /// The problem document that the server sent, if it sent one.
    fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Asking {
                source: Asked::Api(problem),
                ..
            }
            | Self::NotValidated { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Whether the server does not know our account any more.
    pub(super) fn is_unknown_account(&self) -> bool {
        self.problem()
            .is_some_and(|problem| is_of_type(problem, "accountDoesNotExist"))
    }

    /// Whether the same order may still bring a certificate: the server was not reached, wants time, or we could not write.
    pub(super) fn may_pass(&self) -> bool {
        let passes = |problem: &Problem| {
            let names = ["rateLimited", "serverInternal", "badNonce"];
            names.iter().any(|name| is_of_type(problem, name))
        };
        match self {
            Self::Store(_) | Self::TimedOut => true,
            Self::Asking { source, .. } => match source {
                Asked::Api(problem) => passes(problem),
                source => matches!(source, Asked::Timeout(_) | Asked::Other(_)),
            },
            _ => false,
        }
    }

    /// True where the attempt cost an order that nothing is left of.
    pub(super) fn costs_an_order(&self) -> bool {
        matches!(self, Self::OrderLost(_))
    }

    /// True where the server made a certificate that is of no use.
    pub(super) fn costs_a_certificate(&self) -> bool {
        matches!(
            self,
            Self::ClockAhead(_) | Self::Useless(_) | Self::OtherNames(_)
        )
    }

    /// How long the server wants to be left alone, as far as the error itself says.
    pub(super) fn asks_for(&self) -> Option<Duration> {
        match self {
            Self::Asking {
                source: Asked::Timeout(Some(until)),
                ..
            } => Some(until.saturating_duration_since(Instant::now())),
            _ => self
                .problem()
                .filter(|problem| is_of_type(problem, "rateLimited"))
                .map(|_| RATE_LIMITED_PAUSE),
        }
    }
}

fn days(time: Duration) -> String {
    match time.as_secs() / 3600 {
        hours @ 0..48 => format!("{hours} h"),
        hours => format!("{} days", hours / 24),
    }
}

/// Names the request that failed.
pub(super) fn asking(step: &'static str) -> impl Fn(Asked) -> AcmeError {
    move |source| AcmeError::Asking { step, source }
}

/// Names the registration, and what to change where it failed for the account's binding.
pub(super) fn registering(binding: Option<&Binding>) -> impl Fn(Asked) -> AcmeError {
    move |source| match (source, binding) {
        (Asked::Api(problem), None) if is_of_type(&problem, "externalAccountRequired") => {
            AcmeError::BindingWanted(problem)
        }
        (Asked::Api(problem), Some(binding)) if is_of_binding(&problem) => {
            let key_id = binding.key_id.clone();
            AcmeError::BindingRefused { key_id, problem }
        }
        (source, _) => asking("the registration")(source),
    }
}

/// RFC 8555, section 7.3.4, names no problem for a binding that is refused; these are what servers say.
fn is_of_binding(problem: &Problem) -> bool {
    let names = ["externalAccountRequired", "unauthorized", "malformed"];
    names.iter().any(|name| is_of_type(problem, name))
}

/// Whether it is the problem of that name of RFC 8555, section 6.7.
pub(super) fn is_of_type(problem: &Problem, name: &str) -> bool {
    let kind = problem.r#type.as_deref();
    kind.and_then(|kind| kind.strip_prefix("urn:ietf:params:acme:error:")) == Some(name)
}

/// SECURITY: a server's words must not write lines of their own into the log.
fn one_line(text: &str) -> String {
    let letters = text.chars().take(LONGEST_TEXT);
    letters
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}
