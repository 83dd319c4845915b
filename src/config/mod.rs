//! The configuration: a TOML file under environment variables, checked whole, then handed out in slices.
//!
//! In: file, environment. Out: one [`Config`] in which everything is valid, or every [`Problem`] at once.
//!
//! [`load`](load()) goes through `file` (disk to table), `env` and `drop_in` (variables), `section` (each key once), `draft`
//! (typed, with places) and `validate` (the whole).

mod address;
mod authorities;
mod carried;
mod certificates;
mod credentials;
mod draft;
mod drop_in;
mod entry;
mod env;
mod error;
mod file;
mod load;
mod nested;
mod operator;
mod reader;
mod reading;
mod relay;
mod secret;
mod section;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod validate;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use regex::bytes::Regex;

use crate::fleet::{Origin, Relay};

pub use self::credentials::Credentials;
pub use self::entry::{Address, Bind, Limits, Tls};
pub use self::env::Sources;
pub use self::error::{Fault, Place, Problem, Problems, SecretFault, Spot};
pub use self::load::{Loaded, load};
pub use self::operator::{Admin, AdminTls, Token};
pub use self::reading::{LastReading, Reading};

/// Everything an operator can say, valid as a whole.
#[derive(Debug, Clone)]
pub struct Config {
    /// How listeners are served where a mount does not say otherwise.
    pub mode: Mode,
    /// Worker threads of the front door; `None` means one per processor.
    pub threads: Option<usize>,
    /// The balancer's own address as listeners reach it, for playlists; `None` means the address a listener connected to.
    pub public_url: Option<Origin>,
    /// From whom `X-Forwarded-Proto`, `X-Forwarded-For` and the PROXY protocol are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The public addresses; not empty.
    pub binds: Vec<Bind>,
    /// Who we are to listeners on TLS.
    pub tls: Tls,
    /// How many are let in.
    pub limits: Limits,
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
    /// How much time there is at a stop.
    pub stop: Stop,
    /// The fleet; not empty, names unique.
    pub relays: Vec<RelayConfig>,
    /// What is said about single mounts, by public path.
    pub mounts: BTreeMap<String, Mount>,
    /// Listeners who need another mode than their mount's; the first that fits counts.
    pub listener_rules: Vec<ListenerRule>,
    /// How carried streams are kept up.
    pub stream: Stream,
    /// How relays are reached over TLS.
    pub upstream: Upstream,
    /// When it is read again.
    pub reload: Reload,
}

/// How a listener gets the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The listener is sent to the relay.
    Redirect,
    /// The balancer carries the stream, over a connection of the listener's own to a relay.
    Proxy,
}

/// When the configuration is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reload {
    /// When its file changes too, and not only when we are told.
    pub watch: bool,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// 302, 303 or 307.
    pub status: u16,
    /// What becomes of a listener on https when no relay with an https address can take him.
    pub without_https: WithoutHttps,
    /// The hosts whose browsers are sent from http to https.
    pub https_hosts: Vec<HttpsHost>,
}

/// A host whose browsers belong on https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsHost {
    /// The name that they ask for.
    pub name: String,
    /// Where they are sent: the name, and a port where it is not 443.
    pub authority: String,
}

/// What becomes of a listener on https when only relays without an https address can take him.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutHttps {
    /// The balancer carries the stream for him.
    Proxy,
    /// He is refused.
    Refuse,
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

/// How much time there is at a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// How long listeners are still let in when readiness is gone already.
    pub drain_delay: Duration,
    /// How long carried streams are kept after that.
    pub drain_timeout: Duration,
}

/// One relay, with what polls and streams need beside it.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// The relay as the fleet knows it.
    pub relay: Relay,
    /// Which status page it has.
    pub stats: Stats,
    /// For the status page only; needed for `admin-stats`.
    pub credentials: Option<Credentials>,
    /// Sent with streams of listeners that send none of their own.
    pub stream_credentials: Option<Credentials>,
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

/// What is said about one mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// The most listeners of this mount on one relay, as Icecast's `max-listeners`.
    pub capacity_listeners: Option<u32>,
    /// No status page lists it; every relay is taken to carry it.
    pub hidden: bool,
    /// How its listeners get it, where that differs from the rest.
    pub mode: Option<Mode>,
}

/// Listeners who get another mode.
#[derive(Debug, Clone)]
pub struct ListenerRule {
    /// Searched in the `User-Agent`, bytes without Unicode; ASCII letters of either case alike.
    pub user_agent: Regex,
    /// How such listeners are served.
    pub mode: Mode,
}

/// How carried streams are kept up (mode proxy).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The most time a relay may take to accept a connection.
    pub connect_timeout: Duration,
    /// The most time a relay may take from there to the head of its answer.
    pub answer_timeout: Duration,
    /// Silence after which another relay is asked; `None` means half of what the relay's burst lasts, 1 s to 3 s.
    pub stall_timeout: Option<Duration>,
    /// How long a listener is kept when no relay has the mount.
    pub hold: Duration,
    /// A listener who takes nothing for so long is given up.
    pub slow_listener_timeout: Duration,
    /// The time over which the listeners of a drained relay are moved.
    pub drain_time: Duration,
    /// How listeners are moved from the fullest relay to the emptiest.
    pub rebalance: Rebalance,
}

/// How listeners are moved from the fullest relay to the emptiest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebalance {
    /// The most listeners moved in a second; 0 turns it off.
    pub listeners_per_second: u32,
    /// Nobody is moved while the loads differ by less than this part of the larger, in percent.
    pub difference_percent: u32,
}

/// How relays are reached over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upstream {
    /// A file (PEM) of the authorities whose certificates are believed, instead of the public ones; Pingora can load it.
    pub ca_file: Option<PathBuf>,
}
