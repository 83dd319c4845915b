//! Ogg as encoders make it, seen by two relays. Laws: `Found` means that the listener gets the programme, nothing missing
//! and nothing repeated, and well numbered; a page that is there is found, one that will come is waited for; without overlap
//! a chain of its own begins. Except where what the second relay sent is itself misleading: the pages sent last are there
//! elsewhere, too.
#![no_main]

use icecast_balancer::stream::ogg::{Approach, Joint, OggStream, Sent, TAIL_PAGES};
use icecast_balancer_fuzz::cut::{below, chunks};
use icecast_balancer_fuzz::pages::{self, contents, numbers};
use icecast_balancer_fuzz::programme::{Aired, Programme, view};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Story {
    programme: Programme,
    /// Where each relay's burst begins, what was heard of the first, how far the second has come: parts of what is left.
    places: [(u8, u8); 4],
    renumbers: bool,
    sizes: [u8; 4],
}

/// The pages of the programme that the listener had, and those that the second relay sent.
struct Parts {
    ours: std::ops::Range<usize>,
    theirs: std::ops::Range<usize>,
}

fuzz_target!(|story: Story| {
    let aired = story.programme.pages();
    let parts = story.parts(aired.len());
    let Some(last) = aired[parts.ours.clone()].last() else {
        return;
    };
    if !aired[parts.ours.clone()].iter().any(|it| it.is_audio) {
        return;
    }
    let (mut stream, mut approach) = (OggStream::default(), Approach::default());
    let ours = view(&aired[..parts.ours.end], parts.ours.start, 0).concat();
    let mut listener = stream.carry(&ours);
    assert_eq!(stream.unsupported(), None);
    let shift = if story.renumbers { 99 } else { 0 };
    let theirs = view(&aired[..parts.theirs.end], parts.theirs.start, shift).concat();
    chunks(&theirs, &story.sizes).for_each(|chunk| approach.push(chunk));

    let will_come = last.is_audio && parts.theirs.start < parts.ours.end;
    match stream.joint(&approach) {
        // Any of several pages that are alike.
        Joint::Unsure { .. } => {}
        Joint::NotYet => assert!(!will_come || parts.theirs.end < parts.ours.end),
        _ if is_misleading(&aired, &parts) => {}
        Joint::Found { resume } => {
            listener.extend(stream.splice(approach, resume));
            let programme = view(&aired[..parts.theirs.end], parts.ours.start, 0);
            assert_same(&listener, &programme);
            assert_well_numbered(&listener);
        }
        Joint::NoOverlap { resume } => {
            assert!(!will_come);
            listener.extend(stream.restart(approach, resume));
            assert_well_numbered(&listener);
        }
    }
});

impl Story {
    fn parts(&self, pages: usize) -> Parts {
        let [a, b, c, d] = self.places;
        let part = |from, (high, low)| from + below(pages + 1 - from, high, low);
        let (ours, theirs) = (part(0, a), part(0, c));
        Parts {
            ours: ours..part(ours, b),
            theirs: theirs..part(theirs, d),
        }
    }
}

/// Whether the second relay sent pages like those sent last that are not those, as far back as it goes or anybody looks.
fn is_misleading(aired: &[Aired], parts: &Parts) -> bool {
    let first_audio = |range: &std::ops::Range<usize>| {
        let audio = range.clone().find(|at| aired[*at].is_audio);
        audio.unwrap_or(range.end)
    };
    let (theirs, ours) = (first_audio(&parts.theirs), first_audio(&parts.ours));
    let tail = TAIL_PAGES.min(parts.ours.end - ours);
    let last = parts.ours.end - 1;
    let is_like_last = |at: usize| {
        let reach = tail.min(at + 1 - theirs);
        (0..reach)
            .all(|back| contents(&aired[at - back].page) == contents(&aired[last - back].page))
    };
    (theirs..parts.theirs.end).any(|at| at != last && is_like_last(at))
}

fn assert_same(listener: &[Sent], programme: &[Vec<u8>]) {
    let heard: Vec<_> = listener.iter().map(|it| contents(&it.bytes)).collect();
    let aired: Vec<_> = programme.iter().map(|it| contents(it)).collect();
    assert!(
        heard == aired,
        "{} pages heard, {} aired",
        heard.len(),
        aired.len()
    );
}

/// Chains differ from those before them; in each the numbers rise, from its burst on without a leap.
fn assert_well_numbered(listener: &[Sent]) {
    listener
        .iter()
        .for_each(|it| pages::assert_sound(&it.bytes));
    for pair in listener.windows(2) {
        let [(serial, sequence), (next_serial, next)] = [0, 1].map(|it| numbers(&pair[it].bytes));
        if pair[1].bytes[5] & 2 != 0 {
            assert_ne!(serial, next_serial);
            continue;
        }
        assert_eq!(serial, next_serial);
        let leaps = sequence == 1;
        assert!(
            leaps || next == sequence.wrapping_add(1),
            "{sequence} then {next}"
        );
    }
}
