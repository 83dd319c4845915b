//! The gate: reads each request's head under one deadline, judges it, and lets it in by the express lane or the door.
//!
//! In: connections. Out: redirects from the express lane, whole inspected heads for [`HttpProxy`], refusals for the rest.
//!
//! PINGORA: (0.9.1) its parser restarts a 60 s timer at each byte, takes 1 MiB and 256 fields, and repairs broken targets.
//! A session takes bytes that were read before it as its pipelined prefix: that is the way in used here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use log::debug;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::{ALPN, Stream};
use pingora::server::ShutdownWatch;
use pingora::time::timeout;
use pingora_proxy::HttpProxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answer;
use super::budget::Pass;
use super::carriage::Carriage;
use super::desk::Desk;
use super::door::Door;
use super::entrance::Porter;
use super::errand::{self, Way};
use super::express::Express;
use super::head::inspect;
use super::multiplex;
use super::reading::{IDLE_LIMIT, first_head, next_head};
use super::refuse::Refusal;
use super::scheme::own_scheme;
use crate::service::{Life, Phase};

/// An answer is a few hundred bytes; who does not take them is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// After a refusal, how much more of a request is read away so that the answer is not lost to a reset, and how long.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);

/// Guards the way in.
pub struct Gate {
    porter: Porter,
    desk: Arc<Desk>,
    express: Express,
    proxy: Arc<HttpProxy<Door>>,
    life: Arc<Life>,
    /// Whether connections are kept for another request no more.
    leaving: ShutdownWatch,
}

impl Gate {
    /// A gate behind `porter`, with two ways in: the express lane and Pingora's proxy.
    pub fn new(
        porter: Porter,
        desk: Arc<Desk>,
        express: Express,
        proxy: HttpProxy<Door>,
        life: Arc<Life>,
    ) -> Self {
        Self {
            leaving: life.leaving(),
            life,
            porter,
            desk,
            express,
            proxy: Arc::new(proxy),
        }
    }

    /// Receives a connection and answers its requests; one that is for Pingora goes on by itself.
    async fn receive(self: Arc<Self>, stream: Stream) {
        let Some((mut stream, pass)) = self.porter.receive(stream).await else {
            return;
        };
        if stream.selected_alpn_proto() == Some(ALPN::H2) {
            let served = multiplex::serve(self.proxy.clone(), stream, pass, self.leaving.clone());
            tokio::spawn(served);
            return;
        }
        let mut visit = Visit {
            pass: pass.into(),
            read: BytesMut::new(),
            answer: String::new(),
        };
        let head = first_head(&mut stream, &mut visit.read, visit.pass.place()).await;
        if let Some(session) = self.attend(stream, &mut visit, head).await {
            // A task of its own: this one is as small as one who waits for a head needs it.
            tokio::spawn(self.enter(session, visit));
        }
    }

    /// Answers requests by the express lane, the first of which has `head`, until one is for Pingora; `None` when the
    /// connection ends before.
    async fn attend(
        &self,
        mut stream: Stream,
        visit: &mut Visit,
        mut head: Result<Option<usize>, Refusal>,
    ) -> Option<ServerSession> {
        loop {
            match self.serve(stream, visit, head).await? {
                Served::Answered(answered) => stream = answered,
                Served::Entering(session) => return Some(*session),
                Served::Refused(stream, refusal) => {
                    self.desk.refused(refusal);
                    dismiss(stream, refusal).await;
                    return None;
                }
            }
            head = visit.next_head(&mut stream).await;
        }
    }

    /// Serves one request whose head is as long as `head` says; `None` when the connection ends.
    async fn serve(
        &self,
        mut stream: Stream,
        visit: &mut Visit,
        head: Result<Option<usize>, Refusal>,
    ) -> Option<Served> {
        let length = match head {
            Ok(Some(length)) => length,
            Ok(None) => {
                bid_farewell(&mut stream).await;
                return None;
            }
            Err(refusal) => return Some(Served::Refused(stream, refusal)),
        };
        let bytes = visit.read.get(..length).unwrap_or_default();
        let mut head = match inspect(bytes) {
            Ok(head) => head,
            Err(refusal) => return Some(Served::Refused(stream, refusal)),
        };
        head.keeps_alive &= !*self.leaving.borrow();
        let peer = || {
            let digest = stream.get_socket_digest()?;
            Some(digest.peer_addr()?.as_inet()?.ip())
        };
        let own = own_scheme(stream.get_ssl_digest().is_some());
        if self.express.answer(&head, own, peer, &mut visit.answer) {
            let kept = head.keeps_alive;
            visit.read.advance(length);
            let sent = send(&mut stream, visit.answer.as_bytes()).await;
            if sent && !kept {
                bid_farewell(&mut stream).await;
            }
            return (sent && kept).then_some(Served::Answered(stream));
        }
        let head = visit.read.split_to(length);
        let mut session = ServerSession::new_http1(stream);
        session.set_keepalive((!*self.leaving.borrow()).then_some(IDLE_LIMIT.as_secs()));
        session.set_pipelined_prefix(head);
        Some(Served::Entering(Box::new(session)))
    }

    /// Lets a request in by the door, and whatever comes after it on its connection.
    async fn enter(self: Arc<Self>, mut session: ServerSession, mut visit: Visit) {
        loop {
            let served = self.proxy.process_new_http(session, &self.leaving);
            let served = errand::run(errand::LEASE, Way::Alone(visit.pass.clone()), served);
            let busy = self.life.begin_errand();
            let Some(reused) = served.await.flatten() else {
                return;
            };
            drop(busy);
            let (mut stream, settings) = reused.consume();
            if let Some(carriage) = settings.and_then(carriage_in) {
                // A task of its own: this one has room for a request, which a stream would keep for hours.
                let stopped = self.life.until(Phase::Ending);
                tokio::spawn(carry(carriage, stream, visit.pass, stopped));
                return;
            }
            let head = visit.next_head(&mut stream).await;
            let next = self.attend(stream, &mut visit, head).await;
            match next {
                Some(next) => session = next,
                None => return,
            }
        }
    }
}

/// Brings a stream over a connection, which counts until it is over.
async fn carry(
    carriage: Carriage,
    stream: Stream,
    pass: Arc<Pass>,
    stopped: impl Future<Output = ()>,
) {
    carriage.run(stream, stopped).await;
    drop(pass);
}

/// The stream that a connection is to be used for from now on.
fn carriage_in(mut settings: HttpPersistentSettings) -> Option<Carriage> {
    let carriage = settings.take_user_context()?.downcast().ok()?;
    Some(*carriage)
}

/// What became of a request.
enum Served {
    /// Answered by the express lane; the connection may bring another.
    Answered(Stream),
    /// For Pingora.
    Entering(Box<ServerSession>),
    /// Not to be trusted; the connection must be closed.
    Refused(Stream, Refusal),
}

/// What a connection keeps from one request to the next.
struct Visit {
    /// Counts the connection.
    pass: Arc<Pass>,
    /// What was read and not served yet.
    read: BytesMut,
    /// The last answer's buffer.
    answer: String,
}

impl Visit {
    async fn next_head(&mut self, stream: &mut Stream) -> Result<Option<usize>, Refusal> {
        next_head(stream, &mut self.read, self.pass.place()).await
    }
}

#[async_trait]
impl ServerApp for Gate {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        _closing: &ShutdownWatch,
    ) -> Option<Stream> {
        // PINGORA: (0.9.1) this task has room for a TLS handshake, 9 KB that a connection would keep for as long as it waits.
        tokio::spawn(self.clone().receive(stream));
        None
    }

    /// PINGORA: (0.9.1) called when nobody is let in any more. Its proxy would drop requests whose heads are under way to it
    /// then; whoever was let in is served to his end here.
    async fn cleanup(&self) {}
}

/// Sends an answer; returns whether it went out.
async fn send(stream: &mut Stream, answer: &[u8]) -> bool {
    let write = async {
        stream.write_all(answer).await?;
        stream.flush().await
    };
    matches!(timeout(WRITE_DEADLINE, write).await, Ok(Ok(())))
}

/// Says on TLS that this is the end: without it an answer may have been cut by somebody on the way.
async fn bid_farewell(stream: &mut Stream) {
    if stream.get_ssl_digest().is_some() {
        // Who is gone already needs no farewell.
        let _ = timeout(LINGER_TIME, AsyncWriteExt::shutdown(stream)).await;
    }
}

/// Answers a head that cannot be trusted and closes, reading away what is still coming for a moment.
async fn dismiss(mut stream: Stream, refusal: Refusal) {
    debug!("refused a request: {} {}", refusal.status(), refusal.text());
    if !send(&mut stream, &answer::raw_refusal(refusal)).await {
        return;
    }
    let linger = async {
        AsyncWriteExt::shutdown(&mut stream).await?;
        read_away(&mut stream).await
    };
    // Whatever still comes is of no interest; neither is how it ends.
    let _ = timeout(LINGER_TIME, linger).await;
}

async fn read_away(stream: &mut Stream) -> std::io::Result<()> {
    // On the heap: an array would lie in the future of every connection.
    let mut sink = vec![0; 4096];
    let mut left = LINGER_BYTES;
    while left > 0 {
        match stream.read(&mut sink).await? {
            0 => break,
            n => left = left.saturating_sub(n),
        }
    }
    Ok(())
}
