//! The admin bind: what an operator and a machine that watches us may ask, and what an operator may change.
//!
//! In: requests. Out: pages about the fleet, which anybody who reaches the bind may read; and the admin state of a relay,
//! which only a request with the token changes. Request bodies are never read. `door` lets connections in, on TLS where that is
//! wanted.

mod answer;
mod control;
mod door;
mod exchange;
mod guard;
mod hosts;
mod metrics;
mod process;
mod state_retry;
mod states;
mod status;
mod strikes;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use log::{info, warn};

use crate::config::LastReading;
use crate::discovery::AddressBook;
use crate::fleet::SharedFleet;
use crate::front::Crowd;
use crate::service::{Life, Phase};
use crate::stream::Streams;
use answer::Answer;
use control::{NotStored, Order, UnknownRelay};
use guard::{Denial, Guard};
use metrics::Metrics;
use status::FleetStatus;

pub use door::AdminDoor;
pub use guard::SharedToken;
pub use hosts::{AllowedHosts, SharedHosts};
pub use metrics::Source;
pub use state_retry::StateRetry;
pub use states::States;

const MAP: &str =
    "pages: /live /ready /status /metrics; changes: POST /relays/{name}/drain, /ready or /maint";

/// RFC 9110, 15.5.20: not the server of that name.
const MISDIRECTED: u16 = 421;

/// RFC 4918, 11.5: what was asked for is in force and could not be stored.
const NOT_STORED: u16 = 507;

/// Answers the admin bind.
#[derive(Debug)]
pub struct AdminPages {
    fleet: SharedFleet,
    streams: Arc<Streams>,
    book: AddressBook,
    life: Arc<Life>,
    reading: LastReading,
    states: Arc<States>,
    metrics: Metrics,
    guard: Guard,
    hosts: SharedHosts,
    /// Throttles the log lines of requests under names that are not listed.
    misdirected: Crowd,
}

/// A page, and how it is made.
type Page = fn(&AdminPages) -> Answer;

impl AdminPages {
    /// Pages about what `source` tells. Without a token nothing can be changed over them.
    pub fn new(source: Source) -> Self {
        let (fleet, streams) = (source.fleet.clone(), source.streams.clone());
        let (life, book) = (source.life.clone(), source.book.clone());
        let reading = source.reading.clone();
        let metrics = Metrics::new(source);
        Self {
            fleet,
            streams,
            book,
            life,
            reading,
            states: Arc::default(),
            metrics,
            guard: Guard::new(SharedToken::default()),
            hosts: SharedHosts::default(),
            misdirected: Crowd::default(),
        }
    }

    /// Lets those who know the token change the fleet.
    pub fn guarded_by(self, token: SharedToken) -> Self {
        Self {
            guard: Guard::new(token),
            ..self
        }
    }

    /// Answers under these names too, and under no others.
    pub fn answering_to(self, hosts: SharedHosts) -> Self {
        Self { hosts, ..self }
    }

    /// Keeps there what an operator wants of relays.
    pub fn remembering_in(self, states: Arc<States>) -> Self {
        Self { states, ..self }
    }

    /// Answers a request that `peer` sent.
    fn answer(&self, request: &Parts, peer: Option<SocketAddr>, now: Instant) -> Answer {
        if !is_probe(request.uri.path())
            && let Some(name) = self.hosts.load().unlisted(request)
        {
            return self.misdirect(&name, peer);
        }
        if let Some(page) = page(request.uri.path()) {
            return match request.method {
                Method::GET | Method::HEAD => page(self),
                _ => not_allowed("GET, HEAD"),
            };
        }
        match Order::parse(request.uri.path()) {
            None => Answer::text(404, MAP),
            Some(_) if request.method != Method::POST => not_allowed("POST"),
            Some(order) => self.change(&order, &request.headers, peer, now),
        }
    }

    fn change(
        &self,
        order: &Order,
        headers: &HeaderMap,
        peer: Option<SocketAddr>,
        now: Instant,
    ) -> Answer {
        let ip = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
        if let Err(denial) = self.guard.admit(headers, ip, now) {
            return deny(&denial, ip);
        }
        let done = self.life.while_in_charge(|| {
            let state = order.carry_out(&mut self.fleet.lock())?;
            let asked_by = peer.map_or_else(|| ip.to_string(), |peer| peer.to_string());
            info!("relay {order}, asked by {asked_by}");
            Ok::<_, UnknownRelay>((state, self.states.keep(&self.fleet)))
        });
        match done {
            Some(Ok((state, Ok(())))) => Answer::json(&state),
            Some(Ok((state, Err(why)))) => {
                Answer::json(&NotStored::new(state, &why)).with_status(NOT_STORED)
            }
            Some(Err(unknown)) => Answer::text(404, unknown),
            None => Answer::text(503, "another process has taken over: ask again"),
        }
    }

    /// Refuses a request under a name that is not listed.
    fn misdirect(&self, name: &str, peer: Option<SocketAddr>) -> Answer {
        if let Some(count) = self.misdirected.due() {
            let peer = peer.map_or_else(String::new, |peer| peer.to_string());
            warn!(
                "admin: request refused: name not in [admin] hosts: name={name} peer={peer} refused_since_last_line={count}"
            );
        }
        Answer::text(
            MISDIRECTED,
            format_args!(
                "this address does not answer to the name {name}: add it to hosts of [admin] in the configuration, or use an IP address"
            ),
        )
    }

    fn live(&self) -> Answer {
        Answer::text(200, "live")
    }

    fn readiness(&self) -> Answer {
        // First: a thread that hangs may hold the fleet's lock.
        if let Some(silence) = self.life.unresponsive_for() {
            let seconds = silence.as_secs();
            let text = format_args!("not ready: worker threads do not respond for {seconds} s");
            return Answer::text(503, text);
        }
        if self.life.phase() >= Phase::Leaving {
            Answer::text(503, "not ready: stopping")
        } else if self.fleet.lock().is_ready() {
            Answer::text(200, "ready")
        } else {
            Answer::text(503, "not ready: the first round of polls is not over")
        }
    }

    fn status(&self) -> Answer {
        let fleet = self.fleet.lock();
        let streams = self.streams.counts();
        let reading = self.reading.load();
        let (book, now) = (&self.book, Instant::now());
        let status = FleetStatus::of(&fleet, &streams, book, &reading, &self.life, now);
        drop(fleet);
        Answer::json(&status)
    }

    fn metrics(&self) -> Answer {
        const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        match self.metrics.render() {
            Ok(text) => Answer::new(200, OPEN_METRICS, text),
            Err(error) => Answer::text(500, error),
        }
    }
}

/// True for a page of one word, for the probe of an orchestrator, which uses a name of its own for
/// this address. Such a page says no more than an open port does.
fn is_probe(path: &str) -> bool {
    matches!(path, "/live" | "/ready")
}

fn page(path: &str) -> Option<Page> {
    match path {
        "/live" => Some(AdminPages::live),
        "/ready" => Some(AdminPages::readiness),
        "/status" => Some(AdminPages::status),
        "/metrics" => Some(AdminPages::metrics),
        _ => None,
    }
}

fn not_allowed(allowed: &'static str) -> Answer {
    Answer::text(405, format_args!("methods served here: {allowed}"))
        .with(header::ALLOW, HeaderValue::from_static(allowed))
}

/// SECURITY: neither the log nor the answer repeats what was given as the token.
fn deny(denial: &Denial, peer: IpAddr) -> Answer {
    if let Denial::Wrong | Denial::OneTooMany(_) = denial {
        warn!("a change of a relay was refused: {denial}, asked by {peer}");
    }
    let answer = Answer::text(denial.status(), denial);
    match (denial.status(), denial.retry_after_seconds()) {
        (401, _) => answer.with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        // Each further guess costs a connection, with TLS a handshake.
        (_, Some(seconds)) => answer.with(header::RETRY_AFTER, seconds).closing(),
        _ => answer,
    }
}
