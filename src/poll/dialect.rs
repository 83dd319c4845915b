//! The four status pages that relays have: where each is, how it is asked for, who reads it.
//!
//! In: the configured kind, a body. Out: a path, a User-Agent, a report. Pure.

use super::{Unreadable, admin_stats, shoutcast1, shoutcast2, status_json};
use crate::config::Stats;
use crate::fleet::Report;

/// One kind of status page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Icecast `/admin/stats`.
    AdminStats,
    /// Icecast `/status-json.xsl`.
    StatusJson,
    /// SHOUTcast v2 `/statistics?json=1`.
    Shoutcast2,
    /// SHOUTcast v1 `/7.html`.
    Shoutcast1,
}

impl Dialect {
    /// The order in which an unknown relay is asked: the page that tells most first. A SHOUTcast v2 serves v1's page too,
    /// so v1 comes last.
    pub(super) fn search_order(with_credentials: bool) -> (Self, &'static [Self]) {
        const OTHERS: &[Dialect] = &[Dialect::Shoutcast2, Dialect::Shoutcast1];
        const PUBLIC: &[Dialect] = &[
            Dialect::StatusJson,
            Dialect::Shoutcast2,
            Dialect::Shoutcast1,
        ];
        if with_credentials {
            (Self::AdminStats, PUBLIC)
        } else {
            (Self::StatusJson, OTHERS)
        }
    }

    /// The dialect that was configured; `None` when it has to be found by asking.
    pub(super) fn configured(stats: Stats) -> Option<Self> {
        match stats {
            Stats::Auto => None,
            Stats::StatusJson => Some(Self::StatusJson),
            Stats::AdminStats => Some(Self::AdminStats),
            Stats::Shoutcast1 => Some(Self::Shoutcast1),
            Stats::Shoutcast2 => Some(Self::Shoutcast2),
        }
    }

    /// Path and query of the page.
    pub(super) fn page(self) -> &'static str {
        match self {
            Self::AdminStats => "/admin/stats",
            Self::StatusJson => "/status-json.xsl",
            Self::Shoutcast2 => "/statistics?json=1",
            Self::Shoutcast1 => "/7.html",
        }
    }

    /// Who the poller says it is. A SHOUTcast v1 takes whoever is no `Mozilla` for a player and sends the stream.
    pub(super) fn user_agent(self) -> &'static str {
        match self {
            Self::Shoutcast1 => concat!(
                "Mozilla/5.0 (compatible; icecast-balancer/",
                env!("CARGO_PKG_VERSION"),
                ")"
            ),
            _ => concat!("icecast-balancer/", env!("CARGO_PKG_VERSION")),
        }
    }

    /// Whether the page wants a name and a password. SECURITY: no other page is sent them.
    pub(super) fn needs_credentials(self) -> bool {
        self == Self::AdminStats
    }

    /// Reads a body of this page.
    pub(super) fn parse(self, body: &[u8]) -> Result<Report, Unreadable> {
        match self {
            Self::AdminStats => admin_stats::parse(body),
            Self::StatusJson => status_json::parse(body),
            Self::Shoutcast2 => shoutcast2::parse(body),
            Self::Shoutcast1 => shoutcast1::parse(body),
        }
    }
}
