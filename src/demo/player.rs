//! A player: one tune-in of one listener, as a radio makes it.
//!
//! Comes in: an address and a path. Goes out: how it ended, and what was heard into the tally. Follows redirects;
//! never decides to come back, that is the listener's.

use super::head::{Head, HeadError, read_head};
use super::request::MOUNT;
use super::tally::{Tally, Way};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{error::Elapsed, timeout};

/// Browsers follow 20; a balancer needs one, and two would be a loop.
const REDIRECT_LIMIT: u32 = 3;
/// ICECAST: the first byte of a mount comes within 0.9 s.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// A relay sends every 87 ms: after this it is silent for good.
const SILENCE_LIMIT: Duration = Duration::from_secs(5);
/// Half a second of audio: fewer, larger reads.
const READ_BYTES: usize = 8 * 1024;

/// Why a tune-in gave no audio.
#[derive(Debug, thiserror::Error)]
pub enum Missed {
    /// The connection could not be made or broke.
    #[error("no connection")]
    Connection(#[from] io::Error),
    /// The answer had no readable head.
    #[error("no answer")]
    Head(#[from] HeadError),
    /// Nothing came in time.
    #[error("no answer in time")]
    Silent(#[from] Elapsed),
    /// Something else than a stream or a redirect to one was answered.
    #[error("answered status {status:?}")]
    Refused {
        /// The status code, where there was one.
        status: Option<u16>,
    },
    /// Redirected more than three times.
    #[error("redirected more than {REDIRECT_LIMIT} times")]
    Loop,
}

/// Where to tune in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    way: Way,
    authority: String,
    path: String,
}

impl Target {
    /// The demo's mount at this address, which is the balancer's or a relay's.
    pub fn mount_at(address: SocketAddr, way: Way) -> Self {
        Self {
            way,
            authority: address.to_string(),
            path: MOUNT.to_owned(),
        }
    }

    /// Reads where a balancer redirects to, an absolute http URL; `None` for any other.
    pub fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let port = if has_port { "" } else { ":80" };
        Some(Self {
            way: Way::Balancer,
            authority: format!("{authority}{port}"),
            path: format!("/{path}"),
        })
    }
}

/// Tunes in, follows redirects and hears the stream until it breaks off.
///
/// # Errors
/// [`Missed`], when no audio was heard.
pub async fn tune_in(mut target: Target, tally: &Tally) -> Result<(), Missed> {
    for _ in 0..=REDIRECT_LIMIT {
        let (stream, head) = timeout(ANSWER_DEADLINE, ask(&target)).await??;
        match status(&head) {
            Some(200) => return hear(stream, &head, Body::of(target.way, tally)).await,
            Some(302 | 303 | 307 | 308) => target = redirected(&head)?,
            status => return Err(Missed::Refused { status }),
        }
        tally.redirects.add(1);
    }
    Err(Missed::Loop)
}

async fn ask(target: &Target) -> Result<(TcpStream, Head), Missed> {
    let Target {
        authority, path, ..
    } = target;
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: demo-listener\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let head = read_head(&mut stream).await?;
    Ok((stream, head))
}

fn status(head: &Head) -> Option<u16> {
    head.first_line().split_whitespace().nth(1)?.parse().ok()
}

fn redirected(head: &Head) -> Result<Target, Missed> {
    let target = head.value("Location").and_then(Target::parse);
    target.ok_or_else(|| Missed::Refused {
        status: status(head),
    })
}

/// Hears the body until it ends, breaks or falls silent.
async fn hear(mut stream: TcpStream, head: &Head, mut body: Body<'_>) -> Result<(), Missed> {
    body.hear(head.rest.len());
    let mut audio = vec![0; READ_BYTES];
    loop {
        match timeout(SILENCE_LIMIT, stream.read(&mut audio)).await {
            Ok(Ok(bytes @ 1..)) => body.hear(bytes),
            _ if body.heard => return Ok(()),
            Ok(Ok(_)) => return Err(HeadError::Ended(None).into()),
            Ok(Err(error)) => return Err(error.into()),
            Err(silent) => return Err(silent.into()),
        }
    }
}

/// What one tune-in adds to the tally.
struct Body<'a> {
    way: Way,
    tally: &'a Tally,
    heard: bool,
}

impl<'a> Body<'a> {
    fn of(way: Way, tally: &'a Tally) -> Self {
        Self {
            way,
            tally,
            heard: false,
        }
    }

    /// Counts as it comes: a listener leaves in the middle of a read.
    fn hear(&mut self, bytes: usize) {
        self.tally.audio_bytes.add(bytes as u64);
        if bytes > 0 && !self.heard {
            self.heard = true;
            self.tally.heard_by(self.way).add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_with_and_without_a_port() {
        let target = |authority: &str, path: &str| {
            Some(Target {
                way: Way::Balancer,
                authority: authority.to_owned(),
                path: path.to_owned(),
            })
        };
        for (url, expected) in [
            (
                "http://a:8000/live.mp3?x=1",
                target("a:8000", "/live.mp3?x=1"),
            ),
            ("http://a/live.mp3", target("a:80", "/live.mp3")),
            ("http://[::1]/m", target("[::1]:80", "/m")),
            ("http://[::1]:81/m", target("[::1]:81", "/m")),
            ("http://a", target("a:80", "/")),
            ("https://a/live.mp3", None),
            ("/live.mp3", None),
        ] {
            assert_eq!(Target::parse(url), expected, "{url}");
        }
    }
}
