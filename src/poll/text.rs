//! What a relay wrote, read as counts, printable text and mount paths.
//!
//! In: strings from any dialect. Out: values that a report may hold. Trusts nothing and fails at nothing: what cannot be
//! read is `None`.

use percent_encoding::percent_decode_str;

use crate::fleet::{MountKind, MountReport};

/// Longer names and titles are noise; an ICY metadata block holds 4,080 bytes, no display shows a quarter of it.
const TEXT_LIMIT_BYTES: usize = 1024;

/// ICECAST: 2.4.4 reads at most 4,096 bytes of a request's head, so no listener could ask for a longer path.
const PATH_LIMIT_BYTES: usize = 4096;

/// Reads a whole number, one too large for `u32` as `u32::MAX`; a sign, a fraction or a word is no count.
pub(super) fn count(text: &str) -> Option<u32> {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}

/// Keeps what people can read of `text`: no control characters, no blanks around it, at most 1,024 bytes.
///
/// SECURITY: the text may come from a hostile source client; nothing of it may steer a terminal or a log.
pub(super) fn printable(text: &str) -> Option<String> {
    let mut kept = String::new();
    for c in text.trim().chars().filter(|c| !c.is_control()) {
        if kept.len() + c.len_utf8() > TEXT_LIMIT_BYTES {
            break;
        }
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    (!kept.is_empty()).then_some(kept)
}

/// Joins what plays now: `artist - title` where both are told.
pub(super) fn title(artist: Option<String>, title: Option<String>) -> Option<String> {
    match (artist, title) {
        (Some(artist), Some(title)) => Some(format!("{artist} - {title}")),
        (artist, title) => title.or(artist),
    }
}

/// Takes the mount out of a `listenurl`: its path, percent-decoded once.
///
/// ICECAST: host and port in it are `<hostname>` and the first listen-socket, mostly `localhost`: no address to use.
pub(super) fn path_of_url(url: &str) -> Option<String> {
    let authority = url.find("://").map_or(0, |scheme| scheme + "://".len());
    let rest = url.get(authority..)?;
    let path = rest.get(rest.find('/')?..)?;
    mount_path(&percent_decode_str(path).decode_utf8().ok()?)
}

/// Accepts `path` as a mount's name if a listener could ask for it.
pub(super) fn mount_path(path: &str) -> Option<String> {
    let possible = path.starts_with('/')
        && path.len() <= PATH_LIMIT_BYTES
        && !path.chars().any(char::is_control);
    possible.then(|| path.to_owned())
}

/// Tells how an Icecast mount would serve a listener from the statistics it has.
///
/// ICECAST: measured with 2.4.4 and KH: only a fed mount has `stream_start` (KH keeps `server_type` when idle), an idle
/// on-demand relay has `listener_peak`, a mount that lives by its fallback has neither.
pub(super) fn kind(has_stream_start: bool, has_listener_peak: bool) -> MountKind {
    match (has_stream_start, has_listener_peak) {
        (true, _) => MountKind::Running,
        (false, true) => MountKind::Idle,
        (false, false) => MountKind::Virtual,
    }
}

/// Orders the mounts by path and keeps each path once, in its best kind.
pub(super) fn each_once(mut mounts: Vec<MountReport>) -> Vec<MountReport> {
    mounts.sort_by(|a, b| (&a.path, a.kind).cmp(&(&b.path, b.kind)));
    mounts.dedup_by(|later, kept| later.path == kept.path);
    mounts
}

/// Adds up the listeners of all mounts.
pub(super) fn listeners_of(mounts: &[MountReport]) -> u32 {
    mounts
        .iter()
        .fold(0, |sum: u32, mount| sum.saturating_add(mount.listeners))
}
