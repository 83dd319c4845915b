//! The configuration: a TOML file under environment variables, checked whole, then handed out in slices.
//!
//! In: file, environment. Out: one [`Config`] in which everything is valid, or every [`Problem`] at once.
//!
//! [`load`](load()) goes through `file` (disk to table), `env` and `drop_in` (variables), `section` (each key once), `draft`
//! (typed, with places) and `validate` (the whole).

mod address;
mod credentials;
mod draft;
mod drop_in;
mod env;
mod error;
mod file;
mod load;
mod nested;
mod reader;
mod relay;
mod secret;
mod section;
mod settings;
#[cfg(test)]
mod tests;
mod validate;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::fleet::{Origin, Relay};

pub use self::env::Sources;
pub use self::error::{Fault, Place, Problem, Problems, SecretFault, Spot};
pub use self::load::{Loaded, load};

/// Everything an operator can say, valid as a whole.
#[derive(Debug, Clone)]
pub struct Config {
    /// How listeners are served where a mount does not say otherwise.
    pub mode: Mode,
    /// Worker threads of the front door; `None` means one per processor.
    pub threads: Option<usize>,
    /// The balancer's own address as listeners reach it, for playlists; `None` means the address a listener connected to.
    pub public_url: Option<Origin>,
    /// From whom `X-Forwarded-Proto` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The public addresses; not empty.
    pub binds: Vec<Bind>,
    /// The operator's address.
    pub admin: Admin,
    /// How relays are polled.
    pub poll: Poll,
    /// How a relay is chosen.
    pub select: Select,
    /// How a redirect looks.
    pub redirect: Redirect,
    /// How relays' names become addresses.
    pub discovery: Discovery,
    /// What is logged.
    pub log: Log,
    /// The fleet; not empty, names unique.
    pub relays: Vec<RelayConfig>,
    /// What is said about single mounts, by public path.
    pub mounts: BTreeMap<String, Mount>,
}

/// How a listener gets the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The listener is sent to the relay.
    Redirect,
}

/// One public address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// An IPv4 or IPv6 address with port.
    Tcp(SocketAddr),
    /// A unix socket (`unix:/path`).
    Unix(std::path::PathBuf),
}

impl std::fmt::Display for Bind {
    /// As it stands in the file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The operator's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where status, metrics and readiness are asked; `None` (`bind = ""`) turns it off.
    pub bind: Option<SocketAddr>,
}

/// How relays are polled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// The longest time between two polls of one relay.
    pub interval: Duration,
    /// The most time one poll may take in all.
    pub timeout: Duration,
    /// Consecutive failures until a relay is down.
    pub fall: u32,
    /// Consecutive successes until it is up again.
    pub rise: u32,
    /// The age at which the last good report is no longer believed.
    pub stale_after: Duration,
}

/// How a relay is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// Which of the eligible relays is taken.
    pub policy: Policy,
    /// How long a relay that came back ramps up; zero turns it off.
    pub slow_start: Duration,
}

/// Which of the eligible relays is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The lowest load, ties at random.
    LeastListeners,
    /// The less loaded of two drawn at random.
    PowerOfTwo,
    /// Drawn at random by weight, whatever the load.
    WeightedRandom,
}

/// How a redirect looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirect {
    /// 302, 303 or 307.
    pub status: u16,
}

/// How relays' names become addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discovery {
    /// How often names are resolved again.
    pub refresh: Duration,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The most detailed level that is written.
    pub level: log::LevelFilter,
}

/// One relay with what only the poller needs.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// The relay as the fleet knows it.
    pub relay: Relay,
    /// Which status page it has.
    pub stats: Stats,
    /// Who the poller says it is; needed for `admin-stats`.
    pub credentials: Option<Credentials>,
}

/// Which status page a relay has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stats {
    /// Found by asking.
    Auto,
    /// Icecast `/status-json.xsl`.
    StatusJson,
    /// Icecast `/admin/stats`.
    AdminStats,
    /// SHOUTcast v1 `/7.html`.
    Shoutcast1,
    /// SHOUTcast v2 `/statistics?json=1`.
    Shoutcast2,
}

/// A name and a password whose `Debug` does not print it.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password, read from a file.
    pub password: SecretString,
}

/// What is said about one mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// The most listeners of this mount on one relay, as Icecast's `max-listeners`.
    pub capacity_listeners: Option<u32>,
    /// No status page lists it; every relay is taken to carry it.
    pub hidden: bool,
}
