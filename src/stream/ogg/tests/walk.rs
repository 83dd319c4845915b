//! A listener who crosses from relay to relay at random, over a programme of several chains.

use super::made::opus;
use super::*;

const CHAINS: usize = 4;

/// A programme as one relay has it: each page, and which chain it belongs to.
type View = Vec<(usize, Vec<u8>)>;

/// The programme of chains with so many pages of audio. Each relay has serials of its own, the same few as an unseeded
/// `rand()` gives them, and sequence numbers that leap behind the headers.
fn view(audio_pages: &[usize], random: &mut fastrand::Rng) -> View {
    let (leap, mut serial) = (random.u32(..), random.u32(..3));
    let mut view = View::new();
    for (chain, pages) in audio_pages.iter().enumerate() {
        let words: Vec<_> = (0..*pages).map(|n| format!("{chain} {n}")).collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        // Another one than the last chain's.
        serial = (serial + random.u32(1..3)) % 3;
        let pages = opus(serial, &format!("title {chain}"), &words);
        view.extend(pages.iter().enumerate().map(|(n, page)| {
            let page = read(page).remove(0);
            let Header {
                serial, sequence, ..
            } = *page.header();
            let leap = if n >= 2 { leap } else { 0 };
            let page = page.renumbered(serial, sequence.wrapping_add(leap));
            (chain, page.to_vec())
        }));
    }
    view
}

/// What a relay sends up to page `to` to one who comes when its burst begins with page `from`: headers first.
fn body_from(view: &View, from: usize, to: usize) -> Vec<u8> {
    let first = view
        .iter()
        .position(|(chain, _)| *chain == view[from].0)
        .unwrap();
    let burst = from.max(first + 2);
    let pages = |range: std::ops::Range<usize>| view[range].iter().flat_map(|(_, page)| page);
    let headers = pages(first..to.min(first + 2));
    headers
        .chain(pages(burst..to.max(burst)))
        .copied()
        .collect()
}

fn payloads(body: &[u8]) -> Vec<(u32, usize)> {
    read(body).iter().map(Page::payload).collect()
}

/// Whether in each chain the numbers go on, and the serial stays until the next.
fn assert_one_stream(heard: &[u8], view: &View) {
    let headers: Vec<_> = read(heard).iter().map(|page| *page.header()).collect();
    for (place, pair) in headers.windows(2).enumerate() {
        let (last, next) = (pair[0], pair[1]);
        if view[place].0 != view[place + 1].0 {
            assert!(next.begins && next.serial != last.serial, "page {place}");
            continue;
        }
        assert_eq!(next.serial, last.serial, "page {place}");
        // Each relay's own leap from the second header page to its burst is nothing to be mended.
        let leaps = last.sequence == 1;
        let goes_on = next.sequence == last.sequence.wrapping_add(1);
        assert!(leaps || goes_on, "page {place}: {last:?} {next:?}");
    }
}

/// One listener: what he heard, up to which page, and how often he crossed.
struct Walk {
    stream: OggStream,
    heard: Vec<u8>,
    at: usize,
    crossings: usize,
}

impl Walk {
    fn begin(view: &View, at: usize) -> Self {
        let mut stream = OggStream::default();
        let heard = carry(&mut stream, &body_from(view, 0, at));
        Self {
            stream,
            heard,
            at,
            crossings: 0,
        }
    }

    /// Crosses to the relay of `view`, which overlaps, if its body says where to go on.
    fn cross(&mut self, view: &View, random: &mut fastrand::Rng) {
        let from = self.at.saturating_sub(1 + random.usize(..9));
        let to = (self.at + random.usize(..6)).min(view.len());
        let approach = approach(&body_from(view, from, to), 100);
        let Joint::Found { resume } = self.stream.joint(&approach) else {
            return;
        };
        let seam = self.stream.splice(approach, resume);
        self.heard.extend(bytes_of(&seam));
        let on = (to + random.usize(..4)).min(view.len());
        for (_, page) in &view[to..on] {
            self.heard.extend(carry(&mut self.stream, page));
        }
        self.at = on;
        self.crossings += 1;
    }
}

#[test]
fn who_crosses_at_random_over_many_chains_hears_each_page_once() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut crossings = 0;
    for _ in 0..300 {
        let audio_pages: [_; CHAINS] = std::array::from_fn(|_| 1 + random.usize(..6));
        let views: [_; 3] = std::array::from_fn(|_| view(&audio_pages, &mut random));
        let mut walk = Walk::begin(&views[0], 3);
        for _ in 0..5 {
            walk.cross(&views[random.usize(..3)], &mut random);
        }
        let whole: Vec<_> = views[0].iter().flat_map(|(_, page)| page.clone()).collect();
        assert_eq!(payloads(&walk.heard), payloads(&whole)[..walk.at]);
        assert_one_stream(&walk.heard, &views[0]);
        crossings += walk.crossings;
    }
    assert!(crossings > 600, "most bodies overlap: {crossings}");
}
