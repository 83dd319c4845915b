//! The status page of a demo relay: what Icecast 2.4.4 says at `/status-json.xsl`.
//!
//! Comes in: the relay's counts. Goes out: the JSON text. Pure.

use super::date::{iso_8601, rfc_1123};
use super::programme::BITRATE_KBPS;
use super::request::MOUNT;
use serde::Serialize;
use std::time::SystemTime;

/// What the page says of the station, and the stream's head too.
pub const STATION: &str = "icecast-balancer demo";
/// What the relay calls itself.
pub const SERVER: &str = "Icecast 2.4.4";

/// What the page is made from.
#[derive(Debug, Clone)]
pub struct StatusPage {
    /// The port that the relay listens on.
    pub port: u16,
    /// When the relay began to listen.
    pub began: SystemTime,
    /// Who hears it now.
    pub listeners: u32,
    /// The most there were at once since it began.
    pub listener_peak: u32,
    /// What plays now.
    pub title: String,
}

impl StatusPage {
    /// The page's text.
    ///
    /// # Errors
    /// The serializer's, which has nothing to refuse in numbers and text.
    pub fn render(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Page {
            icestats: self.icestats(),
        })
    }

    fn icestats(&self) -> IceStats {
        IceStats {
            admin: "icemaster@localhost",
            host: "localhost",
            location: "Earth",
            server_id: SERVER,
            server_start: rfc_1123(self.began, "+0000"),
            server_start_iso8601: iso_8601(self.began),
            source: self.source(),
        }
    }

    fn source(&self) -> Source {
        Source {
            bitrate: BITRATE_KBPS,
            genre: "Demo",
            listener_peak: self.listener_peak,
            listeners: self.listeners,
            listenurl: format!("http://localhost:{}{MOUNT}", self.port),
            server_description: "A melody that is made while you listen",
            server_name: STATION,
            server_type: "audio/mpeg",
            stream_start: rfc_1123(self.began, "+0000"),
            stream_start_iso8601: iso_8601(self.began),
            title: self.title.clone(),
            dummy: (),
        }
    }
}

#[derive(Serialize)]
struct Page {
    icestats: IceStats,
}

#[derive(Serialize)]
struct IceStats {
    admin: &'static str,
    host: &'static str,
    location: &'static str,
    server_id: &'static str,
    server_start: String,
    server_start_iso8601: String,
    /// ICECAST: an object, not an array, where there is one mount.
    source: Source,
}

#[derive(Serialize)]
struct Source {
    bitrate: u32,
    genre: &'static str,
    listener_peak: u32,
    listeners: u32,
    /// ICECAST: its host is the configured name, mostly `localhost`; only the path means anything.
    listenurl: String,
    server_description: &'static str,
    server_name: &'static str,
    server_type: &'static str,
    stream_start: String,
    stream_start_iso8601: String,
    title: String,
    /// ICECAST: the stylesheet ends each object with it, for want of a way to leave out the last comma.
    dummy: (),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn the_page_reads_as_icecast_writes_it() {
        let page = StatusPage {
            port: 8000,
            began: UNIX_EPOCH + Duration::from_secs(1_795_226_528),
            listeners: 3,
            listener_peak: 5,
            title: "A - B".to_owned(),
        };
        let text = page.render().unwrap();
        let start = r#"{"icestats":{"admin":"icemaster@localhost","host":"localhost","location":"Earth","server_id":"Icecast 2.4.4","server_start":"Sat, 21 Nov 2026 02:02:08 +0000","server_start_iso8601":"2026-11-21T02:02:08+0000","source":{"#;
        assert!(text.starts_with(start), "{text}");
        for part in [
            r#""listener_peak":5,"listeners":3,"listenurl":"http://localhost:8000/live.mp3","#,
            r#""server_type":"audio/mpeg","#,
            r#""title":"A - B","dummy":null}}}"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
