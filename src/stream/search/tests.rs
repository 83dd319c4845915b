//! Joints of silence, of what is said twice, and of what nothing is known of.

use super::*;

/// More than any body here has.
const LIMIT_BYTES: usize = 768 * 1024;

const CLOCK: Clock = Clock {
    elapsed: Duration::from_millis(500),
    bytes_per_second: 16_000,
};

/// A quiet passage: frames that are all alike.
fn silence(bytes: usize) -> Vec<u8> {
    let frame = [&[0xff, 0xfb, 0x90, 0x64][..], &[0; 414]].concat();
    frame.into_iter().cycle().take(bytes).collect()
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..))
        .take(bytes)
        .collect()
}

fn heard(pieces: &[&[u8]]) -> Plain {
    let mut sent = Plain::default();
    pieces.iter().for_each(|piece| sent.note(piece));
    sent
}

/// Looks at `body` as it comes, a piece at a time.
fn search(sent: &Plain, body: &[u8]) -> Option<Spot> {
    let mut search = PlainSearch::new(sent, LIMIT_BYTES);
    let ends = (1..=body.len().div_ceil(10_000)).map(|pieces| pieces * 10_000);
    let mut bodies = ends.filter_map(|end| body.get(..end.min(body.len())));
    bodies.find_map(|body| search.look(sent, body, CLOCK))
}

fn exact(place: usize) -> Option<Spot> {
    let place = place as u64;
    let seam = Seam::Exact;
    Some(Spot { place, seam })
}

fn is_exact(spot: Option<Spot>) -> bool {
    spot.is_some_and(|spot| spot.seam == Seam::Exact)
}

#[test]
fn in_a_silence_the_place_is_told_by_the_audio_before_it() {
    let (before, quiet) = (noise(1, 20_000), silence(12_000));
    let sent = heard(&[&before, &quiet[..7_000]]);
    let body = [&before[5_000..], &quiet].concat();
    assert_eq!(search(&sent, &body), exact(15_000 + 7_000));
}

#[test]
fn a_silence_right_behind_an_audible_seam_is_nowhere_exactly() {
    let mut sent = heard(&[&noise(1, 20_000)]);
    sent.forget();
    sent.note(&silence(8_000));
    sent.note(&silence(9_000));
    for music_bytes in [6_000, 40_000] {
        let body = [noise(2, music_bytes), silence(20_000)].concat();
        let spot = search(&sent, &body);
        assert!(!is_exact(spot), "{music_bytes}: {spot:?}");
    }
}

#[test]
fn who_was_sent_nothing_since_an_audible_seam_is_nowhere_exactly() {
    let mut sent = heard(&[&noise(1, 20_000)]);
    sent.forget();
    let body = noise(2, 60_000);
    assert!(!is_exact(search(&sent, &body)));
    let concluded = PlainSearch::new(&sent, LIMIT_BYTES).conclude(&sent, &body, CLOCK);
    assert_eq!(concluded.seam, Seam::Audible);
}

#[test]
fn an_ident_that_is_said_twice_is_found_where_the_silence_follows() {
    let ident = noise(3, 2_000);
    let before = [noise(4, 9_000), ident.clone(), noise(5, 9_000), ident].concat();
    let quiet = silence(9_000);
    let body = [&before[..], &quiet, &noise(6, 9_000)].concat();
    for gone in [1_000, 3_000, 8_000] {
        let sent = heard(&[&before, &quiet[..gone]]);
        let spot = search(&sent, &body);
        let right = exact(before.len() + gone);
        assert!(!is_exact(spot) || spot == right, "{gone}: {spot:?}");
    }
}

/// A listener long in silence, and a relay whose body holds what was before it and then `theirs`: its burst is too short to
/// reach his place.
fn look_far_behind(theirs: &[u8]) -> Option<Spot> {
    let before = noise(1, 20_000);
    let sent = heard(&[&before, &silence(9_000), &silence(90_000)]);
    search(&sent, &[&before, theirs].concat())
}

#[test]
fn a_place_far_beyond_the_body_is_believed_only_while_the_body_repeats_itself() {
    let quiet = look_far_behind(&silence(5_000));
    assert_eq!(quiet, exact(20_000 + 99_000));
    let music = look_far_behind(&noise(2, 5_000));
    assert!(!is_exact(music), "{music:?}");
}
