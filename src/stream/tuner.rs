//! Tuning in, as Pingora's way to connect: the relays are tried before the listener sees anything, and where none takes it,
//! that is a peer that cannot be connected to.
//!
//! PINGORA: (0.9.1) `custom_l4` puts a `VirtualSocket` under `ProxyHttp`, whose retries and hooks are used. What it writes
//! as its request is not sent: the relay was asked already. What it reads is the head of the answer; the endless stream
//! itself is left in the [`Outcome`], or follows the head.

use std::fmt;
use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::first_relay::FirstRelay;
use super::icy::IcyWriter;
use super::link::TurnedAway;
use super::outlet::Outlet;
use super::relay_stream::RelayStream;
use super::request::Request;
use super::routes::SharedRoutes;
use super::scene::Voyage;
use super::seats::{Seat, Seats};
use super::streams::{Journey, Streams};
use crate::config;
use crate::service::{Life, Phase};

/// Outcome of the relays that were tried: the stream, or why each of them did not take the listener.
#[derive(Debug, Default)]
pub struct Outcome(Mutex<Option<Result<RelayStream, Vec<TurnedAway>>>>);

impl Outcome {
    /// Takes it; `None` when no relay was tried since it was taken last.
    pub fn take(&self) -> Option<Result<RelayStream, Vec<TurnedAway>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, outcome: Result<RelayStream, Vec<TurnedAway>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

/// What streams are made with.
#[derive(Debug, Clone)]
pub struct Studio {
    /// Where seats on relays come from.
    pub seats: Seats,
    /// How relays are reached.
    pub routes: SharedRoutes,
    /// The streams that are carried.
    pub streams: Arc<Streams>,
    /// How streams are kept up: those that begin, as it is then.
    pub wishes: Arc<ArcSwap<config::Stream>>,
    /// What the process is about.
    pub life: Arc<Life>,
}

/// One listener's way to a relay.
#[derive(Debug)]
pub struct Tuner {
    studio: Studio,
    request: Arc<Request>,
    mount: Arc<str>,
    journey: Arc<Journey>,
    seat: Mutex<Option<Seat>>,
    outcome: Arc<Outcome>,
    is_body_behind_head: bool,
}

impl Tuner {
    /// A way that begins with the relay of `seat`; the stream, or why no relay took the listener, is left in `outcome`.
    pub fn new(
        studio: Studio,
        request: Arc<Request>,
        mount: Arc<str>,
        journey: Arc<Journey>,
        seat: Seat,
        outcome: Arc<Outcome>,
    ) -> Self {
        Self {
            studio,
            request,
            mount,
            journey,
            seat: Mutex::new(Some(seat)),
            outcome,
            is_body_behind_head: false,
        }
    }

    /// Lets Pingora read the stream itself, behind the head.
    pub fn with_body_behind_head(self) -> Self {
        Self {
            is_body_behind_head: true,
            ..self
        }
    }

    /// The stream, and the head of the answer that it is the body of.
    async fn tune_in(&self, first: Seat) -> Result<(RelayStream, Vec<u8>), Vec<TurnedAway>> {
        let studio = &self.studio;
        let search = FirstRelay {
            seats: &studio.seats,
            routes: &studio.routes,
            request: &self.request,
            mount: &self.mount,
        };
        let (mut seat, link, head) = search.open(first).await?;
        seat.note_arrival();
        let metaint = head.metaint_bytes.filter(|_| self.request.wants_metadata);
        let titles = metaint.map(IcyWriter::new).transpose();
        let titles = titles.map_err(|why| vec![why.into()])?;
        let outlet = Outlet::new(titles);
        let answer = head.to_http(metaint);
        let relay = seat.relay();
        let aboard = studio
            .streams
            .enter(&self.mount, self.journey.clone(), seat.id(), relay);
        let wishes = studio.wishes.load();
        let voyage = Voyage {
            seats: studio.seats.clone(),
            routes: studio.routes.clone(),
            request: self.request.clone(),
            mount: self.mount.clone(),
            content_type: head.content_type,
            stall_timeout: wishes.stall_timeout,
            hold: wishes.hold,
        };
        let stream = RelayStream::new(voyage, aboard, seat, link, outlet);
        Ok((stream, answer))
    }
}

#[async_trait]
impl L4Connect for Tuner {
    async fn connect(&self, _address: &SocketAddr) -> pingora::Result<Stream> {
        let seat = self
            .seat
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let seat = seat.ok_or_else(|| Error::explain(ErrorType::InternalError, "no seat"))?;
        match self.tune_in(seat).await {
            Ok((stream, answer)) => {
                let body = match self.is_body_behind_head {
                    true => Some(Body {
                        stream,
                        stopped: Stopped::with(&self.studio.life),
                    }),
                    false => {
                        self.outcome.put(Ok(stream));
                        None
                    }
                };
                let head = Cursor::new(answer);
                let socket = Socket { head, body };
                Ok(VirtualSocketStream::new(Box::new(socket)).into())
            }
            Err(why) => {
                self.outcome.put(Err(why));
                let error = Error::explain(ErrorType::ConnectError, "no relay delivers");
                Err(error)
            }
        }
    }
}

/// An answer in the place of a relay's socket.
#[derive(Debug)]
struct Socket {
    head: Cursor<Vec<u8>>,
    body: Option<Body>,
}

/// What Pingora reads behind the head.
#[derive(Debug)]
struct Body {
    stream: RelayStream,
    stopped: Stopped,
}

impl Body {
    /// The stream, until the process sends everybody away.
    fn poll_next(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.stopped.0.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        self.stream.poll_next(cx, room)
    }
}

/// The moment at which everybody is sent away.
struct Stopped(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Stopped {
    fn with(life: &Life) -> Self {
        Self(Box::pin(life.until(Phase::Ending)))
    }
}

impl fmt::Debug for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopped")
    }
}

impl VirtualSocket for Socket {
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = room.filled().len();
        ready!(Pin::new(&mut self.head).poll_read(cx, room))?;
        match &mut self.body {
            Some(body) if room.filled().len() == filled => body.poll_next(cx, room),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
