//! Ogg as encoders make it, seen by two relays. Laws: `Found` means that the listener gets the programme, nothing missing
//! and nothing repeated, and well numbered; a page that is there is found; without overlap a chain of its own begins.
#![no_main]

use icecast_balancer::stream::ogg::{Approach, Joint, OggStream, Sent};
use icecast_balancer_fuzz::cut::{below, chunks};
use icecast_balancer_fuzz::pages::{self, contents, numbers};
use icecast_balancer_fuzz::programme::{Programme, view};
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

fuzz_target!(|story: Story| {
    let aired = story.programme.pages();
    let place = |number: usize, limit| below(limit, story.places[number].0, story.places[number].1);
    let ours_from = place(0, aired.len());
    let heard = ours_from + place(1, aired.len() + 1 - ours_from);
    let has_audio = aired[ours_from..heard].iter().any(|it| it.is_audio);
    let Some(last) = aired[..heard].last().filter(|_| has_audio) else {
        return;
    };
    let theirs_from = place(2, aired.len());
    let come = theirs_from + place(3, aired.len() + 1 - theirs_from);

    let ours = view(&aired[..heard], ours_from, 0).concat();
    let theirs = view(
        &aired[..come],
        theirs_from,
        if story.renumbers { 99 } else { 0 },
    );
    let theirs = theirs.concat();
    let (mut stream, mut approach) = (OggStream::default(), Approach::default());
    let mut listener = stream.carry(&ours);
    assert_eq!(stream.unsupported(), None);
    chunks(&theirs, &story.sizes).for_each(|chunk| approach.push(chunk));

    let is_there = last.is_audio && (theirs_from..come).contains(&(heard - 1));
    match stream.joint(&approach) {
        Joint::Found { resume } => {
            listener.extend(stream.splice(approach, resume));
            assert_same(&listener, &view(&aired[..come], ours_from, 0));
            assert_well_numbered(&listener);
        }
        // Any of several pages that are alike.
        Joint::Unsure { .. } => {}
        Joint::NoOverlap { resume } => {
            assert!(!is_there);
            listener.extend(stream.restart(approach, resume));
            assert_well_numbered(&listener);
        }
        Joint::NotYet => assert!(!is_there),
    }
});

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
