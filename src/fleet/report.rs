//! What one poll of a relay said: the one shape that every status dialect is read into.
//!
//! Comes in from `poll`, goes into [`Fleet::apply`](super::Fleet::apply). Holds no history and judges nothing.

use std::time::Instant;

use super::media_type::is_stream;
use super::mount_name::{BadMountName, check_name, check_public};
use super::relay::Relay;

/// The listeners and mounts that a relay reported at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Listeners of all mounts together, as the server counts them (its own relays included).
    pub listeners: u32,
    /// The mounts that the server lists, each path once.
    pub mounts: Vec<MountReport>,
    /// When the server started, in its own words; another text means another run of it.
    pub started: Option<String>,
    /// The server's name and version as it gives them, for people to read.
    pub server: Option<String>,
}

impl Report {
    /// Whether the server restarted between the two reports, as far as it tells.
    pub fn is_of_another_run(&self, earlier: &Self) -> bool {
        match (&self.started, &earlier.started) {
            (Some(now), Some(then)) => now != then,
            _ => false,
        }
    }

    /// Its mounts with their public paths, as `relay` maps them; none that stands in the place of our own pages.
    pub fn listed_by<'a>(
        &'a self,
        relay: &'a Relay,
    ) -> impl Iterator<Item = (&'a str, &'a MountReport)> {
        let mounts = self.mounts.iter();
        mounts.filter_map(|mount| {
            let public = relay.public_path(&mount.path)?;
            let is_own_page = check_public(public).is_err() && !relay.mounts.contains_key(public);
            (!is_own_page).then_some((public, mount))
        })
    }

    /// Removes the mounts that must not be served, and returns them.
    ///
    /// SECURITY: names and types come from source clients: an administration page listed as a mount, or a page in the
    /// place of one of ours, is served to no listener.
    pub fn reject_mounts(&mut self, relay: &Relay) -> Rejected {
        let mut rejected = Rejected::default();
        self.mounts.retain(|mount| match mount.check() {
            Ok(()) => true,
            Err(reason) => {
                rejected.note(&mount.path, reason);
                false
            }
        });
        for mount in &self.mounts {
            let public = relay.public_path(&mount.path).unwrap_or(&mount.path);
            if let (Err(reason), false) = (check_public(public), relay.mounts.contains_key(public))
            {
                rejected.note(&mount.path, reason);
            }
        }
        rejected
    }
}

/// Mounts of a report to which no listener is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Number of them.
    pub mounts: u32,
    /// The first of them with their reasons: at most 8, each name at most 100 characters, without control characters.
    pub named: Vec<(String, BadMountName)>,
}

/// More are only counted: a hostile page may list thousands.
const NAMED_LIMIT: usize = 8;

/// More of a name tells an operator nothing new.
const NAME_LIMIT_CHARS: usize = 100;

impl Rejected {
    fn note(&mut self, name: &str, reason: BadMountName) {
        self.mounts = self.mounts.saturating_add(1);
        if self.named.len() < NAMED_LIMIT {
            let shown = name.chars().flat_map(char::escape_default);
            self.named
                .push((shown.take(NAME_LIMIT_CHARS).collect(), reason));
        }
    }
}

/// One mount of a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountReport {
    /// The relay's own name of the mount: percent-decoded once, begins with `/`.
    pub path: String,
    /// Whether and how a listener can be served from it.
    pub kind: MountKind,
    /// Listeners on this mount.
    pub listeners: u32,
    /// The server's limit for this mount; `None` when unlimited or not told (status-json never tells).
    pub max_listeners: Option<u32>,
    /// The station's name (`server_name`), for people to read.
    pub name: Option<String>,
    /// What plays now: the title, with the artist before it where both are given.
    pub title: Option<String>,
    /// MIME type of the stream (`server_type`).
    pub content_type: Option<String>,
    /// Bitrate in kbit/s where the source tells it.
    pub bitrate_kbps: Option<u32>,
}

impl MountReport {
    /// Checks whether listeners may be sent to it.
    ///
    /// # Errors
    /// The reason why not.
    fn check(&self) -> Result<(), BadMountName> {
        check_name(&self.path)?;
        if self
            .content_type
            .as_deref()
            .is_some_and(|text| !is_stream(text))
        {
            return Err(BadMountName::NotAStream);
        }
        Ok(())
    }

    /// A mount with a path, a kind and a count, and nothing told for people to read.
    pub fn bare(path: impl Into<String>, kind: MountKind, listeners: u32) -> Self {
        Self {
            path: path.into(),
            kind,
            listeners,
            max_listeners: None,
            name: None,
            title: None,
            content_type: None,
            bitrate_kbps: None,
        }
    }
}

/// How a listed mount would serve a listener, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MountKind {
    /// A source or a running relay feeds it.
    Running,
    /// ICECAST: its own source is off and a fallback mount serves it (listed with `listeners` and `listenurl` only).
    Virtual,
    /// ICECAST: an on-demand relay that starts with its first listener, after 0.85 to 1.4 s.
    Idle,
}

/// How one poll ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PollOutcome {
    /// The relay answered and was understood.
    Report(Report),
    /// The relay answered 403 because its client limit is reached: full, not down. Its last counts stand.
    Full,
    /// The relay answered with something that is not a status document: neither down nor empty.
    Unreadable(PollFault),
    /// The relay could not be asked, or answered with an error.
    Failed(PollFault),
    /// Nobody listens on the relay's address: down at once, whatever `fall` says.
    Refused(PollFault),
}

/// What went wrong with a poll, in words for an operator; at most 200 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollFault(String);

/// A longer text would only be the relay's own noise.
const FAULT_LIMIT_BYTES: usize = 200;

impl PollFault {
    /// Keeps what is printable of `text`, cut at 200 bytes.
    ///
    /// SECURITY: the text may quote a hostile relay; nothing of it may steer a terminal or a log.
    pub fn new(text: impl AsRef<str>) -> Self {
        let mut kept = String::new();
        for c in text.as_ref().chars().filter(|c| !c.is_control()) {
            if kept.len() + c.len_utf8() > FAULT_LIMIT_BYTES {
                break;
            }
            kept.push(c);
        }
        Self(kept)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PollFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A poll that ended: when it began, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    /// When the poll began; a tune-in sent after that cannot be in its counts.
    pub began: Instant,
    /// How it ended.
    pub outcome: PollOutcome,
}
