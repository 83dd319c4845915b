//! Tuning in, as Pingora's way to connect: a relay that does not take the listener is one that cannot be connected to, so
//! the next one is tried before he sees anything.
//!
//! PINGORA: (0.9.1) `custom_l4` puts a `VirtualSocket` under `ProxyHttp`, whose retries and hooks are used. What it writes
//! as its request is not sent: the relay was asked already. What it reads is the head of the answer; the endless stream
//! itself is left in the [`Outcome`], or follows the head.

use std::fmt;
use std::io::{self, Cursor};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use log::debug;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::head::RelayHead;
use super::icy::IcyWriter;
use super::link::{Link, TurnedAway};
use super::outlet::Outlet;
use super::relay_stream::RelayStream;
use super::request::Request;
use super::routes::SharedRoutes;
use super::scene::Voyage;
use super::seats::{Seat, Seats};
use super::streams::{Journey, Streams};
use crate::config;
use crate::service::{Life, Phase};

/// ICECAST: it answers after 0.2 to 0.4 s, an on-demand mount that sleeps after 0.9 to 1.4 s (measured, 2.4.4).
const HEDGE_AFTER: Duration = Duration::from_millis(1_500);

/// What came of the last relay that was asked.
#[derive(Debug, Default)]
pub struct Outcome(Mutex<Option<Result<RelayStream, TurnedAway>>>);

impl Outcome {
    /// Takes it; `None` when no relay was asked since it was taken last.
    pub fn take(&self) -> Option<Result<RelayStream, TurnedAway>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, outcome: Result<RelayStream, TurnedAway>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

type Opened = (Seat, Result<(Link, RelayHead), TurnedAway>);

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
    /// A way to the relay of `seat`; the stream, or why it did not take the listener, is left in `outcome`.
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

    /// Asks the relay of `seat`; when it takes its time another one beside it, and whichever is first counts.
    async fn open(&self, seat: Seat) -> Opened {
        let id = seat.id();
        let mut first = pin!(self.ask(seat));
        if let Ok(opened) = timeout(HEDGE_AFTER, &mut first).await {
            return opened;
        }
        self.studio.seats.note_trouble(id);
        let Some(second) = self.studio.seats.take(&self.mount, &[id]) else {
            return first.await;
        };
        let mut second = pin!(self.ask(second));
        tokio::select! {
            opened = &mut first => match opened {
                (_, Err(_)) => second.await,
                opened => opened,
            },
            opened = &mut second => match opened {
                (_, Err(_)) => first.await,
                opened => opened,
            },
        }
    }

    async fn ask(&self, seat: Seat) -> Opened {
        let opened = Link::open(&seat, &self.studio.routes, &self.request).await;
        (seat, opened)
    }

    /// The stream, and the head of the answer that it is the body of.
    async fn tune_in(&self, seat: Seat) -> Result<(RelayStream, Vec<u8>), TurnedAway> {
        let studio = &self.studio;
        let (mut seat, opened) = self.open(seat).await;
        let (link, head) = match opened {
            Ok(opened) => opened,
            Err(why) => {
                debug!(
                    "{} does not take a listener of {}: {why}",
                    seat.relay().name,
                    self.mount
                );
                // A relay that says no is well; one that says nothing is not.
                if !matches!(why, TurnedAway::Status(_)) {
                    seat.note_trouble();
                }
                return Err(why);
            }
        };
        seat.note_arrival();
        let metaint = head.metaint_bytes.filter(|_| self.request.wants_metadata);
        let titles = metaint.map(IcyWriter::new).transpose()?;
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
                let error = Error::explain(ErrorType::ConnectError, why.to_string());
                self.outcome.put(Err(why));
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
