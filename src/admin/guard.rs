//! The guard: who may change something.
//!
//! In: a request's header fields and the address it came from. Out: nothing, or why not. The right
//! token always passes; wrong ones are limited by address. Neither keeps nor shows what was given
//! as a token.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use http::{HeaderMap, header};
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use super::strikes::Strikes;
use crate::config::Token;

/// The token that is to be known now; nobody passes without one.
pub type SharedToken = Arc<ArcSwapOption<Token>>;

/// Knows the token and who guessed wrong lately.
#[derive(Debug)]
pub struct Guard {
    token: SharedToken,
    strikes: Mutex<Strikes>,
}

/// Why a request may change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Denial {
    /// There is no token that a request could know.
    #[error("no token is configured here: set admin.token_file to change relays over this address")]
    NoToken,
    /// None was given.
    #[error("expected the field Authorization: Bearer and the token of admin.token_file")]
    Missing,
    /// Another one was given.
    #[error("wrong token")]
    Wrong,
    /// Another one was given, once more than is allowed; how long the address has to wait.
    #[error("wrong token, and too many of them; try again in {} s", whole_seconds(*.0))]
    OneTooMany(Duration),
    /// Another one was given, after too many; how long further ones are answered like this.
    #[error("wrong token, and too many of them from this address; try again in {} s", whole_seconds(*.0))]
    TooMany(Duration),
}

/// Rounded up: who comes back then is let in.
fn whole_seconds(rest: Duration) -> u64 {
    (rest + Duration::from_millis(999)).as_secs()
}

impl Denial {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::NoToken => 403,
            Self::Missing | Self::Wrong => 401,
            Self::OneTooMany(_) | Self::TooMany(_) => 429,
        }
    }

    /// Seconds after which asking again makes sense; `None` when the time changes nothing.
    pub fn retry_after_seconds(self) -> Option<u64> {
        match self {
            Self::OneTooMany(rest) | Self::TooMany(rest) => Some(whole_seconds(rest)),
            Self::NoToken | Self::Missing | Self::Wrong => None,
        }
    }
}

impl Guard {
    /// Guards with the token that is there when somebody comes.
    pub fn new(token: SharedToken) -> Self {
        Self {
            token,
            strikes: Mutex::default(),
        }
    }

    /// Whether the request may change something.
    ///
    /// # Errors
    /// Why it may not.
    pub fn admit(&self, headers: &HeaderMap, peer: IpAddr, now: Instant) -> Result<(), Denial> {
        let token = self.token.load_full().ok_or(Denial::NoToken)?;
        if !headers.contains_key(header::AUTHORIZATION) {
            return Err(Denial::Missing);
        }
        // SECURITY: the comparison comes before the throttle, or six wrong tokens of any process
        // behind one address would lock its operator out. The throttle bounds what wrong tokens
        // cost; only the token's own randomness makes guessing hopeless.
        if knows(headers, &token) {
            return Ok(());
        }
        let mut strikes = self.strikes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = strikes.bar(peer, now) {
            return Err(Denial::TooMany(rest));
        }
        Err(strikes
            .strike(peer, now)
            .map_or(Denial::Wrong, Denial::OneTooMany))
    }
}

/// SECURITY: compared in a time that does not depend on where the texts differ; only the length could be told from it.
fn knows(headers: &HeaderMap, token: &Token) -> bool {
    let expected = token.0.expose_secret().as_bytes();
    bearer(headers).is_some_and(|given| given.ct_eq(expected).into())
}

/// The token of the one `Authorization: Bearer`; the scheme's letters may be of either case (RFC 9110, 11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return None;
    };
    let (scheme, given) = field.as_bytes().split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| given.trim_ascii())
}
