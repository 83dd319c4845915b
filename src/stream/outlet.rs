//! The outlet: what goes out to one listener next: the head, then audio with his own metadata in it.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use tokio::io::ReadBuf;

use super::icy::{IcyWriter, Metadata};
use super::pace::STEP_BYTES;

/// What waits to go out. It holds one relay's burst at most: who fills it empties it before he reads on.
#[derive(Debug)]
pub struct Outlet {
    waiting: VecDeque<Bytes>,
    titles: Option<IcyWriter>,
    /// The place in the current relay's audio of the next byte that is pushed.
    place: u64,
}

impl Outlet {
    /// An outlet that begins with `head` and puts titles between the audio where `titles` says so.
    pub fn new(head: Vec<u8>, titles: Option<IcyWriter>) -> Self {
        Self {
            waiting: VecDeque::from([head.into()]),
            titles,
            place: 0,
        }
    }

    /// Whether audio may go past it, unchanged.
    pub fn is_direct(&self) -> bool {
        self.waiting.is_empty() && self.titles.is_none()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Goes on at another place, of another relay's audio.
    pub fn go_to(&mut self, place: u64) {
        self.place = place;
    }

    /// Leaves out so much of the relay's audio.
    pub fn skip(&mut self, bytes: u64) {
        self.place += bytes;
    }

    /// Takes the relay's next audio, with the titles up to its end and their places in the relay's audio.
    ///
    /// A title of before the audio holds from its first byte on: who joins a relay hears what is on.
    pub fn push(&mut self, audio: Bytes, titles: Vec<(u64, Metadata)>) {
        let start = self.place;
        self.place += audio.len() as u64;
        let Some(writer) = &mut self.titles else {
            self.wait(audio);
            return;
        };
        let mut out = Vec::with_capacity(audio.len() + 64);
        let mut rest = &audio[..];
        let mut at = start;
        for (place, title) in titles {
            let step = usize::try_from(place.saturating_sub(at)).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(step.min(rest.len()));
            writer.write(now, |piece| out.extend_from_slice(piece));
            at += now.len() as u64;
            rest = later;
            writer.set(&title);
        }
        writer.write(rest, |piece| out.extend_from_slice(piece));
        self.wait(out.into());
    }

    fn wait(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.waiting.push_back(bytes);
        }
    }

    /// Puts a step of what waits into `room`; returns whether there was any.
    pub fn pour(&mut self, room: &mut ReadBuf<'_>) -> bool {
        let before = room.filled().len();
        while let Some(bytes) = self.waiting.front_mut() {
            let poured = room.filled().len() - before;
            let fit = bytes.len().min(room.remaining()).min(STEP_BYTES - poured);
            if fit == 0 {
                break;
            }
            room.put_slice(bytes.get(..fit).unwrap_or_default());
            bytes.advance(fit);
            if bytes.is_empty() {
                self.waiting.pop_front();
            }
        }
        if self.waiting.is_empty() && self.waiting.capacity() > 0 {
            self.waiting = VecDeque::new();
        }
        room.filled().len() > before
    }
}
