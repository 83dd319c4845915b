//! Silence: how long the current relay has said nothing, and when that is too long.
//!
//! Half-way, whatever waits below the watermark is taken: it is passed on, but it is no sign of life, as it came before. From
//! then on each byte wakes us, so a quiet passage is told from a dead relay.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep};

use super::link::Link;

/// After the watermark is lowered, how long bytes that had been waiting may take to reach us.
const LAST_LOOK: Duration = Duration::from_millis(50);

/// The silence of one stream's current relay.
#[derive(Debug)]
pub struct Silence {
    timer: Pin<Box<Sleep>>,
    /// When, in the present silence, the watermark was lowered.
    looked_at: Option<Instant>,
    /// Landings that brought no audio.
    barren_landings: u32,
    /// The silence after which another relay is asked; `None` follows the pace.
    limit: Option<Duration>,
}

impl Silence {
    /// The silence on `link`, which is too long after `limit`, or after what its pace says.
    pub fn on(link: &mut Link, limit: Option<Duration>) -> Self {
        let mut silence = Self {
            timer: Box::pin(sleep(Duration::ZERO)),
            looked_at: None,
            barren_landings: 0,
            limit,
        };
        link.raise_watermark();
        silence.begin(link);
        silence
    }

    /// Notes that bytes came; returns whether they are a sign of life.
    pub fn note_bytes(&mut self, link: &mut Link) -> bool {
        let waited = |at: Instant| link.heard_at() < at + LAST_LOOK;
        if self.looked_at.is_some_and(waited) {
            return false;
        }
        self.barren_landings = 0;
        self.begin(link);
        true
    }

    /// Notes that another relay is listened to, which has brought nothing yet.
    pub fn note_landing(&mut self, link: &mut Link) {
        self.barren_landings = self.barren_landings.saturating_add(1);
        self.looked_at = None;
        link.raise_watermark();
        self.begin(link);
    }

    /// How many relays in a row were landed on that have brought nothing.
    pub fn barren_landings(&self) -> u32 {
        self.barren_landings
    }

    fn begin(&mut self, link: &mut Link) {
        if self.looked_at.take().is_some() {
            link.raise_watermark();
        }
        self.wait_until(link.heard_at() + self.too_long(link) / 2);
    }

    fn too_long(&self, link: &Link) -> Duration {
        let by_pace = || link.pace().stall_after(link.heard_at());
        // Where every relay is silent, as behind a source that hangs, they are not asked in turn without end.
        let patience = 2_u32.saturating_pow(self.barren_landings.min(4));
        self.limit.unwrap_or_else(by_pace) * patience
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.timer.as_mut().reset(deadline.into());
    }

    /// Ready when it is too long.
    pub fn poll(&mut self, cx: &mut Context<'_>, link: &mut Link) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.looked_at.is_some() {
                return Poll::Ready(());
            }
            let now = Instant::now();
            self.looked_at = Some(now);
            link.lower_watermark();
            let end = link.heard_at() + self.too_long(link);
            self.wait_until(end.max(now + LAST_LOOK));
        }
    }
}
