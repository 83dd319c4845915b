//! A listener whose stream is carried: what relays are told of him, and the line that is left of him in the log.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, header};
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora_proxy::Session;

use super::access_log::AccessLog;
use super::budget::Seating;
use super::carriage::End;
use super::edition::Edition;
use super::errand;
use super::forwarded;
use super::refuse::Refusal;
use crate::fleet::Scheme;
use crate::stream::{Journey, QUERY_LIMIT_BYTES, Request};

/// How we name ourselves in `Via`; a request that was here more often than this goes round in circles.
const OUR_NAME: &str = "icecast-balancer";
const PASS_LIMIT: usize = 2;

/// The longest name of a player in the log, as it stands there.
const AGENT_LIMIT_BYTES: usize = 120;

/// A listener whose stream is carried.
pub struct Listener {
    /// The mount's public path.
    pub mount: Arc<str>,
    /// What relays are asked for him.
    pub request: Arc<Request>,
    /// What he goes through.
    pub journey: Arc<Journey>,
    /// Counts him among the listeners of his address.
    _seating: Option<Seating>,
    came_at: Instant,
    came_from: Origin,
    access_log: Arc<AccessLog>,
}

impl Listener {
    /// The listener of a session.
    ///
    /// # Errors
    /// His request came from ourselves, by way of a relay's url, or is too long for a relay; or his address has too many
    /// streams already.
    pub fn of(
        session: &Session,
        mount: Arc<str>,
        scheme: Scheme,
        edition: &Edition,
        access_log: &Arc<AccessLog>,
    ) -> Result<Self, Refusal> {
        let address = session
            .client_addr()
            .and_then(PingoraAddr::as_inet)
            .copied();
        let fields = &session.req_header().headers;
        let passes = passes(fields);
        if passes > PASS_LIMIT {
            return Err(Refusal::Loop);
        }
        let query = session.req_header().uri.query();
        if query.is_some_and(|query| query.len() > QUERY_LIMIT_BYTES) {
            return Err(Refusal::TargetTooLong);
        }
        let peer = address.map(|address| address.ip());
        let trusted = &edition.trusted_proxies;
        let hops = forwarded::hops(fields, peer, trusted);
        let way = forwarded::from_listener(&hops, trusted);
        let client_address = way.first().copied();
        let seating = errand::seat(client_address).map_err(|_| Refusal::TooManyListeners)?;
        let value = |name| Some(fields.get(name)?.as_bytes().to_vec());
        let request = Request {
            query: query.map(str::to_owned),
            user_agent: value(header::USER_AGENT),
            referer: value(header::REFERER),
            authorization: value(header::AUTHORIZATION),
            forwarded_for: way.to_vec(),
            client: edition.client(client_address),
            by_https: scheme == Scheme::Https,
            wants_metadata: fields.get("icy-metadata").is_some_and(|wish| wish == "1"),
            passes,
        };
        Ok(Self {
            mount,
            request: request.into(),
            journey: Arc::default(),
            _seating: seating,
            came_at: Instant::now(),
            came_from: Origin {
                address: client_address,
                port: address
                    .filter(|address| Some(address.ip().to_canonical()) == client_address)
                    .map(|address| address.port()),
            },
            access_log: access_log.clone(),
        })
    }

    /// Leaves a line in the log, once his stream is over.
    pub fn log_end(&self, sent_bytes: u64, end: End) {
        let mut seams = String::new();
        for (seam, count) in self.journey.seams() {
            seams.push_str(&format!(" {seam}={count}"));
        }
        let line = format_args!(
            "{} left: {end}; relay {}, {sent_bytes} bytes in {} s, seams{seams}, from {} {}",
            self.mount,
            self.journey.relays(),
            self.came_at.elapsed().as_secs(),
            self.came_from,
            agent(self.request.user_agent.as_deref()),
        );
        self.access_log.log(self.came_from.address, line);
    }
}

/// How often the request was here already.
fn passes(fields: &HeaderMap) -> usize {
    let vias = fields.get_all(header::VIA).iter();
    let vias = vias.filter_map(|value| value.to_str().ok());
    vias.map(|via| via.matches(OUR_NAME).count()).sum()
}

/// Where a listener is: nowhere, on a unix socket.
struct Origin {
    address: Option<IpAddr>,
    /// Known of one whom no proxy speaks for.
    port: Option<u16>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (Some(address), Some(port)) => SocketAddr::new(address, port).fmt(f),
            (Some(address), None) => address.fmt(f),
            (None, _) => f.write_str("a unix socket"),
        }
    }
}

/// SECURITY: whatever a player calls itself stays on its line, between quotes, and is cut before the first byte that does not
/// fit, which takes up to four in the log.
fn agent(name: Option<&[u8]>) -> String {
    let mut text = String::from("\"");
    for byte in name.unwrap_or_default() {
        let escaped = byte.escape_ascii();
        if text.len() + escaped.len() > 1 + AGENT_LIMIT_BYTES {
            break;
        }
        text.extend(escaped.map(char::from));
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agent_has_at_most_120_bytes_in_the_log_and_no_half_escape() {
        let shown = |name: &[u8]| agent(Some(name));
        assert_eq!(shown(b"VLC/3.0 \"x\"\n"), r#""VLC/3.0 \"x\"\n""#);
        assert_eq!(agent(None), "\"\"");
        assert_eq!(shown(&[b'a'; 120]), format!("\"{}\"", "a".repeat(120)));
        assert_eq!(shown(&[b'a'; 121]), format!("\"{}\"", "a".repeat(120)));
        assert_eq!(shown(&[0xff; 500]), format!("\"{}\"", r"\xff".repeat(30)));
        let name = [&[b'a'; 117][..], &[0xff, b'b']].concat();
        assert_eq!(shown(&name), format!("\"{}\"", "a".repeat(117)));
    }
}
