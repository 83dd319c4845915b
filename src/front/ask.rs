//! What a request asks for. Pure: method and target in, an [`Ask`] out.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use super::playlist::Playlist;
use super::refuse::Refusal;

/// RFC 8555 8.3.
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask<'a> {
    /// The public status page.
    Status,
    /// What a browser asks before it may ask.
    Preflight,
    /// What an authority asks before it gives us a certificate: the answer to this token.
    Challenge(&'a str),
    /// The mount with this public path, or a playlist of one when no mount has that name.
    Mount {
        /// The path, percent-decoded once.
        path: Cow<'a, str>,
        /// The query as it came, without its `?`.
        query: Option<&'a str>,
    },
}

impl<'a> Ask<'a> {
    /// Reads a request whose head was inspected.
    ///
    /// # Errors
    /// A path that no mount can have and that is dangerous to pass on.
    pub fn of(method: &Method, path: &'a str, query: Option<&'a str>) -> Result<Self, Refusal> {
        if *method == Method::OPTIONS {
            return Ok(Self::Preflight);
        }
        if path == "/status" {
            return Ok(Self::Status);
        }
        if let Some(token) = path.strip_prefix(CHALLENGES) {
            return Ok(Self::Challenge(token));
        }
        let path = decoded(path)?;
        // SECURITY: these begin another host's address in a browser or an old client (`//evil`, `/\evil`, `/@evil`).
        if path.starts_with("//") || path.starts_with("/@") || path.contains('\\') {
            return Err(Refusal::BadRequest("the path is not a mount's"));
        }
        Ok(Self::Mount { path, query })
    }
}

/// ICECAST: a mount is asked for by its percent-decoded path; decoded exactly once.
fn decoded(path: &str) -> Result<Cow<'_, str>, Refusal> {
    if !path.contains('%') {
        return Ok(path.into());
    }
    let path = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| Refusal::NotFound)?;
    if path.chars().any(char::is_control) {
        return Err(Refusal::BadRequest("the path has a control character"));
    }
    Ok(path)
}

/// The playlist that a path asks for, and the mount in it.
pub fn playlist_of(path: &str) -> Option<(&str, Playlist)> {
    let kinds = [Playlist::M3u, Playlist::Pls, Playlist::Xspf];
    kinds
        .into_iter()
        .find_map(|kind| Some((path.strip_suffix(kind.suffix())?, kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str) -> Result<Ask<'_>, Refusal> {
        Ask::of(&Method::GET, path, None)
    }

    #[test]
    fn mounts_are_decoded_once_and_compared_exactly() {
        for (path, mount) in [
            ("/live.mp3", "/live.mp3"),
            ("/%6cive.mp3", "/live.mp3"),
            ("/a%2520b", "/a%20b"),
            ("/caf%C3%A9", "/café"),
            ("/./admin", "/./admin"),
            ("/a@b", "/a@b"),
        ] {
            let expected = Ask::Mount {
                path: mount.into(),
                query: None,
            };
            assert_eq!(asked(path), Ok(expected), "{path}");
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in [
            "//evil.com",
            "/%2fevil.com",
            "/\\evil.com",
            "/%5cevil.com",
            "/@evil.com",
            "/%40evil.com",
            "/a%0d%0aSet-Cookie:b",
            "/a%00",
            "/a%7f",
        ] {
            assert_eq!(asked(path).map_err(Refusal::status), Err(400), "{path}");
        }
        assert_eq!(asked("/%ff"), Err(Refusal::NotFound));
    }

    #[test]
    fn playlists_name_their_mount() {
        assert_eq!(
            playlist_of("/live.mp3.m3u"),
            Some(("/live.mp3", Playlist::M3u))
        );
        assert_eq!(playlist_of("/live.pls"), Some(("/live", Playlist::Pls)));
        assert_eq!(playlist_of("/live.xspf"), Some(("/live", Playlist::Xspf)));
        assert_eq!(playlist_of("/live.mp3"), None);
    }
}
