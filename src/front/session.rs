//! What the door asks of Pingora's sessions and errors.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Version, header};
use ipnet::IpNet;
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::{Error, ErrorSource, ErrorType};
use pingora_proxy::Session;

use super::carriage::End;
use super::errand;
use super::head;
use super::listener::Listener;
use super::refuse::Refusal;
use super::scheme::{own_scheme, scheme_of};
use crate::fleet::Scheme;

/// Makes a session one whose connection ends with the stream (on HTTP/2 it goes on), and whose listener is given up when he
/// takes nothing for `slow_listener_timeout`.
pub fn prepare_for_stream(session: &mut Session, slow_listener_timeout: Duration) {
    errand::extend();
    let listener = session.as_downstream_mut();
    if listener.is_http2() {
        listener.set_write_timeout(Some(slow_listener_timeout));
        return;
    }
    // PINGORA: (0.9.1) what a request says of its connection outweighs all that is said of it later.
    listener.req_header_mut().remove_header(&header::CONNECTION);
    listener.set_keepalive(None);
    // Players close their sending side, and some send a stray byte: neither is a wish to stop listening.
    // PINGORA: (0.9.1) bytes after a request end it unless it is taken for the first of several.
    listener.set_abort_on_close(false);
    listener.set_pipelining_enabled(true);
}

/// The scheme by which the listener came, as a proxy in front tells it where that is believed.
pub fn scheme(session: &Session, trusted_proxies: &[IpNet]) -> Scheme {
    let forwarded = session.req_header().headers.get("x-forwarded-proto");
    let peer = || inet(session.client_addr()).map(|address| address.ip());
    let digest = session.digest();
    let own = own_scheme(digest.is_some_and(|digest| digest.ssl_digest.is_some()));
    let forwarded = forwarded.map(|value| value.as_bytes());
    scheme_of(own, forwarded, peer, trusted_proxies)
}

/// Whether the listener's player understands chunks.
pub fn takes_chunks(session: &Session) -> bool {
    session.req_header().version != Version::HTTP_10
}

/// Whether an error is a listener's going away, and so none of ours.
pub fn is_hang_up(error: &Error) -> bool {
    matches!(error.esource(), ErrorSource::Downstream)
        || matches!(
            error.etype(),
            ErrorType::WriteError | ErrorType::WriteTimedout
        )
}

/// Judges a request that came by HTTP/2, and so past the gate.
///
/// # Errors
/// The refusal that answers it.
pub fn inspect_h2(session: &mut Session) -> Result<(), Refusal> {
    if !session.is_http2() {
        return Ok(());
    }
    let is_bodiless = session.is_body_empty();
    head::inspect_h2(session.req_header(), is_bodiless)
}

/// Leaves the listener's line in the log, when there was a stream, which Pingora carried.
pub fn log_end_on_h2(
    session: &Session,
    listener: &Listener,
    error: Option<&Error>,
    is_stopping: bool,
) {
    let end = match end_of(error) {
        End::GivenUp if is_stopping => End::Stopped,
        end => end,
    };
    let head = session.response_written();
    if head.is_some_and(|head| head.status == 200) {
        listener.log_end(session.body_bytes_sent() as u64, end);
    }
}

/// Why a stream that Pingora carried is over.
fn end_of(error: Option<&Error>) -> End {
    match error {
        Some(error) if matches!(error.etype(), ErrorType::WriteTimedout) => End::TookNothing,
        Some(error) if !is_hang_up(error) => End::GivenUp,
        _ => End::HungUp,
    }
}

/// An IP address and port; `None` for a unix socket.
pub fn inet(address: Option<&PingoraAddr>) -> Option<SocketAddr> {
    address.and_then(PingoraAddr::as_inet).copied()
}
