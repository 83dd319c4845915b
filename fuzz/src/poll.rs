//! The status pages' parsers, compiled in by path: they are private in the library. And the law that all of them keep.

#[path = "../../src/poll/admin_stats.rs"]
pub mod admin_stats;
#[path = "../../src/poll/lenient.rs"]
mod lenient;
#[path = "../../src/poll/loose.rs"]
mod loose;
#[path = "../../src/poll/shoutcast1.rs"]
pub mod shoutcast1;
#[path = "../../src/poll/shoutcast2.rs"]
pub mod shoutcast2;
#[path = "../../src/poll/status_json.rs"]
pub mod status_json;
#[path = "../../src/poll/text.rs"]
mod text;

use icecast_balancer::fleet::Report;
use icecast_balancer::poll::Unreadable;

/// As in `poll/text.rs`; a title is two texts and a dash, a server one text and a word.
const TEXT_BYTES: usize = 1024;
const TITLE_BYTES: usize = 2 * TEXT_BYTES + " - ".len();
const SERVER_BYTES: usize = TEXT_BYTES + "SHOUTcast ".len();
const PATH_BYTES: usize = 4096;

/// What the tolerant reader makes of a document.
pub fn repaired(body: &[u8]) -> String {
    lenient::repair(body)
}

/// Whatever a relay says, a report is fit to be shown and compared: each mount once, in order, under a path that a
/// listener could ask for; no text steers a terminal or is long.
pub fn assert_sound(report: &Report) {
    assert!(report.mounts.is_sorted_by(|a, b| a.path < b.path));
    assert!(report.mounts.len() <= loose::MOUNTS_LIMIT);
    for mount in &report.mounts {
        assert!(mount.path.starts_with('/'), "{:?}", mount.path);
        assert_plain(Some(&mount.path), PATH_BYTES);
        assert_plain(mount.name.as_deref(), TEXT_BYTES);
        assert_plain(mount.title.as_deref(), TITLE_BYTES);
        assert_plain(mount.content_type.as_deref(), TEXT_BYTES);
    }
    assert_plain(report.server.as_deref(), SERVER_BYTES);
    assert_plain(report.started.as_deref(), TEXT_BYTES);
}

fn assert_plain(text: Option<&str>, limit_bytes: usize) {
    let Some(text) = text else { return };
    assert!(!text.is_empty() && text.len() <= limit_bytes, "{text:?}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
