//! Icecast's and Icecast-KH's statistics for the administrator, `/admin/stats`: every mount, hidden ones too, with limits.
//!
//! In: the body of an answer. Out: a [`Report`]. Pure. Entities of a DTD are never expanded: a reference that XML itself
//! does not define is left out.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::loose::MOUNTS_LIMIT;
use super::{Unreadable, text};
use crate::fleet::{MountReport, Report};

/// Reads one statistics document.
///
/// # Errors
/// What is not well-formed, is cut off, has another root than `icestats`, or more than 10,000 mounts.
pub fn parse(body: &[u8]) -> Result<Report, Unreadable> {
    let document = String::from_utf8_lossy(body);
    let mut reader = Reader::from_str(&document);
    reader.config_mut().allow_dangling_amp = true;
    let mut page = Page::default();
    loop {
        match reader.read_event().map_err(Unreadable::Xml)? {
            Event::Start(tag) => page.open(&tag)?,
            Event::Empty(tag) => {
                page.open(&tag)?;
                page.close(tag.local_name().as_ref())?;
            }
            Event::End(tag) => page.close(tag.local_name().as_ref())?,
            Event::Text(text) => page.write(&text),
            Event::CData(text) => page.write(&text),
            Event::GeneralRef(reference) => page.write(&resolved(&reference)),
            Event::Eof => return page.report(),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// What a reference stands for; nothing where only a DTD could tell.
fn resolved(reference: &BytesRef<'_>) -> String {
    match reference.resolve_char_ref() {
        Ok(Some(c)) => c.to_string(),
        _ => resolve_predefined_entity(reference)
            .unwrap_or_default()
            .to_owned(),
    }
}

/// The document as far as it was read.
#[derive(Default)]
struct Page {
    /// How many elements are open: 1 in `icestats`, 2 in a global or a `source`, 3 in a field of a source.
    depth: usize,
    complete: bool,
    /// The source that is open.
    source: Option<Source>,
    /// The text of the field that is open.
    text: String,
    listeners: Option<u32>,
    server: Option<String>,
    started: Option<String>,
    mounts: Vec<MountReport>,
}

/// The fields of a `source` element that a report needs.
#[derive(Default)]
struct Source {
    mount: Option<String>,
    listenurl: Option<String>,
    listeners: Option<u32>,
    max_listeners: Option<u32>,
    has_listener_peak: bool,
    has_stream_start: bool,
    server_name: Option<String>,
    server_type: Option<String>,
    artist: Option<String>,
    title: Option<String>,
    bitrate: Option<u32>,
    ice_bitrate: Option<u32>,
}

impl Page {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), Unreadable> {
        let name = tag.local_name();
        self.depth += 1;
        match (self.depth, name.as_ref()) {
            (1, "icestats") if !self.complete => {}
            (1, _) => return Err(Unreadable::NotIcestats),
            (2, "source") => self.source = Some(Source::of(tag)),
            _ => {}
        }
        if self.is_in_field() {
            self.text.clear();
        }
        Ok(())
    }

    fn close(&mut self, name: &str) -> Result<(), Unreadable> {
        if self.is_in_field() {
            let text = std::mem::take(&mut self.text);
            match &mut self.source {
                Some(source) => source.set(name, &text),
                None => self.set(name, &text),
            }
        } else if self.depth == 2 {
            self.mounts
                .extend(self.source.take().and_then(Source::mount));
        }
        self.depth = self.depth.saturating_sub(1);
        self.complete |= self.depth == 0;
        if self.mounts.len() > MOUNTS_LIMIT {
            return Err(Unreadable::TooManyMounts);
        }
        Ok(())
    }

    fn write(&mut self, text: &str) {
        if self.is_in_field() {
            self.text.push_str(text);
        }
    }

    /// Whether the innermost open element is a global or a field of a source, not something nested deeper.
    fn is_in_field(&self) -> bool {
        self.depth == if self.source.is_some() { 3 } else { 2 }
    }

    fn set(&mut self, name: &str, text: &str) {
        match name {
            "listeners" => self.listeners = text::count(text),
            "server_id" => self.server = text::printable(text),
            "server_start" => self.started = text::printable(text),
            _ => {}
        }
    }

    fn report(self) -> Result<Report, Unreadable> {
        if !self.complete || self.depth != 0 {
            return Err(Unreadable::Truncated);
        }
        let mounts = text::each_once(self.mounts);
        Ok(Report {
            listeners: self
                .listeners
                .unwrap_or_else(|| text::listeners_of(&mounts)),
            mounts,
            started: self.started,
            server: self.server,
        })
    }
}

impl Source {
    /// A source with its mount's name, which is written as it is, not percent-encoded.
    fn of(tag: &BytesStart<'_>) -> Self {
        let mount = tag
            .attributes()
            .flatten()
            .find(|attribute| attribute.key.as_ref() == "mount")
            .and_then(|attribute| {
                text::mount_path(&attribute.normalized_value(XmlVersion::Implicit1_0).ok()?)
            });
        Self {
            mount,
            ..Self::default()
        }
    }

    fn set(&mut self, name: &str, text: &str) {
        match name {
            "listenurl" => self.listenurl = text::path_of_url(text),
            "listeners" => self.listeners = text::count(text),
            "max_listeners" => self.max_listeners = text::count(text),
            "listener_peak" => self.has_listener_peak = true,
            "stream_start" => self.has_stream_start = true,
            "server_name" => self.server_name = text::printable(text),
            "server_type" => self.server_type = text::printable(text),
            "artist" => self.artist = text::printable(text),
            "title" => self.title = text::printable(text),
            "bitrate" => self.bitrate = text::count(text),
            "ice-bitrate" => self.ice_bitrate = text::count(text),
            _ => {}
        }
    }

    fn mount(self) -> Option<MountReport> {
        let kind = text::kind(self.has_stream_start, self.has_listener_peak);
        let path = self.mount.or(self.listenurl)?;
        Some(MountReport {
            max_listeners: self.max_listeners,
            name: self.server_name,
            title: text::title(self.artist, self.title),
            content_type: self.server_type,
            bitrate_kbps: self.bitrate.or(self.ice_bitrate),
            ..MountReport::bare(path, kind, self.listeners.unwrap_or(0))
        })
    }
}
