//! Joining: a relay that delivers, while the place is searched where a listener's stream goes on.
//!
//! In: its audio as it comes, and what the listener was sent. Out: a [`Landing`].

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep};

use super::Seam;
use super::carried::Carried;
use super::icy::Metadata;
use super::landing::{Cargo, Found, Landing};
use super::link::{Link, TurnedAway};
use super::ogg;
use super::pace::STEP_BYTES;
use super::scene::Scene;
use super::search::{PlainSearch, Spot};
use super::seats::Seat;

/// How long a relay that is behind is given to reach the joint.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long, where waiting cannot help: in a silence, and when the last audio is older than any burst.
const LITTLE_PATIENCE: Duration = Duration::from_millis(300);
const LONG_AGO: Duration = Duration::from_secs(8);

/// How long at most, for a relay whose burst seems never to end: live pieces may be as large as those of a burst.
const MOST_PATIENCE: Duration = Duration::from_secs(4);

/// How often one relay is read before the others have their turn: one may send without end.
const READS_IN_TURN: usize = 16;

/// ICECAST: a live stream comes in blocks of 1,400 bytes, a burst in whatever the socket holds; so long after the last such
/// piece it is over.
const BURST_PIECE_BYTES: usize = 4 * 1024;
const BURST_PAUSE: Duration = Duration::from_millis(150);

/// The most titles that are kept of a relay before the landing: more than any burst has.
const TITLE_LIMIT: usize = 64;

/// The most of a body that is searched: more than any burst-size that a default queue-size of 512 KiB allows.
const BODY_LIMIT_BYTES: usize = 768 * 1024;

/// A relay that delivers, while the joint is searched.
pub struct Joining {
    /// The place on the relay.
    pub seat: Seat,
    link: Link,
    body: Body,
    titles: Vec<(u64, Metadata)>,
    patience: Pin<Box<Sleep>>,
    began: Instant,
    /// When the last piece came that was larger than those of a live stream.
    burst_at: Instant,
    found: Option<Found>,
}

enum Body {
    Plain {
        audio: Vec<u8>,
        /// Nothing is searched for a listener who has had nothing.
        search: Option<Box<PlainSearch>>,
    },
    Ogg(Box<ogg::Approach>),
}

impl Joining {
    /// Begins to search in what `link` delivers.
    pub fn new(seat: Seat, link: Link, scene: &Scene<'_>) -> Self {
        let body = Body::of(scene.carried);
        let in_vain = match &body {
            Body::Plain { search, .. } => {
                search.as_ref().is_some_and(|search| search.is_in_silence())
            }
            Body::Ogg(_) => false,
        };
        let old = scene.elapsed() > LONG_AGO;
        let patience = if in_vain || old {
            LITTLE_PATIENCE
        } else {
            PATIENCE
        };
        Self {
            seat,
            link,
            body,
            titles: Vec::new(),
            patience: Box::pin(sleep(patience)),
            began: Instant::now(),
            burst_at: Instant::now(),
            found: None,
        }
    }

    /// Goes as far as it can; returns how well the relay fits once that is known.
    ///
    /// # Errors
    /// The relay ended the connection.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        scene: &Scene<'_>,
    ) -> Result<Option<Seam>, TurnedAway> {
        if !self.is_exact() {
            self.read(cx, scene)?;
        }
        if self.found.is_none() && self.patience.as_mut().poll(cx).is_ready() {
            self.end_patience(cx, scene)?;
        }
        Ok(self.found.as_ref().map(Found::seam))
    }

    /// Decides, but not while the burst is still under way: its end is what tells the time.
    fn end_patience(&mut self, cx: &mut Context<'_>, scene: &Scene<'_>) -> Result<(), TurnedAway> {
        let now = Instant::now();
        let mut again_at = self.burst_at + BURST_PAUSE;
        if again_at <= now || now >= self.began + MOST_PATIENCE {
            self.found = self.conclude(scene);
            if self.found.is_some() {
                return Ok(());
            }
            // A relay that says yes and then nothing is of no use to anybody.
            again_at = self.began + PATIENCE;
            if again_at <= now {
                let routes = &scene.voyage.routes;
                routes.note_silence(self.seat.relay(), &self.link);
                return Err(TurnedAway::Silent(PATIENCE));
            }
        }
        self.patience.as_mut().reset(again_at.into());
        if self.patience.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    fn is_exact(&self) -> bool {
        let seam = self.found.as_ref().map(Found::seam);
        seam == Some(Seam::Exact)
    }

    fn is_full(&self) -> bool {
        matches!(&self.body, Body::Plain { audio, .. } if audio.len() >= BODY_LIMIT_BYTES)
    }

    /// Takes what has come until the joint is found exactly: a landing that is not exact begins where the relay is by then.
    fn read(&mut self, cx: &mut Context<'_>, scene: &Scene<'_>) -> Result<(), TurnedAway> {
        let mut room = [0; STEP_BYTES];
        for _ in 0..READS_IN_TURN {
            if self.is_exact() || self.is_full() {
                return Ok(());
            }
            let titles = &mut self.titles;
            let each = |place, title| {
                if titles.len() >= TITLE_LIMIT {
                    titles.remove(0);
                }
                titles.push((place, title));
            };
            let Poll::Ready(read) = self.link.poll_audio(cx, &mut room, each) else {
                return Ok(());
            };
            match read {
                Ok(0) | Err(_) => return Err(TurnedAway::HungUp),
                Ok(read) => self.take(room.get(..read).unwrap_or_default(), scene),
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    fn take(&mut self, piece: &[u8], scene: &Scene<'_>) {
        if piece.len() >= BURST_PIECE_BYTES {
            self.burst_at = Instant::now();
        }
        let blind = matches!(&self.body, Body::Plain { search: None, .. });
        if blind && !matches!(scene.carried, Carried::Nothing) {
            // The relay that he is on brought its first audio meanwhile.
            self.body = Body::of(scene.carried);
        }
        let before = self.found.take();
        match (&mut self.body, scene.carried) {
            (Body::Plain { audio, search }, Carried::Plain(sent)) => {
                audio.extend_from_slice(piece);
                let spot = search
                    .as_mut()
                    .and_then(|search| search.look(sent, audio, scene.clock()));
                self.found = spot.map(Found::Spot);
                if self.found.is_none() && audio.len() >= BODY_LIMIT_BYTES {
                    self.found = self.conclude(scene);
                }
            }
            (Body::Ogg(approach), Carried::Ogg(sent)) => {
                approach.push(piece);
                let found = Found::page(sent.joint(approach));
                // A guess waits for something better.
                self.found = found.filter(|found| found.seam() != Seam::Guessed);
            }
            (Body::Plain { audio, .. }, _) => {
                audio.extend_from_slice(piece);
                self.found = Some(Found::Spot(Spot {
                    place: 0,
                    seam: Seam::Exact,
                }));
            }
            (Body::Ogg(_), _) => {}
        }
        self.found = self.found.or(before);
    }

    /// Decides with what is there; `None` when nothing came at all.
    fn conclude(&self, scene: &Scene<'_>) -> Option<Found> {
        match (&self.body, scene.carried) {
            (
                Body::Plain {
                    audio,
                    search: Some(search),
                },
                Carried::Plain(sent),
            ) if !audio.is_empty() => {
                Some(Found::Spot(search.conclude(sent, audio, scene.clock())))
            }
            (Body::Ogg(approach), Carried::Ogg(sent)) if approach.pages() > 0 => {
                let recent = Found::Page {
                    resume: approach.recent(scene.clock().missed_bytes()),
                    seam: Seam::Audible,
                };
                Found::page(sent.joint(approach)).or(Some(recent))
            }
            _ => None,
        }
    }

    /// Lands; `None` while the joint is not found. An exact one is landed on in the poll that found it; one that waited for
    /// better is found anew, as both relays went on meanwhile.
    pub fn land(self, scene: &Scene<'_>) -> Option<Landing> {
        let found = match self.is_exact() {
            true => self.found,
            false => self.conclude(scene).or(self.found),
        };
        let (cargo, seam) = match (self.body, found?) {
            (Body::Plain { audio, .. }, Found::Spot(Spot { place, seam })) => {
                (Cargo::Plain { audio, place }, seam)
            }
            (Body::Ogg(approach), Found::Page { resume, seam }) => {
                (Cargo::Ogg { approach, resume }, seam)
            }
            _ => return None,
        };
        Some(Landing {
            seat: self.seat,
            link: self.link,
            seam,
            cargo,
            titles: self.titles,
        })
    }
}

impl Body {
    fn of(carried: &Carried) -> Self {
        match carried {
            Carried::Ogg(_) => Body::Ogg(Box::default()),
            Carried::Plain(plain) => Body::Plain {
                audio: Vec::new(),
                search: Some(Box::new(PlainSearch::new(plain, BODY_LIMIT_BYTES))),
            },
            Carried::Nothing => Body::Plain {
                audio: Vec::new(),
                search: None,
            },
        }
    }
}
