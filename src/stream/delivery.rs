//! Delivery: the current relay's audio on its way to the listener, without what he has already. Pure.

use tokio::io::ReadBuf;

use super::Seam;
use super::carried::{Carried, collected};
use super::icy::Metadata;
use super::landing::Cargo;
use super::ogg;
use super::outlet::Outlet;

/// Titles, and their places in the relay's audio.
type Titles = Vec<(u64, Metadata)>;

/// What one listener is given.
#[derive(Debug)]
pub struct Delivery {
    carried: Carried,
    outlet: Outlet,
    /// Audio of the current relay that the listener has already: a relay that was landed on is behind.
    skip_bytes: u64,
    /// What came of the current relay since anything of it could be sent.
    fruitless_bytes: usize,
}

impl Delivery {
    /// A delivery by `outlet`, of which nothing was sent yet.
    pub fn by(outlet: Outlet) -> Self {
        Self {
            carried: Carried::Nothing,
            outlet,
            skip_bytes: 0,
            fruitless_bytes: 0,
        }
    }

    /// What was sent.
    pub fn carried(&self) -> &Carried {
        &self.carried
    }

    /// Whether so much came that makes no pages that nothing says it ever will.
    pub fn is_fruitless(&self) -> bool {
        self.fruitless_bytes > ogg::MAX_PAGE_BYTES
    }

    /// Puts what waits into `room`; returns whether there was any.
    pub fn pour(&mut self, room: &mut ReadBuf<'_>) -> bool {
        self.outlet.pour(room)
    }

    /// Takes so many bytes of audio that were read into the unfilled part of `room`, where they stay if they can go out as
    /// they are.
    pub fn take(&mut self, room: &mut ReadBuf<'_>, bytes: usize, titles: Titles) {
        let audio = room.initialize_unfilled_to(bytes);
        match &mut self.carried {
            Carried::Plain(plain) if self.skip_bytes == 0 && self.outlet.is_direct() => {
                plain.note(audio);
                room.advance(bytes);
            }
            _ => self.take_apart(audio, titles),
        }
    }

    fn take_apart(&mut self, audio: &[u8], titles: Titles) {
        let skip = self.skip_bytes.min(audio.len() as u64);
        self.skip_bytes -= skip;
        self.outlet.skip(skip);
        let skip = usize::try_from(skip).unwrap_or(audio.len());
        let sent = collected(&mut self.carried, audio.get(skip..).unwrap_or_default());
        self.fruitless_bytes = match sent.is_empty() && skip == 0 {
            true => self.fruitless_bytes.saturating_add(audio.len()),
            false => 0,
        };
        self.outlet.push(sent, titles);
    }

    /// Goes on with what another relay brought before the landing, whose metadata come every `metaint_bytes`; returns how
    /// much of it goes out.
    pub fn land(
        &mut self,
        cargo: Cargo,
        seam: Seam,
        titles: Titles,
        metaint_bytes: Option<usize>,
    ) -> usize {
        self.fruitless_bytes = 0;
        match cargo {
            Cargo::Plain { audio, place } => {
                if let (Seam::Audible, Carried::Plain(plain)) = (seam, &mut self.carried) {
                    plain.forget();
                }
                self.land_plain(&audio, place, titles, metaint_bytes)
            }
            Cargo::Ogg { approach, resume } => self.land_ogg(*approach, resume, seam),
        }
    }

    fn land_plain(
        &mut self,
        audio: &[u8],
        place: u64,
        titles: Titles,
        metaint_bytes: Option<usize>,
    ) -> usize {
        let from = usize::try_from(place)
            .unwrap_or(usize::MAX)
            .min(audio.len());
        self.skip_bytes = place - from as u64;
        let (before, titles) = titles.into_iter().partition(|(at, _)| *at <= place);
        self.outlet.join(from as u64, place, before, metaint_bytes);
        let rest = audio.get(from..).unwrap_or_default();
        let sent = collected(&mut self.carried, rest);
        self.outlet.push(sent, titles);
        rest.len()
    }

    fn land_ogg(&mut self, approach: ogg::Approach, resume: usize, seam: Seam) -> usize {
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
