//! The carriage: brings a listener the stream whose head Pingora has sent him.
//!
//! PINGORA: (0.9.1) a body that goes through `ProxyHttp` holds 40 KB for as long as it lasts (its future, two channels, a
//! buffer for bodies, the maps of both heads). Here a piece goes from the relay's socket into a buffer that all streams of
//! a thread share, and from there to the listener; only what he does not take at once is kept for him.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::chunk;
use super::listener::Listener;
use crate::stream::RelayStream;

/// What a listener may say after his request before nobody reads it any more.
const STRAY_LIMIT_BYTES: usize = 64 * 1024;

thread_local! {
    /// Where a piece lies between two sockets.
    static PIECE: RefCell<chunk::Room> = RefCell::default();
}

/// Why a listener's stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// He went away.
    HungUp,
    /// He took nothing for too long.
    TookNothing,
    /// No relay could take over.
    GivenUp,
    /// The process was stopped.
    Stopped,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HungUp => "hung up",
            Self::TookNothing => "took nothing for too long",
            Self::GivenUp => "no relay could take over",
            Self::Stopped => "the balancer stopped",
        })
    }
}

/// A listener's stream that is to be brought to him.
pub struct Carriage {
    /// Who he is.
    pub listener: Arc<Listener>,
    /// His stream.
    pub stream: RelayStream,
    /// Whether his player understands chunks. They show it that a stream was broken off, which has no last chunk.
    pub in_chunks: bool,
    /// A listener who takes nothing for so long is given up.
    pub slow_listener_timeout: Duration,
}

impl Carriage {
    /// Brings it over `socket` until one of the two ends, or `stopped` does; leaves a line in the log.
    pub async fn run(
        self,
        socket: impl AsyncRead + AsyncWrite + Unpin,
        stopped: impl Future<Output = ()>,
    ) {
        let mut ride = Ride {
            stream: self.stream,
            in_chunks: self.in_chunks,
            sent_bytes: 0,
            exit: Exit {
                socket,
                waiting: BytesMut::new(),
                is_flushed: true,
                timer: None,
                limit: self.slow_listener_timeout,
            },
            ear: Ear::Open { stray_bytes: 0 },
        };
        let end = tokio::select! {
            biased;
            end = &mut ride => end,
            () = stopped => End::Stopped,
        };
        self.listener.log_end(ride.sent_bytes, end);
    }
}

/// A stream on its way.
struct Ride<S> {
    stream: RelayStream,
    in_chunks: bool,
    sent_bytes: u64,
    exit: Exit<S>,
    ear: Ear,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Ride<S> {
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let ride = self.get_mut();
        if ride.ear.poll_hang_up(cx, &mut ride.exit.socket).is_ready() {
            return Poll::Ready(End::HungUp);
        }
        loop {
            let step = match ready!(ride.exit.poll_sent(cx)) {
                Ok(()) => ready!(ride.poll_piece(cx)),
                Err(end) => Err(end),
            };
            if let Err(end) = step {
                return Poll::Ready(end);
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Ride<S> {
    /// Takes a piece of the stream and sends as much of it as the listener takes.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        PIECE.with_borrow_mut(|room| {
            let mut audio = ReadBuf::new(room.audio());
            if ready!(self.stream.poll_next(cx, &mut audio)).is_err() {
                return Poll::Ready(Err(End::GivenUp));
            }
            let length = audio.filled().len();
            self.sent_bytes += length as u64;
            let piece = match self.in_chunks {
                true => room.chunk(length),
                false => room.plain(length),
            };
            Poll::Ready(self.exit.send(cx, piece))
        })
    }
}

/// The way out to a listener.
struct Exit<S> {
    socket: S,
    /// What he has not taken yet.
    waiting: BytesMut,
    is_flushed: bool,
    /// Runs while he takes nothing.
    timer: Option<Pin<Box<Sleep>>>,
    limit: Duration,
}

impl<S: AsyncWrite + Unpin> Exit<S> {
    /// Sends what he takes at once of a piece; the rest waits. Nothing may be waiting already.
    fn send(&mut self, cx: &mut Context<'_>, mut piece: &[u8]) -> Result<(), End> {
        self.is_flushed = false;
        while !piece.is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, piece) {
                Poll::Ready(Ok(sent @ 1..)) => piece = piece.get(sent..).unwrap_or_default(),
                Poll::Ready(_) => return Err(End::HungUp),
                Poll::Pending => {
                    self.waiting.extend_from_slice(piece);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Ready when nothing waits any more, or never will.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        while !self.waiting.is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, &self.waiting) {
                Poll::Ready(Ok(sent @ 1..)) => self.note_sent(sent),
                Poll::Ready(_) => return Poll::Ready(Err(End::HungUp)),
                Poll::Pending => return self.poll_patience(cx),
            }
        }
        if !self.is_flushed {
            match Pin::new(&mut self.socket).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.is_flushed = true,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::HungUp)),
                Poll::Pending => return self.poll_patience(cx),
            }
        }
        self.timer = None;
        Poll::Ready(Ok(()))
    }

    fn note_sent(&mut self, bytes: usize) {
        self.timer = None;
        self.waiting.advance(bytes);
        if self.waiting.is_empty() {
            // Its memory is not needed for the hours to come.
            self.waiting = BytesMut::new();
        }
    }

    /// Ready when he has taken nothing for too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(cx).map(|()| Err(End::TookNothing))
    }
}

/// What is heard of a listener while he listens.
enum Ear {
    /// Players may send a stray byte: no wish to stop listening.
    Open { stray_bytes: usize },
    /// He has closed his sending side, as some players do at once, or talks too much; his going away shows when something is
    /// sent to him.
    Shut,
}

impl Ear {
    /// Ready when he is gone for certain.
    fn poll_hang_up(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut (impl AsyncRead + Unpin),
    ) -> Poll<()> {
        while let Self::Open { stray_bytes } = self {
            let mut sink = [0; 256];
            let mut sink = ReadBuf::new(&mut sink);
            match ready!(Pin::new(&mut *socket).poll_read(cx, &mut sink)) {
                Err(_) => return Poll::Ready(()),
                Ok(()) => *stray_bytes += sink.filled().len(),
            }
            if sink.filled().is_empty() || *stray_bytes > STRAY_LIMIT_BYTES {
                *self = Self::Shut;
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
