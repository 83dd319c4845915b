//! A listener's stream across audible seams: a chain of its own behind them.

use super::made::opus;
use super::*;

#[test]
fn without_overlap_a_new_chain_begins_with_the_new_relays_headers() {
    for (name, a, b) in views() {
        let (ours, theirs) = (cut(&a), cut(&b));
        let mut stream = OggStream::default();
        let heard = carry(&mut stream, &ours[..4].concat());
        let approach = approach(&body(&theirs, 3), 4096);
        assert_eq!(
            stream.joint(&approach),
            Joint::NoOverlap { resume: 2 },
            "{name}"
        );
        let rest = bytes_of(&stream.restart(approach, 2));
        assert_well_numbered(&rest);
        assert_eq!(heard, ours[..4].concat());
        let rest = cut(&rest);
        assert!(header(&rest[0]).begins && header(&rest[0]).sequence == 0);
        assert_ne!(header(&rest[0]).serial, header(&ours[0]).serial, "{name}");
        let payloads = rest
            .iter()
            .map(|page| page[26..].to_vec())
            .collect::<Vec<_>>();
        let expected = cut(&body(&theirs, 3))
            .iter()
            .map(|page| page[26..].to_vec())
            .collect::<Vec<_>>();
        assert_eq!(payloads, expected, "{name}");
    }
}

#[test]
fn after_an_audible_seam_the_next_one_is_exact_again() {
    let (_, a, b) = views().swap_remove(1);
    let (ours, theirs) = (cut(&a), cut(&b));
    let mut stream = OggStream::default();
    carry(&mut stream, &ours[..4].concat());
    let first = bytes_of(&stream.restart(approach(&body(&theirs[..9], 4), 4096), 2));
    let second = splice(&mut stream, approach(&a, 4096));
    let chain = [first, second].concat();
    assert_well_numbered(&chain);
    assert_eq!(cut(&chain).len(), 2 + ours.len() - 6);
}

#[test]
fn a_restart_at_the_live_edge_takes_the_recent_pages_only() {
    let pages = opus(1, "", &["a", "b", "c", "d"]);
    let mut stream = OggStream::default();
    carry(&mut stream, &opus(1, "other encoder", &["A", "B"]).concat());
    let approach = approach(&pages.concat(), 4096);
    assert_eq!(stream.joint(&approach), Joint::NotYet);
    assert_eq!(approach.recent(0), 6);
    let resume = approach.recent(2 * pages[5].len() + 1);
    assert_eq!(resume, 4);
    let sent = stream.restart(approach, resume);
    let roles = sent.iter().map(|page| page.role).collect::<Vec<_>>();
    assert_eq!(roles, [Role::Begin, Role::Header, Role::Audio, Role::Audio]);
    assert_well_numbered(&bytes_of(&sent));
}

#[test]
fn a_restart_before_any_page_came_is_a_new_chain_too() {
    let pages = opus(7, "", &["a", "b"]);
    for came in 0..=3 {
        let mut stream = OggStream::default();
        let mut listener = carry(&mut stream, &pages.concat());
        let approach = approach(&pages[..came].concat(), 4096);
        let resume = approach.recent(0);
        listener.extend(bytes_of(&stream.restart(approach, resume)));
        listener.extend(carry(&mut stream, &pages[came..].concat()));
        assert_well_numbered(&listener);
        assert_eq!(
            cut(&listener).len(),
            4 + 4 - came.saturating_sub(2),
            "{came}"
        );
    }
}

#[test]
fn multiplexed_streams_pass_untouched_and_restart_whole() {
    let (video, sound) = (opus(1, "", &["a"]), opus(2, "", &["b"]));
    let body = [
        &video[0], &sound[0], &video[1], &sound[1], &video[2], &sound[2],
    ]
    .map(Clone::clone)
    .concat();
    let mut stream = OggStream::default();
    assert_eq!(carry(&mut stream, &body), body);
    assert_eq!(stream.unsupported(), Some(Unsupported::Multiplexed));
    let approach = approach(&body, 50);
    assert_eq!(stream.joint(&approach), Joint::NoOverlap { resume: 0 });
    assert_eq!(bytes_of(&stream.restart(approach, 3)), body);
}

#[test]
fn an_approach_holds_a_bounded_part_of_the_body() {
    let mut approach = Approach::default();
    let page = cut(&file("clips/toneflac.oga"));
    approach.push(&page[..2].concat());
    for _ in 0..100 {
        approach.push(&page[3]);
    }
    assert_eq!(approach.pages(), HELD_BYTES / page[3].len());
    let sent = OggStream::default().restart(approach, 5);
    assert_eq!(sent[0].role, Role::Begin, "headers outlive their pages");
}

#[test]
fn a_restart_sends_the_headers_of_the_chain_it_begins_in_only() {
    let body = [opus(1, "one", &["a"]), opus(2, "two", &["b", "c"])].concat();
    let approach = approach(&body.concat(), 100);
    let sent = bytes_of(&OggStream::default().restart(approach, 6));
    let expected = [&body[3], &body[4], &body[6]].map(|page| page[26..].to_vec());
    assert_eq!(
        cut(&sent)
            .iter()
            .map(|page| page[26..].to_vec())
            .collect::<Vec<_>>(),
        expected
    );
}
