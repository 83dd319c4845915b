//! A link: one connection to a relay that delivers a mount's audio.
//!
//! In: a relay and a request. Out: its head, then audio without metadata, and each title with its place. Knows neither
//! listeners nor other relays.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use pingora::ErrorType::TLSHandshakeFailure;
use pingora::protocols::Stream;
use secrecy::ExposeSecret;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::{timeout, timeout_at};

use super::head::{self, BadHead, RelayHead};
use super::icy::{BadMetaint, IcyReader, Metadata, MetadataBudget};
use super::pace::Pace;
use super::request::Request;
use super::routes::Routes;
use super::seats::Seat;
use super::watermark;
use crate::fleet::is_stream;

/// Audio that a relay must deliver before a listener is answered: less than any frame or page with its header holds, and
/// enough to tell what the body is. An answer alone proves nothing.
pub(super) const FIRST_AUDIO_BYTES: usize = 64;

const NO_AUDIO_IN_TIME: &str = "no audio in time";

/// Most reads of one relay in a row without audio.
const READS_WITHOUT_AUDIO: usize = 16;

/// Why a relay did not take a listener.
#[derive(Debug, Error)]
pub enum TurnedAway {
    /// Its name has no address.
    #[error("its name does not resolve")]
    Nowhere,
    /// Nobody answers, or it is not who it should be.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// It answered too late.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// It ended the connection.
    #[error("it hung up before it answered")]
    HungUp,
    /// It answered and ended the connection without audio.
    #[error("it answered without audio")]
    NoAudio,
    /// It answered, and no audio followed in time.
    #[error("it answered, but no audio came within {0:?}")]
    NoAudioInTime(Duration),
    /// It said no.
    #[error("it answered {0}")]
    Status(u16),
    /// What it said cannot be followed.
    #[error(transparent)]
    Head(#[from] BadHead),
    /// Its metadata cannot be told from its audio.
    #[error(transparent)]
    Metaint(#[from] BadMetaint),
    /// It has something else under that name.
    #[error("it serves another type of stream")]
    OtherType,
    /// It has what it and the others report, but not what the listener's stream began with.
    #[error("it serves another type than the stream began with")]
    OtherThanBegun,
    /// The answer under that name is no stream, but a page or a playlist.
    #[error("it serves something that is no stream")]
    NotAStream,
}

/// Cause of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Nothing: it is full, or the listener may not listen.
    None,
    /// The relay: it cannot be reached.
    Relay,
    /// The mount on the relay, for this reason.
    Mount(&'static str),
}

impl TurnedAway {
    /// Returns the cause.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Nowhere | Self::Connect(_) => Blame::Relay,
            // ICECAST: 401 and 403 are about the listener and about limits, 503 is 2.5's word for a full server.
            Self::Status(401 | 403 | 503) | Self::OtherThanBegun => Blame::None,
            Self::Status(404) => Blame::Mount("not found"),
            Self::Status(_) => Blame::Mount("unexpected status"),
            Self::Silent(_) => Blame::Mount(NO_AUDIO_IN_TIME),
            Self::HungUp => Blame::Mount("closed before an answer"),
            Self::NoAudio => Blame::Mount("closed without audio"),
            Self::NoAudioInTime(_) => Blame::Mount(NO_AUDIO_IN_TIME),
            Self::Head(_) => Blame::Mount("answer not understood"),
            Self::Metaint(_) => Blame::Mount("metadata not understood"),
            Self::OtherType => Blame::Mount("another type of stream"),
            Self::NotAStream => Blame::Mount("a page or playlist, no stream"),
        }
    }
}

/// A connection that delivers audio.
#[derive(Debug)]
pub struct Link {
    stream: Stream,
    /// The relay's address, where it was connected to by one.
    address: Option<SocketAddr>,
    /// Body bytes that came together with the head.
    early: BytesMut,
    icy: Option<IcyReader>,
    metadata: MetadataBudget,
    metaint_bytes: Option<usize>,
    pace: Pace,
    watermark_bytes: usize,
    wakes_for_all: bool,
    heard_at: Instant,
}

impl Link {
    /// Requests the mount of `seat` from its relay, and waits for the first audio.
    ///
    /// # Errors
    /// Why it did not take the listener.
    pub async fn open(
        seat: &Seat,
        routes: &Routes,
        request: &Request,
    ) -> Result<(Self, RelayHead), TurnedAway> {
        let relay = seat.relay();
        let addresses = routes.addresses(relay).ok_or(TurnedAway::Nowhere)?;
        // On the heap: it takes 8 KB, for milliseconds, and the answer is waited for much longer.
        let connected = Box::pin(routes.connect(seat.id(), relay, &addresses)).await;
        let (mut stream, address) =
            connected.map_err(|error| TurnedAway::Connect(cause(&error)))?;
        let basic = routes.basic(seat.id());
        let basic = basic.as_ref().map(ExposeSecret::expose_secret);
        let asked = request.head(&relay.url, seat.own_path(), basic);
        let answered = {
            let mut answer = pin!(audio_of(&mut stream, &asked, routes.answer_timeout()));
            match timeout(seat.slow_after(), &mut answer).await {
                Ok(answered) => answered,
                Err(_) => {
                    seat.note_not_serving(NO_AUDIO_IN_TIME);
                    routes.note_failure(relay, address);
                    answer.await
                }
            }
        };
        match &answered {
            Err(TurnedAway::Silent(_) | TurnedAway::HungUp) => routes.note_failure(relay, address),
            _ => routes.note_answer(relay, address),
        }
        let (head, early) = answered?;
        let link = Self::over(stream, early, &head)?;
        let address = Some(address);
        Ok((Self { address, ..link }, head))
    }

    /// A link over a connection on which the relay has said `head`, and `early` of the body with it.
    ///
    /// # Errors
    /// Its metadata cannot be told from its audio.
    pub(super) fn over(
        stream: Stream,
        early: BytesMut,
        head: &RelayHead,
    ) -> Result<Self, BadMetaint> {
        let now = Instant::now();
        Ok(Self {
            stream,
            address: None,
            early: if early.is_empty() {
                BytesMut::new()
            } else {
                early
            },
            metadata: MetadataBudget::default(),
            icy: head.metaint_bytes.map(IcyReader::new).transpose()?,
            metaint_bytes: head.metaint_bytes,
            pace: Pace::new(now, head.bytes_per_second()),
            watermark_bytes: 1,
            wakes_for_all: true,
            heard_at: now,
        })
    }

    /// The relay's address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// How fast it delivers.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Bytes of its audio between two metadata blocks; `None` when it has none.
    pub fn metaint_bytes(&self) -> Option<usize> {
        self.metaint_bytes
    }

    /// When the last bytes came.
    pub fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Lets each byte wake us from now on, as after the head, until [`Link::raise_watermark`].
    pub fn lower_watermark(&mut self) {
        self.wakes_for_all = true;
        self.set_watermark(1);
    }

    /// Lets larger pieces gather again.
    pub fn raise_watermark(&mut self) {
        self.wakes_for_all = false;
        self.adapt();
    }

    fn set_watermark(&mut self, bytes: usize) {
        if self.watermark_bytes != bytes {
            self.watermark_bytes = bytes;
            watermark::set(self.stream.id(), bytes);
        }
    }

    /// Reads audio into `room` and calls `each` with the titles in it and their places in this connection's audio;
    /// `Ok(0)` means that the relay ended the connection. A relay that sends more metadata than audio fails as one that
    /// resets the connection.
    pub fn poll_audio(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut [u8],
        mut each: impl FnMut(u64, Metadata),
    ) -> Poll<io::Result<usize>> {
        for _ in 0..READS_WITHOUT_AUDIO {
            let read = ready!(self.poll_body(cx, room))?;
            let Some(icy) = &mut self.icy else {
                return Poll::Ready(Ok(read));
            };
            let chunk = room.get_mut(..read).unwrap_or_default();
            let audio = icy.strip(chunk, &mut each);
            self.metadata
                .note(audio, read - audio)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            // A read may have brought nothing but metadata.
            if read == 0 || audio > 0 {
                return Poll::Ready(Ok(audio));
            }
        }
        // Others of this thread have their turn first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = if self.early.is_empty() {
            let mut buffer = ReadBuf::new(room);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            buffer.filled().len()
        } else {
            let read = room.len().min(self.early.len());
            self.early
                .copy_to_slice(room.get_mut(..read).unwrap_or_default());
            if self.early.is_empty() {
                // Its memory is not needed for the hours to come.
                self.early = BytesMut::new();
            }
            read
        };
        self.heard_at = Instant::now();
        self.pace.note(read, self.heard_at);
        self.adapt();
        Poll::Ready(Ok(read))
    }

    /// Waits for larger pieces once the pace is known.
    fn adapt(&mut self) {
        let wanted = self.pace.watermark_bytes(self.heard_at);
        // Small corrections are not worth a system call.
        if !self.wakes_for_all && wanted.abs_diff(self.watermark_bytes) * 4 > wanted {
            self.set_watermark(wanted);
        }
    }
}

/// Sends a request and reads the answer up to its first audio; with the head comes what followed it.
async fn audio_of(
    stream: &mut Stream,
    request: &[u8],
    limit: Duration,
) -> Result<(RelayHead, BytesMut), TurnedAway> {
    let until = tokio::time::Instant::now() + limit;
    let answer = timeout_at(until, ask(stream, request)).await;
    let (head, mut early) = answer.unwrap_or(Err(TurnedAway::Silent(limit)))?;
    if head.status != 200 {
        return Err(TurnedAway::Status(head.status));
    }
    let content_type = head.content_type.as_deref();
    if content_type.is_some_and(|text| !is_stream(text)) {
        return Err(TurnedAway::NotAStream);
    }
    let audio = timeout_at(until, first_audio(stream, &mut early)).await;
    audio.unwrap_or(Err(TurnedAway::NoAudioInTime(limit)))?;
    Ok((head, early))
}

/// Sends a request and reads the head of the answer; with it comes what followed it at once.
async fn ask(stream: &mut Stream, request: &[u8]) -> Result<(RelayHead, BytesMut), TurnedAway> {
    // ICECAST: a full server answers before it reads and then closes: what it said may still be read.
    let sent = async {
        stream.write_all(request).await?;
        stream.flush().await
    };
    let _ = sent.await;
    let mut read = BytesMut::with_capacity(2048);
    let head = loop {
        read_more(stream, &mut read).await?;
        if let Some((head, length)) = head::parse(&read)? {
            read.advance(length);
            break head;
        }
    };
    Ok((head, read))
}

/// Reads until so much has come that it can be audio.
async fn first_audio(stream: &mut Stream, read: &mut BytesMut) -> Result<(), TurnedAway> {
    while read.len() < FIRST_AUDIO_BYTES {
        read_more(stream, read)
            .await
            .map_err(|_| TurnedAway::NoAudio)?;
    }
    Ok(())
}

async fn read_more(stream: &mut Stream, read: &mut BytesMut) -> Result<(), TurnedAway> {
    match stream.read_buf(read).await {
        Ok(0) | Err(_) => Err(TurnedAway::HungUp),
        Ok(_) => Ok(()),
    }
}

/// Pingora's own words for it name the address twice.
///
/// PINGORA: (0.9.1) why a handshake failed stands in the context; its cause is only our own address.
fn cause(error: &pingora::Error) -> String {
    let kind = error.etype().as_str();
    match (error.etype(), &error.context, &error.cause) {
        (TLSHandshakeFailure, Some(context), _) => format!("{kind}: {}", context.as_str()),
        (_, _, Some(cause)) => format!("{kind}: {cause}"),
        _ => kind.to_owned(),
    }
}
