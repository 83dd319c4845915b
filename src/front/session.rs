//! What the door asks of Pingora's sessions and errors.

use std::net::SocketAddr;

use http::{Version, header};
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::{Error, ErrorSource, ErrorType};
use pingora_proxy::Session;

use super::errand;

/// Makes a session one whose connection ends with the stream.
pub fn prepare_for_stream(session: &mut Session) {
    errand::extend();
    let listener = session.as_downstream_mut();
    // PINGORA: (0.9.1) what a request says of its connection outweighs all that is said of it later.
    listener.req_header_mut().remove_header(&header::CONNECTION);
    listener.set_keepalive(None);
    // Players close their sending side, and some send a stray byte: neither is a wish to stop listening.
    // PINGORA: (0.9.1) bytes after a request end it unless it is taken for the first of several.
    listener.set_abort_on_close(false);
    listener.set_pipelining_enabled(true);
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

/// An IP address and port; `None` for a unix socket.
pub fn inet(address: Option<&PingoraAddr>) -> Option<SocketAddr> {
    address.and_then(PingoraAddr::as_inet).copied()
}
