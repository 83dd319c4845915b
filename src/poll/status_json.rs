//! Icecast's public status page, `/status-json.xsl`, of 2.4 and 2.5, and of KH where it was added.
//!
//! In: the body of an answer. Out: a [`Report`]. Pure. The page shows no hidden mount and no limit of any kind.

use serde::Deserialize;

use super::loose::{Entries, Loose};
use super::{Unreadable, lenient, text};
use crate::fleet::{MountReport, Report};

/// Reads one status document.
///
/// # Errors
/// What is no status document, also after a repair of the titles that Icecast 2.4 writes badly; a document of a server
/// that has just started ([`Unreadable::NotReady`]); one of more than 10,000 mounts.
pub fn parse(body: &[u8]) -> Result<Report, Unreadable> {
    let strict = match serde_json::from_slice::<Document>(body) {
        Ok(document) => return Ok(document.icestats.report()),
        Err(error) => error,
    };
    match serde_json::from_str::<Document>(&lenient::repair(body)) {
        Ok(document) => Ok(document.icestats.report()),
        Err(_) if is_booting(body) => Err(Unreadable::NotReady),
        Err(_) => Err(Unreadable::Json(strict)),
    }
}

/// ICECAST: for about 0.3 s after its start, 2.4.4 leaves out the brace of `icestats` and everything in it.
fn is_booting(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{\"icestats\":\"")
}

#[derive(Deserialize)]
struct Document {
    icestats: Icestats,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Icestats {
    source: Entries<Source>,
    server_id: Loose,
    server_start: Loose,
    /// Icecast's own stylesheet leaves it out; an operator's may show it, and then it has the hidden mounts too.
    listeners: Loose,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Source {
    listenurl: Loose,
    listeners: Loose,
    listener_peak: Loose,
    stream_start: Loose,
    server_name: Loose,
    server_type: Loose,
    artist: Loose,
    title: Loose,
    bitrate: Loose,
    /// Also kbit/s; Ogg sources and those that send `ice-audio-info` have it.
    #[serde(rename = "ice-bitrate")]
    ice_bitrate: Loose,
}

impl Icestats {
    fn report(self) -> Report {
        let mounts = self.source.0.iter().filter_map(Source::mount).collect();
        let mounts = text::each_once(mounts);
        Report {
            listeners: self
                .listeners
                .count()
                .unwrap_or_else(|| text::listeners_of(&mounts)),
            mounts,
            started: self.server_start.text(),
            server: self.server_id.text(),
        }
    }
}

impl Source {
    /// The mount, or `None` where no `listenurl` names it.
    fn mount(&self) -> Option<MountReport> {
        let Loose::Text(url) = &self.listenurl else {
            return None;
        };
        let kind = text::kind(self.stream_start.is_told(), self.listener_peak.is_told());
        let listeners = self.listeners.count().unwrap_or(0);
        Some(MountReport {
            name: self.server_name.text(),
            title: text::title(self.artist.text(), self.title.text()),
            content_type: self.server_type.text(),
            bitrate_kbps: self.bitrate.count().or_else(|| self.ice_bitrate.count()),
            ..MountReport::bare(text::path_of_url(url)?, kind, listeners)
        })
    }
}
