//! Refusals: every answer that says no, with its status, its text and what the player should do next.

use crate::select::NoRelay;

/// Why a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The request breaks HTTP, or asks in a form that is not served; the text says which.
    BadRequest(&'static str),
    /// The request's head did not arrive in time.
    TooSlow,
    /// Neither a page nor a mount of any relay.
    NotFound,
    /// Only GET, HEAD and OPTIONS are served.
    Method,
    /// The target is longer than any mount.
    TargetTooLong,
    /// The head is larger, or has more fields, than any player's.
    HeadTooLarge,
    /// Every relay that carries the mount has as many listeners as it may.
    Full,
    /// The listener is on https and no relay with the mount has an https address.
    NoHttps,
    /// No relay is reachable that carries the mount.
    Unavailable,
    /// A playlist is asked for on a unix socket and nothing tells our public address.
    NoPublicUrl,
    /// The balancer has just started and has not heard of every relay yet.
    Starting,
    /// Every relay wants to know who listens.
    Unauthorized,
    /// The request went through this balancer again and again: a relay's url leads back to it.
    Loop,
    /// The listener's address has as many streams as it may.
    TooManyListeners,
    /// Too many tune-ins wait for a relay already.
    Busy,
}

impl Refusal {
    /// Every kind, for counters that must exist before the first refusal.
    pub const ALL: [Self; 15] = [
        Self::BadRequest(""),
        Self::TooSlow,
        Self::NotFound,
        Self::Method,
        Self::TargetTooLong,
        Self::HeadTooLarge,
        Self::Full,
        Self::NoHttps,
        Self::Unavailable,
        Self::NoPublicUrl,
        Self::Starting,
        Self::Unauthorized,
        Self::Loop,
        Self::TooManyListeners,
        Self::Busy,
    ];

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Unauthorized => 401,
            Self::NotFound => 404,
            Self::Method => 405,
            Self::TooSlow => 408,
            Self::TargetTooLong => 414,
            Self::TooManyListeners => 429,
            Self::HeadTooLarge => 431,
            Self::NoPublicUrl => 500,
            Self::Loop => 508,
            Self::Full | Self::NoHttps | Self::Unavailable | Self::Starting | Self::Busy => 503,
        }
    }

    /// One line for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::BadRequest(why) => why,
            Self::TooSlow => "the request did not arrive in time",
            Self::NotFound => "no such mount on any relay",
            Self::Method => "only GET, HEAD and OPTIONS are served here",
            Self::TargetTooLong => "the request target is too long",
            Self::HeadTooLarge => "the request head is too large",
            Self::Full => "all relays with this mount are full",
            Self::NoHttps => "no relay with this mount has an https address",
            Self::Unavailable => "no relay with this mount is available",
            Self::NoPublicUrl => "a playlist needs public_url in the configuration here",
            Self::Starting => "the balancer is starting and has not polled every relay yet",
            Self::Unauthorized => "the mount wants a user and a password",
            Self::Loop => "a relay's url leads back to this balancer",
            Self::TooManyListeners => "too many streams are heard from this address",
            Self::Busy => "too many listeners tune in at this moment",
        }
    }

    /// The word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::TooSlow => "too_slow",
            Self::NotFound => "not_found",
            Self::Method => "method",
            Self::TargetTooLong => "target_too_long",
            Self::HeadTooLarge => "head_too_large",
            Self::Full => "full",
            Self::NoHttps => "no_https",
            Self::Unavailable => "unavailable",
            Self::NoPublicUrl => "no_public_url",
            Self::Starting => "starting",
            Self::Unauthorized => "unauthorized",
            Self::Loop => "loop",
            Self::TooManyListeners => "too_many_listeners",
            Self::Busy => "busy",
        }
    }

    /// Seconds after which asking again makes sense; `None` when it never does.
    ///
    /// A relay is polled every 5 s by default, so what is missing now may be there after the next poll.
    pub fn retry_after_seconds(self) -> Option<&'static str> {
        match self {
            Self::Starting | Self::Busy => Some("2"),
            Self::Full | Self::Unavailable => Some("5"),
            // Only an operator can change that.
            Self::NoHttps | Self::TooManyListeners => Some("60"),
            _ => None,
        }
    }
}

impl From<NoRelay> for Refusal {
    fn from(none: NoRelay) -> Self {
        match none {
            NoRelay::UnknownMount => Self::NotFound,
            NoRelay::NotYet => Self::Starting,
            NoRelay::AllFull => Self::Full,
            NoRelay::NoHttps => Self::NoHttps,
            NoRelay::NoneAvailable => Self::Unavailable,
        }
    }
}
