//! What a listener asks a demo relay for.
//!
//! Comes in: a request's head. Goes out: one of the things that Icecast does with such a head. Pure.

use super::head::Head;
use percent_encoding::percent_decode_str;

/// The one mount of a demo relay.
pub const MOUNT: &str = "/live.mp3";
/// The status page.
pub const STATUS: &str = "/status-json.xsl";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// The programme.
    Stream {
        /// With titles in between (`Icy-MetaData: 1`).
        metadata: bool,
    },
    /// The status page.
    Status,
    /// Something that is not there.
    NotFound,
    /// ICECAST: `HEAD`, `POST` and the like are answered 400.
    UnknownMethod,
    /// ICECAST: `OPTIONS`, an absolute URL or no HTTP version: closed without a byte.
    Unanswered,
}

impl Request {
    /// Reads a request's head.
    pub fn parse(head: &Head) -> Self {
        let mut words = head.first_line().split_ascii_whitespace();
        let (Some(method), Some(target), Some(version)) =
            (words.next(), words.next(), words.next())
        else {
            return Self::Unanswered;
        };
        if !version.starts_with("HTTP/") || !target.starts_with('/') || method == "OPTIONS" {
            return Self::Unanswered;
        }
        if method != "GET" {
            return Self::UnknownMethod;
        }
        Self::get(target, head)
    }

    fn get(target: &str, head: &Head) -> Self {
        let path = target.split('?').next().unwrap_or_default();
        match &*percent_decode_str(path).decode_utf8_lossy() {
            MOUNT => Self::Stream {
                metadata: head.value("Icy-MetaData") == Some("1"),
            },
            STATUS => Self::Status,
            _ => Self::NotFound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Request {
        Request::parse(&Head {
            text: text.to_owned(),
            rest: Vec::new(),
        })
    }

    #[test]
    fn requests_are_read_as_icecast_reads_them() {
        let plain = Request::Stream { metadata: false };
        let titled = Request::Stream { metadata: true };
        for (text, expected) in [
            ("GET /live.mp3 HTTP/1.0", plain),
            ("GET /live.mp3?listener=7 HTTP/1.1", plain),
            ("GET /%6cive.mp3 HTTP/1.1\nIcy-MetaData: 0", plain),
            ("GET /live.mp3 HTTP/1.1\r\nicy-metadata:1", titled),
            ("GET /status-json.xsl HTTP/1.1", Request::Status),
            ("GET / HTTP/1.1", Request::NotFound),
            ("GET /live.ogg HTTP/1.1", Request::NotFound),
            ("HEAD /live.mp3 HTTP/1.1", Request::UnknownMethod),
            ("OPTIONS /live.mp3 HTTP/1.1", Request::Unanswered),
            ("GET http://h/live.mp3 HTTP/1.1", Request::Unanswered),
            ("GET /live.mp3", Request::Unanswered),
            ("", Request::Unanswered),
        ] {
            assert_eq!(asked(text), expected, "{text}");
        }
    }
}
