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
use super::crossing::{Crossed, Crossing, Why};
use super::delivery::Delivery;
use super::icy::Metadata;
use super::landing::Landing;
use super::link::Link;
use super::outlet::Outlet;
use super::pace::{BURST_TIME, STEP_BYTES};
use super::scene::{Scene, Voyage};
use super::seats::Seat;
use super::silence::Silence;
use super::streams::Aboard;
use crate::fleet::RelayId;

/// A crossing gets so long, however old the listener's last byte is: one who reads slowly has old bytes.
const LEAST_HOLD: Duration = Duration::from_secs(5);

/// After nobody could take a listener who was asked to move, how long he stays where he is.
const STAY: Duration = Duration::from_secs(5);

/// A relay that still delivers after this time does so beyond its burst: it serves the mount.
const PROVEN_AFTER: Duration = Duration::from_secs(5);

/// A relay that delivers for so long after another one fell silent is not in the same trouble.
const PLAYS_ON: Duration = Duration::from_secs(1);

/// Time after which a relay's burst is over for certain; what comes later is live.
const LIVE_AFTER: Duration = Duration::from_secs(1);

/// Bytes in a second of the leanest station.
const LEAST_RATE: u64 = 2_000;

/// A relay that was left because it delivered nothing, or hardly anything: the next one shows whether its source did.
#[derive(Debug)]
struct LeftRelay {
    relay: RelayId,
    reason: &'static str,
    /// When another one was joined.
    at: Instant,
    /// Audio of the time without a byte, at the pace of the stream.
    missed_bytes: usize,
    /// Audio that the other one had at once.
    had_bytes: usize,
}

/// One listener's audio.
pub struct RelayStream {
    voyage: Voyage,
    aboard: Aboard,
    seat: Option<Seat>,
    link: Option<Link>,
    delivery: Delivery,
    heard_at: Instant,
    bytes_per_second: Option<u64>,
    crossing: Option<Box<Crossing>>,
    silence: Silence,
    /// While he hears nothing: until when he is kept.
    kept_until: Option<Instant>,
    /// Until when he is not to be moved by a wish.
    stays_until: Option<Instant>,
    /// When the current relay's stream began, until it is known to serve the mount.
    unproven_since: Option<Instant>,
    /// Audio of an unproven relay behind its burst.
    behind_burst_bytes: usize,
    /// Audio that a slow relay lacked behind its burst; a stream looks for another one for that reason once.
    slow_by_bytes: Option<usize>,
    /// The relay that was left last, until the next one has shown whether it was at fault.
    left_relay: Option<LeftRelay>,
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
            delivery: Delivery::by(outlet),
            crossing: None,
            kept_until: None,
            stays_until: None,
            unproven_since: Some(Instant::now()),
            behind_burst_bytes: 0,
            slow_by_bytes: None,
            left_relay: None,
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
            if self.delivery.pour(room) {
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
        let length = room.remaining().min(STEP_BYTES);
        let read = ready!(link.poll_audio(cx, room.initialize_unfilled_to(length), each));
        if let Ok(bytes) = read {
            self.delivery.take(room, bytes, titles);
        }
        match read {
            // What comes makes no pages, and nothing says that it ever will.
            Ok(1..) if self.delivery.is_fruitless() => self.lose_link(),
            Ok(bytes @ 1..) => self.note_heard(bytes),
            Ok(0) | Err(_) => self.lose_link(),
        }
        Poll::Ready(())
    }

    fn note_heard(&mut self, bytes: usize) {
        self.aboard.note_bytes(bytes);
        let Some(link) = &mut self.link else { return };
        if !self.silence.note_bytes(link) {
            return;
        }
        self.heard_at = link.heard_at();
        self.kept_until = None;
        // A relay that was just landed on does not know its pace yet; the last one did.
        let pace = link.pace().bytes_per_second(self.heard_at);
        self.bytes_per_second = pace.or(self.bytes_per_second);
        self.judge_left(bytes);
        self.judge_unproven(bytes);
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
        if self.unproven_since.is_some() {
            self.note_not_serving("closed after a burst");
        }
        let until = self.keep();
        match &mut self.crossing {
            Some(crossing) => crossing.must_land(until),
            None => self.cross(Why::Lost),
        }
    }

    /// Notes once that the current relay answered for the mount and does not serve it.
    fn note_not_serving(&mut self, reason: &'static str) {
        self.unproven_since = None;
        self.seat
            .iter()
            .for_each(|seat| seat.note_not_serving(reason));
    }

    /// Judges a relay whose stream began a short while ago by what it delivers behind its burst.
    fn judge_unproven(&mut self, bytes: usize) {
        let Some(since) = self.unproven_since else {
            return;
        };
        let age = self.heard_at.saturating_duration_since(since);
        if age < LIVE_AFTER {
            return;
        }
        self.behind_burst_bytes += bytes;
        if age < PROVEN_AFTER {
            return;
        }
        self.unproven_since = None;
        let live = age - LIVE_AFTER;
        // The measured pace of a trickle is the trickle's.
        let announced = self.link.as_ref().and_then(|link| link.pace().announced());
        let rate = self.bytes_per_second.max(announced).unwrap_or_default();
        let rate = rate.max(LEAST_RATE);
        let due = u128::from(rate) * live.as_millis() / 1_000;
        let due = usize::try_from(due).unwrap_or(usize::MAX);
        if self.behind_burst_bytes >= due / 10 {
            self.seat.iter().for_each(Seat::note_serving);
        } else if self.crossing.is_none() && self.slow_by_bytes.is_none() {
            // Quiet FLAC is as little. Then another relay has no more either, and is joined at the next byte.
            self.slow_by_bytes = Some(due - self.behind_burst_bytes);
            self.cross(Why::Slow);
        }
    }

    /// Once another relay has played on for a moment where one was silent, the source was not at fault.
    fn judge_left(&mut self, bytes: usize) {
        let Some(left) = &mut self.left_relay else {
            return;
        };
        if self.heard_at < left.at + BURST_TIME {
            left.had_bytes += bytes;
        }
        if self.heard_at < left.at + PLAYS_ON {
            return;
        }
        // Behind a source that was silent itself, the other relay had nothing either that the listener lacked.
        if left.had_bytes > left.missed_bytes / 2 {
            let (seats, mount) = (&self.voyage.seats, &self.voyage.mount);
            seats.note_not_serving(left.relay, mount, left.reason);
        }
        self.left_relay = None;
    }

    fn cross(&mut self, why: Why) {
        let from = self.seat.as_ref();
        if let (Why::Stalled, Some(seat), Some(link)) = (why, from, &self.link) {
            self.voyage.routes.note_silence(seat.relay(), link);
        }
        if !why.is_wish() {
            from.inspect(|seat| seat.note_trouble());
        }
        let from = from.map(Seat::id);
        let until = if why.is_wish() {
            Instant::now()
        } else {
            self.keep()
        };
        let landings = self.silence.barren_landings();
        self.crossing = Some(Box::new(Crossing::begin(why, from, until, landings)));
    }

    /// Until when he is kept: the same for all crossings until he hears something again.
    fn keep(&mut self) -> Instant {
        let hold = self.voyage.hold;
        let least = Instant::now() + LEAST_HOLD.min(hold);
        *self
            .kept_until
            .get_or_insert((self.heard_at + hold).max(least))
    }

    fn poll_crossing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(mut crossing) = self.crossing.take() else {
            return Poll::Ready(Ok(()));
        };
        let Poll::Ready(crossed) = crossing.poll(cx, &self.scene()) else {
            self.crossing = Some(crossing);
            return Poll::Pending;
        };
        let why = crossing.why();
        match crossed {
            Crossed::Landed(landing) => {
                self.land(*landing, why);
                Poll::Ready(Ok(()))
            }
            Crossed::GaveUp if why.is_wish() => {
                if why == Why::Asked {
                    self.aboard.berth().note_moved();
                }
                self.stays_until = Some(Instant::now() + STAY);
                Poll::Ready(Ok(()))
            }
            Crossed::GaveUp => {
                self.aboard.note_given_up();
                Poll::Ready(Err(io::Error::other("no relay could take over")))
            }
        }
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            voyage: &self.voyage,
            carried: self.delivery.carried(),
            heard_at: self.heard_at,
            bytes_per_second: self.bytes_per_second,
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
        let metaint_bytes = link.metaint_bytes();
        let left = self
            .seat
            .as_ref()
            .map(Seat::id)
            .filter(|left| *left != seat.id());
        let missed_bytes = match (why, self.slow_by_bytes) {
            (Why::Slow, Some(bytes)) => bytes,
            _ => self.scene().clock().missed_bytes(),
        };
        self.seat = Some(seat);
        self.unproven_since = Some(Instant::now());
        self.behind_burst_bytes = 0;
        self.link = Some(link);
        let sent_bytes = self.delivery.land(cargo, seam, titles, metaint_bytes);
        let reason = match why {
            Why::Stalled => Some("silent while another relay plays on"),
            Why::Slow => Some("hardly anything while another relay plays on"),
            Why::Lost | Why::Asked => None,
        };
        self.left_relay = left.zip(reason).map(|(relay, reason)| LeftRelay {
            relay,
            reason,
            at: Instant::now(),
            missed_bytes,
            had_bytes: 0,
        });
        if sent_bytes > 0 {
            self.note_heard(sent_bytes);
        }
    }
}
