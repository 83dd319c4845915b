//! The exchange: one request at the operator's address, read, answered, written.
//!
//! In: a connection that says something. Out: the connection, where it may say more.
//!
//! PINGORA: (0.9.1) its own `ServeHttp` writes a request that it cannot read into the log, as an error and as it came, up to
//! 8 KB of escapes or 64 KB of a target, and hangs up without an answer. SECURITY: the token would stand there.

use std::time::Instant;

use log::debug;
use pingora::apps::{HttpPersistentSettings, ReusedHttpStream};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use pingora::{Error, ErrorType, Result};

use super::AdminPages;
use super::answer::Answer;

/// How long a connection may wait for its next request, in seconds.
const IDLE: u64 = 60;

impl AdminPages {
    /// Serves one request; `None` when its connection is over. Where one was answered before and nobody is let in any more, the
    /// next one is not waited for: it is for the process that took over.
    pub(super) async fn serve(
        &self,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
        was_answered: bool,
    ) -> Option<ReusedHttpStream> {
        let read = tokio::select! {
            biased;
            read = session.read_request() => read,
            () = closing(shutdown), if was_answered => return None,
        };
        let answer = match read {
            Ok(true) => {
                session.set_keepalive((!*shutdown.borrow()).then_some(IDLE));
                let peer = session.client_addr().and_then(|peer| peer.as_inet());
                let answer = self.answer(session.req_header(), peer.copied(), Instant::now());
                if answer.is_closing() {
                    session.set_keepalive(None);
                }
                answer
            }
            Ok(false) => return None,
            Err(error) => {
                session.set_keepalive(None);
                broken(&error)?
            }
        };
        finish(session, answer)
            .await
            // Who does not wait for the answer has no line in the log for it.
            .unwrap_or_else(|error| {
                debug!("no answer at the admin bind: {:?}", error.etype());
                None
            })
    }
}

/// Ready when nobody is let in any more.
async fn closing(shutdown: &ShutdownWatch) {
    // The watch ends with the process.
    let _ = shutdown.clone().wait_for(|closing| *closing).await;
}

/// What a request is answered that cannot be read; `None` when there is none any more.
fn broken(error: &Error) -> Option<Answer> {
    debug!("no request at the admin bind: {:?}", error.etype());
    let is_there = *error.etype() == ErrorType::InvalidHTTPHeader;
    is_there.then(|| Answer::text(400, "this is no HTTP request"))
}

/// Writes the answer.
///
/// PINGORA: (0.9.1) closes the connection behind an answer to a request whose body was not read.
async fn finish(mut session: ServerSession, answer: Answer) -> Result<Option<ReusedHttpStream>> {
    let (head, body) = answer.into_response().into_parts();
    let head = ResponseHeader::from(head);
    session.write_response_header(Box::new(head)).await?;
    if !body.is_empty() {
        session.write_response_body(body.into(), true).await?;
    }
    let settings = HttpPersistentSettings::for_session(&session);
    let kept = session.finish().await?;
    Ok(kept.map(|kept| ReusedHttpStream::from_reusable_stream(kept, settings)))
}
