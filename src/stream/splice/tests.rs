//! Two relays of one master, as a story: A sent the start of a programme, B's body is a window of the same programme.

use super::*;
use proptest::prelude::*;

const RELAY_A: &[u8] = include_bytes!("../../../tests/data/captures/relayA-live.mp3");
const RELAY_B: &[u8] = include_bytes!("../../../tests/data/captures/relayB-live.mp3");
/// One second of noise, three of silence, one of noise: 128 kbit/s CBR.
const SILENCE: &[u8] = include_bytes!("../../../tests/data/captures/silence-128k.mp3");
/// ICECAST: 46 blocks of 1,400 bytes.
const BURST_BYTES: usize = 64_400;
const LIMIT_BYTES: usize = BURST_BYTES + 32_000;

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..))
        .take(length)
        .collect()
}

fn predicted(at: usize, off: i64, within: u64) -> Option<Prediction> {
    Some(Prediction {
        offset_bytes: at as i64 + off,
        within_bytes: within,
    })
}

fn tail_of(sent: &[u8]) -> Tail {
    let mut tail = Tail::default();
    sent.chunks(1400).for_each(|chunk| tail.push(chunk));
    tail
}

/// Shows the body to the search in steps until it says more than `NotYet`, at the body's end until it must.
fn searched(
    sent: &[u8],
    body: &[u8],
    prediction: Option<Prediction>,
    mut steps: impl Iterator<Item = usize>,
) -> Outcome {
    let mut search = Search::new(&tail_of(sent), prediction, LIMIT_BYTES);
    let mut shown = 0;
    while shown < body.len() {
        shown = (shown + steps.next().unwrap()).min(body.len());
        let outcome = search.look(&body[..shown]);
        if outcome != Outcome::NotYet {
            return outcome;
        }
    }
    search.conclude(body)
}

fn in_steps_of(size: usize) -> impl Iterator<Item = usize> {
    std::iter::repeat(size)
}

fn found(resume_at: usize) -> Outcome {
    Outcome::Found { resume_at }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_cut_of_any_two_views_gives_the_original(
        seed in any::<u64>(),
        cut in 70_usize..120_000,
        back in 64_usize..BURST_BYTES,
        steps in prop::collection::vec(1_usize..9000, 1..20),
        predict in any::<bool>(),
        off in -3000_i64..3000,
    ) {
        let programme = noise(130_000, seed);
        let start = cut.saturating_sub(back);
        let (sent, body) = (&programme[..cut], &programme[start..]);
        let prediction = predicted(cut - start, off, 3000).filter(|_| predict);
        let outcome = searched(sent, body, prediction, steps.into_iter().cycle());
        let Outcome::Found { resume_at } = outcome else {
            return Err(TestCaseError::fail(format!("{outcome:?}")));
        };
        prop_assert!([sent, &body[resume_at..]].concat() == programme);
    }

    #[test]
    fn a_right_prediction_never_lets_a_repetition_pass_for_exact(
        parts in prop::collection::vec((any::<u64>(), 1_usize..9000, 1_usize..40_000), 1..12),
        cut in 40_usize..100_000,
        back in 40_usize..BURST_BYTES,
        within in 0_i64..6000,
        off in -1.0..1.0_f64,
        steps in prop::collection::vec(1_usize..9000, 1..20),
    ) {
        // Each part repeats a piece: a frame of silence, a loop.
        let programme: Vec<u8> = parts
            .iter()
            .flat_map(|(seed, period, length)| noise(*period, *seed).into_iter().cycle().take(*length))
            .collect();
        let cut = cut.min(programme.len());
        let start = cut.saturating_sub(back.max(40 + 2 * within as usize));
        let prediction = predicted(cut - start, (off * within as f64) as i64, within as u64);
        let steps = steps.into_iter().cycle();
        let outcome = searched(&programme[..cut], &programme[start..], prediction, steps);
        if let Outcome::Found { resume_at } = outcome {
            prop_assert_eq!(resume_at, cut - start);
        }
        if let Outcome::Found { resume_at } | Outcome::Ambiguous { resume_at } = outcome {
            let common = resume_at.min(512).min(cut);
            prop_assert_eq!(&programme[cut - common..cut], &programme[start + resume_at - common..][..common]);
        }
        if cut - start >= 40 + 2 * within as usize {
            prop_assert_ne!(outcome, Outcome::NoOverlap);
        }
    }

    #[test]
    fn no_bytes_and_no_prediction_make_it_panic(
        sent in prop::collection::vec(0_u8..3, 0..5000),
        body in prop::collection::vec(0_u8..3, 0..9000),
        offset_bytes in any::<i64>(),
        within_bytes in any::<u64>(),
        size in 1_usize..3000,
    ) {
        let prediction = Some(Prediction { offset_bytes, within_bytes });
        let outcome = searched(&sent, &body, prediction, in_steps_of(size));
        if let Outcome::Found { resume_at } | Outcome::Ambiguous { resume_at } = outcome {
            prop_assert!(resume_at <= body.len());
        }
        prop_assert_ne!(outcome, Outcome::NotYet);
    }
}

#[test]
fn two_real_relays_are_joined_at_many_cuts() {
    assert_eq!(RELAY_A[38..39_000], RELAY_B[..38_962]);
    let cuts: Vec<usize> = (102..RELAY_A.len()).step_by(997).collect();
    assert!(cuts.len() > 80);
    for cut in cuts {
        let outcome = searched(&RELAY_A[..cut], RELAY_B, None, in_steps_of(8192));
        assert_eq!(outcome, found(cut - 38), "cut at {cut}");
    }
}

#[test]
fn silence_is_joined_exactly_only_where_the_prediction_leaves_one_frame() {
    let (sent, body) = (&SILENCE[..50_000], &SILENCE[10_000..]);
    let outcome = |prediction| searched(sent, body, prediction, in_steps_of(8192));
    assert_eq!(outcome(predicted(40_000, -150, 200)), found(40_000));
    assert_eq!(
        outcome(predicted(40_000, 100, 4000)),
        Outcome::Ambiguous { resume_at: 40_000 }
    );
    let Outcome::Ambiguous { resume_at } = outcome(None) else {
        panic!("{:?}", outcome(None));
    };
    assert!(resume_at < 40_000, "nothing is lost: {resume_at}");
}

#[test]
fn music_that_has_just_begun_or_ended_is_told_from_the_silence_beside_it() {
    // The silence begins near byte 17,000 and ends near byte 64,000.
    for cut in [18_000, 19_500, 65_500, 67_000] {
        let outcome = searched(&SILENCE[..cut], SILENCE, None, in_steps_of(8192));
        assert_eq!(outcome, found(cut));
    }
}

#[test]
fn a_relay_that_is_behind_is_waited_for() {
    let programme = noise(90_000, 1);
    let tail = tail_of(&programme[..70_000]);
    let mut search = Search::new(&tail, predicted(60_000, 0, 4000), LIMIT_BYTES);
    for end in (11_000..69_000).step_by(1000) {
        assert_eq!(search.look(&programme[..end]), Outcome::NotYet);
    }
    assert_eq!(search.look(&programme[..71_000]), found(70_000));
}

#[test]
fn a_relay_that_is_ahead_has_no_overlap() {
    let programme = noise(300_000, 2);
    let body = &programme[70_001..];
    let mut search = Search::new(&tail_of(&programme[..70_000]), None, LIMIT_BYTES);
    assert_eq!(search.look(&body[..LIMIT_BYTES - 1]), Outcome::NotYet);
    assert_eq!(search.look(&body[..LIMIT_BYTES]), Outcome::NoOverlap);
}

#[test]
fn a_few_common_bytes_are_no_overlap() {
    let programme = noise(200_000, 3);
    for common in [0, 1, 16, 31] {
        let outcome = searched(
            &programme[..70_000],
            &programme[70_000 - common..],
            None,
            in_steps_of(9000),
        );
        assert_eq!(outcome, Outcome::NoOverlap, "{common} bytes in common");
    }
}

#[test]
fn zeros_at_both_ends_do_not_hide_the_place_further_on() {
    let frame = [noise(5000, 7), vec![0; 40]].concat();
    let programme = [vec![0; 40], noise(20_000, 8), frame, noise(9000, 9)].concat();
    let (sent, body) = (&programme[..25_080], &programme);
    for prediction in [None, predicted(25_080, 9, 400), predicted(40, 0, 40)] {
        for size in [1400, BURST_BYTES] {
            let outcome = searched(sent, body, prediction, in_steps_of(size));
            assert_eq!(outcome, found(25_080), "{prediction:?} in steps of {size}");
        }
    }
}

#[test]
fn too_short_an_overlap_in_silence_lets_no_later_frame_pass_for_exact() {
    let programme = noise(418, 10).repeat(100);
    let (sent, body) = (&programme[..20_000], &programme[19_980..]);
    let outcome = searched(sent, body, predicted(20, 210, 210), in_steps_of(1400));
    assert!(matches!(outcome, Outcome::Ambiguous { .. }), "{outcome:?}");
}

#[test]
fn a_loop_does_not_pass_for_exact_where_the_body_begins_just_before_the_predicted_place() {
    // The body begins inside what repeats; the next round of the loop matches further back, all of the tail or most of it.
    for (period, sent_bytes) in [(3073, 3470), (5000, 9000)] {
        let programme = [vec![0; 9000], noise(period, 11).repeat(7)].concat();
        let cut = 9000 + sent_bytes;
        let (sent, body) = (&programme[..cut], &programme[cut - 40..]);
        for size in [1, 1400, BURST_BYTES] {
            let outcome = searched(sent, body, predicted(40, 0, 0), in_steps_of(size));
            let place = Outcome::Ambiguous {
                resume_at: period + 40,
            };
            assert_eq!(outcome, place, "a loop of {period} in steps of {size}");
        }
    }
}

#[test]
fn the_bytes_behind_an_inexact_seam_are_found_alone() {
    let programme = noise(100_000, 4);
    let sent = [&noise(50_000, 5), &programme[49_000..50_000]].concat();
    let outcome = searched(&sent, &programme, None, in_steps_of(8192));
    assert_eq!(outcome, found(50_000));
}

#[test]
fn a_loop_is_told_apart_by_the_prediction_alone() {
    let programme = noise(10_000, 6).repeat(9);
    let (sent, body) = (&programme[..60_000], &programme[5_000..]);
    let outcome = |prediction| searched(sent, body, prediction, in_steps_of(64_400));
    assert_eq!(outcome(predicted(55_000, 3000, 4000)), found(55_000));
    assert!(matches!(outcome(None), Outcome::Ambiguous { .. }));
}

#[test]
fn a_loop_waits_for_the_predicted_place_and_a_hasty_caller_does_not() {
    let programme = noise(10_000, 6).repeat(9);
    let tail = tail_of(&programme[..60_000]);
    let mut search = Search::new(&tail, predicted(60_000, 0, 4000), LIMIT_BYTES);
    assert_eq!(search.look(&programme[..12_000]), Outcome::NotYet);
    assert_eq!(search.conclude(&programme[..12_000]), found(10_000));
}

#[test]
fn to_whom_nothing_was_sent_each_byte_is_the_next() {
    assert_eq!(searched(&[], b"body", None, in_steps_of(4)), found(0));
}

#[test]
fn pure_repetition_takes_linear_time() {
    // Quadratic, these would be 10^11 steps.
    let zeros = vec![0; 4_000_000];
    let mut search = Search::new(&tail_of(&zeros), predicted(3_900_000, 0, 9), usize::MAX);
    let mut outcome = Outcome::NotYet;
    for end in (0..=zeros.len()).step_by(10_000) {
        outcome = search.look(&zeros[..end]);
        if outcome != Outcome::NotYet {
            break;
        }
    }
    assert!(matches!(outcome, Outcome::Ambiguous { .. }));
}

#[test]
fn a_prediction_is_the_burst_less_what_was_played_since() {
    let second = Duration::from_secs(1);
    let made = Prediction::new(64_400, second * 2, 16_000, second / 4);
    assert_eq!(Some(made), predicted(32_400, 0, 4000));
    assert_eq!(
        Prediction::new(0, second, 16_000, second).offset_bytes,
        -16_000
    );
    let longest = Prediction::new(u64::MAX, Duration::MAX, u64::MAX, Duration::MAX);
    assert_eq!(longest.within_bytes, u64::MAX);
}
