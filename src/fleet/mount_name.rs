//! Mount names: which names of a status page are served, and why the others are rejected. Pure.
//!
//! SECURITY: a source client chooses the name of its mount, and a status page lists it. A name that an Icecast server reads
//! as one of its own pages, or that a client or a proxy on the way reads as another path, would let every listener request
//! that page through the balancer.

use percent_encoding::percent_decode_str;

/// Icecast cuts longer paths off long before; a redirect's `Location` must stay far below what players accept.
pub const NAME_LIMIT_BYTES: usize = 255;

/// A proxy before a relay may decode once more than it should; names encoded deeper than this are rejected as such.
const DECODE_LIMIT: usize = 4;

/// Reason why a mount name is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BadMountName {
    /// It does not begin with `/`, or is empty.
    NotAPath,
    /// It is longer than [`NAME_LIMIT_BYTES`].
    TooLong,
    /// It contains a control character.
    ControlCharacter,
    /// It contains a backslash, which browsers read as `/`.
    Backslash,
    /// One of its segments is `.` or `..`.
    DotSegment,
    /// It contains `//`, which begins another host's address, or which servers merge.
    DoubleSlash,
    /// An administration page of Icecast or SHOUTcast.
    AdminPage,
    /// ICECAST: a name that ends with `.xsl` is read as a stylesheet, a page of the server.
    Stylesheet,
    /// It is percent-encoded too many times to be checked.
    EncodedTooOften,
    /// It is one of the balancer's own pages.
    OwnPage,
    /// The status page gives it a type that is neither audio nor video.
    NotAStream,
}

impl BadMountName {
    /// Short text for logs and `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAPath => "not-a-path",
            Self::TooLong => "too-long",
            Self::ControlCharacter => "control-character",
            Self::Backslash => "backslash",
            Self::DotSegment => "dot-segment",
            Self::DoubleSlash => "double-slash",
            Self::AdminPage => "admin-page",
            Self::Stylesheet => "stylesheet",
            Self::EncodedTooOften => "encoded-too-often",
            Self::OwnPage => "own-page",
            Self::NotAStream => "not-a-stream",
        }
    }
}

/// Checks a name as a relay has it: percent-decoded once.
///
/// # Errors
/// The reason why no listener is sent there.
pub fn check_name(name: &str) -> Result<(), BadMountName> {
    if name.len() > NAME_LIMIT_BYTES {
        return Err(BadMountName::TooLong);
    }
    let mut name = std::borrow::Cow::Borrowed(name);
    for _ in 0..DECODE_LIMIT {
        check_decoded(&name)?;
        if !name.contains('%') {
            return Ok(());
        }
        let decoded = percent_decode_str(&name).decode_utf8_lossy().into_owned();
        if decoded == *name {
            return Ok(());
        }
        name = decoded.into();
    }
    Err(BadMountName::EncodedTooOften)
}

fn check_decoded(name: &str) -> Result<(), BadMountName> {
    let Some(path) = name.strip_prefix('/') else {
        return Err(BadMountName::NotAPath);
    };
    if name.chars().any(char::is_control) {
        return Err(BadMountName::ControlCharacter);
    }
    if name.contains('\\') {
        return Err(BadMountName::Backslash);
    }
    if name.contains("//") {
        return Err(BadMountName::DoubleSlash);
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(BadMountName::DotSegment);
    }
    // What follows a `?` or `#` is no part of the path for a server that decodes once more.
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.to_ascii_lowercase();
    if is_admin_page(&path) {
        return Err(BadMountName::AdminPage);
    }
    if path.ends_with(".xsl") {
        return Err(BadMountName::Stylesheet);
    }
    Ok(())
}

/// ICECAST: `/admin/` and `/admin.cgi` are commands (source of 2.4.4: `_handle_get_request`); SHOUTcast has `/admin.cgi`.
fn is_admin_page(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    matches!(first, "admin" | "admin.cgi")
}

/// Checks a public name that no configuration maps: a mount must not stand in the place of the balancer's own pages.
///
/// # Errors
/// [`BadMountName::OwnPage`].
pub fn check_public(name: &str) -> Result<(), BadMountName> {
    let is_below = |page: &str| {
        let rest = name.strip_prefix(page);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if name == "/" || name == "/status" || is_below("/.well-known") {
        return Err(BadMountName::OwnPage);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_real_mounts_are_accepted() {
        for name in [
            "/live.mp3",
            "/",
            "/;",
            "/;stream.mp3",
            "/stream/1/",
            "/radio/8000/live.ogg",
            "/a b",
            "/café",
            "/100%",
            "/50%25 off",
            "/administration.mp3",
            "/my/admin/live",
            "/a..b",
            "/...",
            "/live.xsl.mp3",
            "/status.mp3",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        assert_eq!(check_public("/status.mp3"), Ok(()));
        assert_eq!(check_public("/.well-known-hits.mp3"), Ok(()));
    }

    #[test]
    fn names_that_lead_elsewhere_are_rejected() {
        for (name, why) in [
            ("", BadMountName::NotAPath),
            ("live.mp3", BadMountName::NotAPath),
            ("/admin/killsource", BadMountName::AdminPage),
            ("/admin", BadMountName::AdminPage),
            ("/Admin/stats", BadMountName::AdminPage),
            ("/admin.cgi", BadMountName::AdminPage),
            ("/admin.cgi?mode=kick", BadMountName::AdminPage),
            ("/%61dmin/stats", BadMountName::AdminPage),
            ("/%2561dmin/stats", BadMountName::AdminPage),
            ("/admin%2fstats", BadMountName::AdminPage),
            ("/status-json.xsl", BadMountName::Stylesheet),
            ("/Status.XSL", BadMountName::Stylesheet),
            ("/status.xsl?mount=/a", BadMountName::Stylesheet),
            ("/../admin/stats", BadMountName::DotSegment),
            ("/a/./b", BadMountName::DotSegment),
            ("/%2e%2e/x", BadMountName::DotSegment),
            ("/a/..", BadMountName::DotSegment),
            ("//evil.example", BadMountName::DoubleSlash),
            ("/%2fevil.example", BadMountName::DoubleSlash),
            ("/a//b", BadMountName::DoubleSlash),
            ("/a\\b", BadMountName::Backslash),
            ("/a%5cb", BadMountName::Backslash),
            ("/a\r\nX: y", BadMountName::ControlCharacter),
            ("/%0d%0aX: y", BadMountName::ControlCharacter),
            ("/a\u{7f}", BadMountName::ControlCharacter),
            ("/a\u{85}", BadMountName::ControlCharacter),
            ("/%252525252525252541", BadMountName::EncodedTooOften),
        ] {
            assert_eq!(check_name(name), Err(why), "{name:?}");
        }
        let name = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
        assert_eq!(check_name(&name(255)), Ok(()));
        assert_eq!(check_name(&name(256)), Err(BadMountName::TooLong));
        for name in [
            "/",
            "/status",
            "/.well-known",
            "/.well-known/acme-challenge/x",
        ] {
            assert_eq!(check_public(name), Err(BadMountName::OwnPage), "{name}");
        }
    }

    proptest! {
        #[test]
        fn accepted_names_reach_no_admin_page_however_often_they_are_decoded(name in "/(%25|%61|%2f|%2e|admin|\\.|/|a|x){0,12}") {
            if check_name(&name).is_ok() {
                let mut decoded = name;
                for _ in 0..16 {
                    prop_assert!(!decoded.to_ascii_lowercase().starts_with("/admin/"), "{}", decoded);
                    prop_assert!(!decoded.contains("//") && !decoded.contains("/../"));
                    decoded = percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
                }
            }
        }
    }
}
