//! The search for the joint in plain audio. One programme, seen by two relays. Laws: with a prediction that is right,
//! `Found` is the very next byte, however the programme repeats itself; what is taken, found or guessed, lies behind the
//! bytes sent last; no prediction makes it panic.
#![no_main]

use icecast_balancer::stream::splice::{Outcome, Prediction, Search, TAIL_BYTES, Tail};
use icecast_balancer_fuzz::cut::{below, chunks, steered};
use libfuzzer_sys::fuzz_target;

/// Less in common says nothing.
const LEAST_BYTES: usize = 40;
/// A burst and two seconds.
const LIMIT_BYTES: usize = 96_400;

fuzz_target!(|input: &[u8]| {
    let (data, [kind, a, b, c, d, e, f, g, sizes @ ..]) = steered(input);
    // Loops of all lengths.
    let programme = data.repeat(1 + usize::from(kind >> 4 & 3));
    let cut = below(programme.len() + 1, a, b);
    let within = below(6000, c, d);
    let least = LEAST_BYTES + 2 * within;
    let start = cut.saturating_sub(least + below(cut.saturating_sub(least) + 1, e, f));
    let place = cut - start;
    let off = below(2 * within + 1, g, 0) as i64 - within as i64;
    let prediction = Prediction {
        offset_bytes: place as i64 + off,
        within_bytes: within as u64,
    };
    let (sent, body) = (&programme[..cut], &programme[start..]);
    let prediction = (kind & 1 == 0).then_some(prediction);
    let (outcome, shown) = searched(sent, body, prediction, &sizes);

    if let Outcome::Found { resume_at } | Outcome::Ambiguous { resume_at } = outcome {
        let common = resume_at.min(512).min(cut);
        assert_eq!(sent[cut - common..], body[resume_at - common..resume_at]);
    }
    // Where less is there of what was sent last than is remembered, a loop can have all of it further on.
    let is_whole = place >= least && place >= cut.min(TAIL_BYTES);
    let is_right = prediction.is_some() && shown >= place + 2 * within;
    if let (true, Outcome::Found { resume_at }) = (is_right && is_whole, outcome) {
        assert_eq!(resume_at, place);
    }
    if place >= least && body.len() <= LIMIT_BYTES {
        assert_ne!(outcome, Outcome::NoOverlap);
    }

    let wild = u64::from_be_bytes(*input.last_chunk().unwrap_or(&[0; 8]));
    let wild = Prediction {
        offset_bytes: wild.cast_signed(),
        within_bytes: wild.rotate_left(u32::from(kind)),
    };
    searched(sent, body, Some(wild), &sizes);
});

/// Shows the body in steps until the search says something; with it comes how much was shown.
fn searched(
    sent: &[u8],
    body: &[u8],
    prediction: Option<Prediction>,
    sizes: &[u8],
) -> (Outcome, usize) {
    let mut tail = Tail::default();
    sent.chunks(1400).for_each(|chunk| tail.push(chunk));
    let mut search = Search::new(&tail, prediction, LIMIT_BYTES);
    let mut shown = 0;
    for chunk in chunks(body, sizes) {
        shown += chunk.len();
        let outcome = search.look(&body[..shown]);
        if outcome != Outcome::NotYet {
            return (outcome, shown);
        }
    }
    let outcome = search.conclude(body);
    assert_ne!(outcome, Outcome::NotYet);
    (outcome, shown)
}
