//! The outlet: what goes out to one listener next: audio with his own metadata in it.

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
    /// A title of before the joint, and where it is confirmed unless another comes until then.
    hearsay: Option<(u64, Metadata)>,
}

impl Outlet {
    /// An outlet that puts titles between the audio where `titles` says so.
    pub fn new(titles: Option<IcyWriter>) -> Self {
        Self {
            waiting: VecDeque::new(),
            titles,
            place: 0,
            hearsay: None,
        }
    }

    /// Whether audio may go past it, unchanged.
    pub fn is_direct(&self) -> bool {
        self.waiting.is_empty() && self.titles.is_none()
    }

    /// Goes on at `place` of another relay's audio, in the middle of what it announced `before` the `joint`.
    ///
    /// ICECAST: each connection has blocks at places of its own, every `metaint_bytes`. What was announced last before the
    /// joint may be older than what the listener knows; the first block behind it tells, by a title or by saying nothing.
    pub fn join(
        &mut self,
        place: u64,
        joint: u64,
        mut before: Vec<(u64, Metadata)>,
        metaint_bytes: Option<usize>,
    ) {
        self.place = place;
        let interval = metaint_bytes.map_or(1, |bytes| bytes.max(1) as u64);
        let next_block = joint.next_multiple_of(interval);
        self.hearsay = before.pop().map(|(_, title)| (next_block, title));
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
        let titles = self.with_hearsay(titles);
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

    /// Puts the title of before the joint among those behind it once nothing contradicts it.
    fn with_hearsay(&mut self, mut titles: Vec<(u64, Metadata)>) -> Vec<(u64, Metadata)> {
        let told = titles.first().map(|(at, _)| *at);
        match self.hearsay.take() {
            Some((at, _)) if told.is_some_and(|told| told <= at) => {}
            Some((at, title)) if at <= self.place => titles.insert(0, (at, title)),
            undecided => self.hearsay = undecided,
        }
        titles
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

#[cfg(test)]
mod tests {
    use super::*;

    const METAINT: usize = 100;

    fn outlet() -> Outlet {
        Outlet::new(IcyWriter::new(METAINT).ok())
    }

    fn title(text: &str) -> Metadata {
        Metadata::from_title(text)
    }

    fn audio(bytes: usize) -> Bytes {
        vec![b'.'; bytes].into()
    }

    /// The titles that a listener reads in what waits.
    fn told(outlet: &mut Outlet) -> Vec<String> {
        let bytes: Vec<u8> = outlet.waiting.drain(..).flatten().collect();
        let text = String::from_utf8(bytes).unwrap();
        let titles = text.split("StreamTitle='").skip(1);
        titles
            .map(|rest| rest.split("';").next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn an_old_title_of_the_next_relay_is_not_told_again() {
        let mut outlet = outlet();
        outlet.push(audio(250), vec![(0, title("one")), (150, title("two"))]);
        assert_eq!(told(&mut outlet), ["one", "two"]);
        outlet.join(430, 430, vec![(400, title("one"))], Some(METAINT));
        outlet.push(audio(50), Vec::new());
        outlet.push(audio(400), vec![(500, title("two")), (600, title("three"))]);
        assert_eq!(told(&mut outlet), ["three"]);
    }

    #[test]
    fn a_title_that_changed_between_two_relays_is_told() {
        let mut outlet = outlet();
        outlet.push(audio(150), vec![(0, title("one"))]);
        assert_eq!(told(&mut outlet), ["one"]);
        outlet.join(
            430,
            430,
            vec![(300, title("one")), (400, title("two"))],
            Some(METAINT),
        );
        outlet.push(audio(60), Vec::new());
        assert_eq!(
            told(&mut outlet),
            [""; 0],
            "the next block may say otherwise"
        );
        outlet.push(audio(200), Vec::new());
        assert_eq!(told(&mut outlet), ["two"]);
    }
}
