//! SHOUTcast v2's totals, `/statistics?json=1`.
//!
//! In: the body of an answer. Out: a [`Report`]. Pure.

use serde::Deserialize;

use super::loose::{Entries, Loose};
use super::{Unreadable, text};
use crate::fleet::{MountKind, MountReport, Report};

/// Reads one statistics document.
///
/// # Errors
/// What is no JSON, has no `streams`, or more than 10,000 of them.
pub fn parse(body: &[u8]) -> Result<Report, Unreadable> {
    let document: Statistics = serde_json::from_slice(body).map_err(Unreadable::Json)?;
    Ok(document.report())
}

#[derive(Deserialize)]
struct Statistics {
    streams: Entries<Stream>,
    #[serde(default)]
    currentlisteners: Loose,
    #[serde(default)]
    version: Loose,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Stream {
    id: Loose,
    streampath: Loose,
    streamstatus: Loose,
    currentlisteners: Loose,
    maxlisteners: Loose,
    servertitle: Loose,
    songtitle: Loose,
    content: Loose,
    bitrate: Loose,
}

impl Statistics {
    fn report(self) -> Report {
        let mounts = self.streams.0.iter().filter_map(Stream::mount).collect();
        let mounts = text::each_once(mounts);
        Report {
            listeners: self
                .currentlisteners
                .count()
                .unwrap_or_else(|| text::listeners_of(&mounts)),
            mounts,
            started: None,
            server: self
                .version
                .text()
                .map(|version| format!("SHOUTcast {version}")),
        }
    }
}

impl Stream {
    /// The mount, or `None` while no source feeds the stream.
    fn mount(&self) -> Option<MountReport> {
        if self.streamstatus.count() != Some(1) {
            return None;
        }
        let listeners = self.currentlisteners.count().unwrap_or(0);
        Some(MountReport {
            max_listeners: self.maxlisteners.count().filter(|max| *max > 0),
            name: self.servertitle.text(),
            title: self.songtitle.text(),
            content_type: self.content.text(),
            bitrate_kbps: self.bitrate.count(),
            ..MountReport::bare(self.path()?, MountKind::Running, listeners)
        })
    }

    /// The stream's own path, or the one that every stream has by its number.
    fn path(&self) -> Option<String> {
        let given = match &self.streampath {
            Loose::Text(path) => text::mount_path(path),
            _ => None,
        };
        let numbered = || Some(format!("/stream/{}/", self.id.count()?));
        given.or_else(numbered)
    }
}
