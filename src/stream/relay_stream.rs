//! The endless stream: one listener's audio, taken from whichever relay lives.
//!
//! In: a link to the first relay. Out: bytes, until the listener leaves or no relay could take him for the time of `hold`;
//! then an error, never an end: whoever passes them on must not make a clean end of it.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use log::debug;
use tokio::io::ReadBuf;

use super::Seam;
use super::carried::{Carried, collected};
use super::crossing::{Crossed, Crossing, Why};
use super::icy::Metadata;
use super::joining::{Cargo, Landing};
use super::link::Link;
use super::ogg;
use super::outlet::Outlet;
use super::pace::STEP_BYTES;
use super::scene::{Scene, Voyage};
use super::seats::Seat;
use super::silence::Silence;
use super::streams::Aboard;

/// A crossing gets so long, however old the listener's last byte is: one who reads slowly has old bytes.
const LEAST_HOLD: Duration = Duration::from_secs(5);

/// After nobody could take a listener who was asked to move, how long he stays where he is.
const STAY: Duration = Duration::from_secs(5);

/// One listener's audio.
pub struct RelayStream {
    voyage: Voyage,
    aboard: Aboard,
    seat: Option<Seat>,
    link: Option<Link>,
    carried: Carried,
    outlet: Outlet,
    /// Audio of the current relay that the listener has already: a relay that was landed on is behind.
    skip_bytes: u64,
    heard_at: Instant,
    bytes_per_second: Option<u64>,
    crossing: Option<Box<Crossing>>,
    silence: Silence,
    /// Until when he is not to be moved by a wish.
    stays_until: Option<Instant>,
}

impl std::fmt::Debug for RelayStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RelayStream({})", self.voyage.mount)
    }
}

impl RelayStream {
    /// The stream that begins on `seat` over `link`, and goes out by `outlet`.
    pub fn new(voyage: Voyage, aboard: Aboard, seat: Seat, mut link: Link, outlet: Outlet) -> Self {
        Self {
            heard_at: link.heard_at(),
            bytes_per_second: None,
            silence: Silence::on(&mut link, voyage.stall_timeout),
            voyage,
            aboard,
            seat: Some(seat),
            link: Some(link),
            carried: Carried::Nothing,
            outlet,
            skip_bytes: 0,
            crossing: None,
            stays_until: None,
        }
    }

    /// Reads what comes next for the listener.
    ///
    /// # Errors
    /// No relay could take him in time.
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.outlet.pour(room) {
                return Poll::Ready(Ok(()));
            }
            if self.crossing.is_none() && self.is_asked_to_move() {
                self.cross(Why::Asked);
            }
            if self.poll_link(cx, room).is_ready() {
                if !room.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
            } else if self.crossing.is_some() {
                ready!(self.poll_crossing(cx))?;
            } else {
                ready!(self.poll_silence(cx));
            }
        }
    }

    /// Whether he is asked to move, and did not try in vain a short while ago.
    fn is_asked_to_move(&self) -> bool {
        let rested = || self.stays_until.is_none_or(|until| until <= Instant::now());
        self.aboard.berth().is_asked_to_move() && rested()
    }

    /// Takes audio of the current relay; ready when there was something, an end too.
    fn poll_link(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<()> {
        let Some(link) = &mut self.link else {
            return Poll::Pending;
        };
        let mut titles = Vec::new();
        let each = |place, title: Metadata| titles.push((place, title));
        let direct = self.skip_bytes == 0 && self.outlet.is_direct();
        let length = room.remaining().min(STEP_BYTES);
        let unfilled = room.initialize_unfilled_to(length);
        let read = ready!(link.poll_audio(cx, unfilled, each));
        let audio = read.as_ref().map_or(0, |read| *read);
        let audio = unfilled.get(..audio).unwrap_or_default();
        match &mut self.carried {
            Carried::Plain(plain) if direct => {
                plain.note(audio);
                let length = audio.len();
                room.advance(length);
            }
            _ => self.take(audio, titles),
        }
        match read {
            Ok(1..) => self.note_heard(read.unwrap_or_default()),
            Ok(0) | Err(_) => self.lose_link(),
        }
        Poll::Ready(())
    }

    /// Passes audio and titles on, without what the listener has already.
    fn take(&mut self, audio: &[u8], titles: Vec<(u64, Metadata)>) {
        let skip = self.skip_bytes.min(audio.len() as u64);
        self.skip_bytes -= skip;
        self.outlet.skip(skip);
        let skip = usize::try_from(skip).unwrap_or(audio.len());
        let sent = collected(&mut self.carried, audio.get(skip..).unwrap_or_default());
        self.outlet.push(sent, titles);
    }

    fn note_heard(&mut self, bytes: usize) {
        self.aboard.note_bytes(bytes);
        let Some(link) = &mut self.link else { return };
        if !self.silence.note_bytes(link) {
            return;
        }
        self.heard_at = link.heard_at();
        self.bytes_per_second = link.pace().bytes_per_second(self.heard_at);
        // The silent relay goes on: nobody else is needed.
        let stalled = |crossing: &Crossing| crossing.why() == Why::Stalled;
        if self.crossing.as_deref().is_some_and(stalled) {
            self.crossing = None;
        }
    }

    /// Waits until the current relay has been silent for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(link) = &mut self.link {
            ready!(self.silence.poll(cx, link));
        }
        self.cross(Why::Stalled);
        Poll::Ready(())
    }

    fn lose_link(&mut self) {
        self.link = None;
        match &mut self.crossing {
            Some(crossing) => crossing.must_land(),
            None => self.cross(Why::Lost),
        }
    }

    fn cross(&mut self, why: Why) {
        let from = self.seat.as_ref();
        if why != Why::Asked {
            from.inspect(|seat| seat.note_trouble());
        }
        let now = Instant::now();
        let until = (self.heard_at + self.voyage.hold).max(now + LEAST_HOLD.min(self.voyage.hold));
        self.crossing = Some(Box::new(Crossing::begin(why, from.map(Seat::id), until)));
    }

    fn poll_crossing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(crossing) = &mut self.crossing else {
            return Poll::Ready(Ok(()));
        };
        let scene = Scene {
            voyage: &self.voyage,
            carried: &self.carried,
            heard_at: self.heard_at,
            bytes_per_second: self.bytes_per_second,
        };
        let crossed = ready!(crossing.poll(cx, &scene));
        let why = crossing.why();
        self.crossing = None;
        match crossed {
            Crossed::Landed(landing) => {
                self.land(*landing, why);
                Poll::Ready(Ok(()))
            }
            Crossed::GaveUp if why == Why::Asked => {
                self.aboard.berth().note_moved();
                self.stays_until = Some(Instant::now() + STAY);
                Poll::Ready(Ok(()))
            }
            Crossed::GaveUp => {
                self.aboard.note_given_up();
                Poll::Ready(Err(io::Error::other("no relay could take over")))
            }
        }
    }

    fn log_seam(&self, why: Why, to: &Seat, seam: Seam) {
        let from = self.seat.as_ref().map(|seat| seat.relay().name.as_str());
        debug!(
            "{}: {} {}, goes on at {}: {seam} seam after {} ms",
            self.voyage.mount,
            why.as_str(),
            from.unwrap_or_default(),
            to.relay().name,
            self.heard_at.elapsed().as_millis()
        );
    }

    /// Makes the seam.
    fn land(&mut self, landing: Landing, why: Why) {
        let Landing {
            seat,
            mut link,
            seam,
            cargo,
            titles,
        } = landing;
        self.log_seam(why, &seat, seam);
        self.aboard.note_seam(seam, seat.id(), seat.relay());
        self.silence.note_landing(&mut link);
        self.seat = Some(seat);
        self.link = Some(link);
        let sent_bytes = match cargo {
            Cargo::Plain { audio, place } => self.unload_plain(&audio, place, seam, titles),
            Cargo::Ogg { approach, resume } => self.unload_ogg(*approach, resume, seam),
        };
        if sent_bytes > 0 {
            self.note_heard(sent_bytes);
        }
    }

    fn unload_plain(
        &mut self,
        audio: &[u8],
        place: u64,
        seam: Seam,
        titles: Vec<(u64, Metadata)>,
    ) -> usize {
        if let (Seam::Audible, Carried::Plain(plain)) = (seam, &mut self.carried) {
            plain.forget();
        }
        let from = usize::try_from(place)
            .unwrap_or(usize::MAX)
            .min(audio.len());
        self.skip_bytes = place - from as u64;
        let (before, titles) = titles.into_iter().partition(|(at, _)| *at <= place);
        let metaint = self.link.as_ref().and_then(Link::metaint_bytes);
        self.outlet.join(from as u64, place, before, metaint);
        let rest = audio.get(from..).unwrap_or_default();
        let sent = collected(&mut self.carried, rest);
        self.outlet.push(sent, titles);
        rest.len()
    }

    fn unload_ogg(&mut self, approach: ogg::Approach, resume: usize, seam: Seam) -> usize {
        let Carried::Ogg(ogg) = &mut self.carried else {
            return 0;
        };
        let pages = match seam {
            Seam::Audible => ogg.restart(approach, resume),
            Seam::Exact | Seam::Guessed => ogg.splice(approach, resume),
        };
        let mut sent_bytes = 0;
        for page in pages {
            sent_bytes += page.bytes.len();
            self.outlet.push(page.bytes, Vec::new());
        }
        sent_bytes
    }
}
