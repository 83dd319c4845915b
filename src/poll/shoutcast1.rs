//! SHOUTcast v1's one line of counts, `/7.html`.
//!
//! In: the body of an answer. Out: a [`Report`] of one mount, `/;`, or of none while no source feeds it. Pure.

use super::{Unreadable, text};
use crate::fleet::{MountKind, MountReport, Report};

/// `current,status,peak,max,unique,bitrate,title`; the title may hold commas of its own.
const FIELDS: usize = 7;

/// The server's one stream. A v1 server has it at `/` too, but gives browsers a page there, going by their User-Agent (from
/// general knowledge of SHOUTcast v1; no server was at hand).
const STREAM: &str = "/;";

/// Reads one page of seven fields.
///
/// # Errors
/// A page whose body does not begin with six numbers ([`Unreadable::NotSeven`]).
pub fn parse(body: &[u8]) -> Result<Report, Unreadable> {
    let page = String::from_utf8_lossy(body);
    let fields: Vec<&str> = inside_body(&page).splitn(FIELDS, ',').collect();
    let &[current, status, peak, max, unique, bitrate, title] = fields.as_slice() else {
        return Err(Unreadable::NotSeven);
    };
    let counts = [current, status, peak, max, unique, bitrate].map(text::count);
    let [Some(listeners), Some(status), _, Some(max), _, bitrate] = counts else {
        return Err(Unreadable::NotSeven);
    };
    let mount = MountReport {
        max_listeners: (max > 0).then_some(max),
        title: text::printable(title),
        bitrate_kbps: bitrate,
        ..MountReport::bare(STREAM, MountKind::Running, listeners)
    };
    Ok(Report {
        listeners,
        mounts: Vec::from_iter((status == 1).then_some(mount)),
        started: None,
        server: None,
    })
}

/// What stands between the body tags, in whatever case they are; all of it when there are none.
fn inside_body(page: &str) -> &str {
    let lower = page.to_ascii_lowercase();
    let begin = lower.find("<body>").map_or(0, |at| at + "<body>".len());
    let end = lower.rfind("</body>").unwrap_or(page.len());
    page.get(begin..end).unwrap_or_default()
}
