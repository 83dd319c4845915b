//! HTTP/2: a connection that brings several requests at once. Each goes to the door by itself.
//!
//! In: connections on which it was agreed in the handshake. Out: requests for [`HttpProxy`].
//!
//! PINGORA: (0.9.1) its own loop waits for the preface for ever, serves a connection any number of requests, and keeps it
//! after a shutdown for as long as the other side likes. The framing is the `h2` crate's.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use log::debug;
use pingora::apps::HttpServerApp;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{
    H2Accept, H2Options, HttpSession, default_h2_options, handshake,
};
use pingora::protocols::{Digest, Stream};
use pingora::server::ShutdownWatch;
use pingora::time::timeout;
use pingora_proxy::HttpProxy;
use tokio::task::JoinSet;

use super::budget::{Pass, Rest};
use super::door::Door;
use super::errand::{self, LEASE, Way};
use super::head::HEAD_LIMIT_BYTES;
use super::reading::IDLE_LIMIT;

/// From the end of the TLS handshake until the preface is there.
const PREFACE_DEADLINE: Duration = Duration::from_secs(5);

/// Requests of a connection, after which it is asked to go and come again.
const REQUEST_LIMIT: usize = 1_000;

/// Requests that are served at once. RFC 9113 5.1.2: at least 100 are recommended.
const REQUESTS_AT_ONCE: usize = 100;

/// Requests that make no sense, before a connection is taken for an attack.
const MALFORMED_LIMIT: usize = 32;

/// What waits for a listener here before his stream waits for him; half a second of audio at any usual rate.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

/// How long the other side gets to take in that this is the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves a connection's requests until it ends.
pub async fn serve(
    proxy: Arc<HttpProxy<Door>>,
    stream: Stream,
    pass: Pass,
    mut shutdown: ShutdownWatch,
) {
    let digest = Arc::new(Digest {
        ssl_digest: stream.get_ssl_digest(),
        timing_digest: stream.get_timing_digest(),
        proxy_digest: stream.get_proxy_digest(),
        socket_digest: stream.get_socket_digest(),
    });
    let handshake = timeout(PREFACE_DEADLINE, handshake(stream, Some(options())));
    let Some(Ok(Ok(mut connection))) = pass.place().rest_during(handshake).await else {
        debug!("a connection did not begin with the preface of HTTP/2");
        return;
    };
    let pass = Arc::new(pass);
    let mut requests = JoinSet::new();
    let mut toll = Toll::default();
    let mut is_closing = false;
    loop {
        let mut rest = requests.is_empty().then(|| pass.place().rest());
        let event = tokio::select! {
            biased;
            _ = shutdown.changed(), if !is_closing => Event::Enough,
            Some(_) = requests.join_next() => continue,
            accepted = HttpSession::from_h2_conn(&mut connection, digest.clone()) => accepted.into(),
            () = quiet(&mut rest, is_closing) => Event::Enough,
        };
        if rest.is_some_and(|rest| !rest.end()) {
            // The place is another's: nothing is begun any more, and who does not go is gone all the same.
            connection.graceful_shutdown();
            let gone = poll_fn(|cx| connection.poll_closed(cx));
            let _ = timeout(FAREWELL, gone).await;
            break;
        }
        match event {
            Event::Request(session) if toll.admits(requests.len()) => {
                let served = request(proxy.clone(), *session, pass.clone(), shutdown.clone());
                requests.spawn(served);
            }
            Event::Malformed if toll.admits_malformed() => {}
            Event::Enough if !is_closing => toll.exhaust(),
            _ => break,
        }
        if toll.is_exhausted() && !is_closing {
            connection.graceful_shutdown();
            is_closing = true;
        }
    }
    // They see by themselves that it is over, and say so in the log.
    requests.detach_all();
}

/// What is spoken: Pingora's defaults, and the gate's limits.
fn options() -> H2Options {
    let mut options = default_h2_options();
    options.max_header_list_size(HEAD_LIMIT_BYTES as u32);
    options.max_concurrent_streams(REQUESTS_AT_ONCE as u32);
    options.max_send_buffer_size(SEND_BUFFER_BYTES);
    options
}

async fn request(
    proxy: Arc<HttpProxy<Door>>,
    session: HttpSession,
    pass: Arc<Pass>,
    shutdown: ShutdownWatch,
) {
    let served = proxy.process_new_http(ServerSession::new_http2(session), &shutdown);
    // Out of time: dropped with its session, it is reset.
    let _ = errand::run(LEASE, Way::BesideOthers(pass), served).await;
}

/// Ready when a connection that rests has been quiet for too long, or its place was given away.
async fn quiet(rest: &mut Option<Rest<'_>>, is_closing: bool) {
    let Some(rest) = rest else {
        return pending().await;
    };
    let limit = match is_closing {
        true => FAREWELL,
        false => IDLE_LIMIT - FAREWELL,
    };
    // Either way it is told to go.
    let _ = timeout(limit, rest.called()).await;
}

/// What happens on a connection.
enum Event {
    /// A request.
    Request(Box<HttpSession>),
    /// A request that made no sense; it was answered.
    Malformed,
    /// Nothing, for too long; or we stop.
    Enough,
    /// It is over.
    End,
}

impl From<pingora::Result<Option<H2Accept>>> for Event {
    fn from(accepted: pingora::Result<Option<H2Accept>>) -> Self {
        match accepted {
            Ok(Some(H2Accept::Session(session))) => Self::Request(Box::new(session)),
            Ok(Some(H2Accept::Rejected)) => Self::Malformed,
            Ok(None) | Err(_) => Self::End,
        }
    }
}

/// What a connection has had of what it may have.
#[derive(Debug, Default)]
struct Toll {
    requests: usize,
    malformed: usize,
}

impl Toll {
    /// Counts a request beside those that are being served; false when this can only be an attack: requests that are taken
    /// back count no more for `h2`, and one that was asked to go goes.
    fn admits(&mut self, at_once: usize) -> bool {
        self.requests = self.requests.saturating_add(1);
        at_once < 2 * REQUESTS_AT_ONCE && self.requests <= REQUEST_LIMIT + REQUESTS_AT_ONCE
    }

    fn admits_malformed(&mut self) -> bool {
        self.malformed += 1;
        self.malformed < MALFORMED_LIMIT
    }

    fn exhaust(&mut self) {
        self.requests = self.requests.max(REQUEST_LIMIT);
    }

    fn is_exhausted(&self) -> bool {
        self.requests >= REQUEST_LIMIT
    }
}
