//! A listener's stream across exact seams.

use super::made::opus;
use super::*;
use proptest::prelude::*;
use proptest::sample::Index;

#[test]
fn without_a_seam_every_body_passes_untouched() {
    for (name, a, _) in views() {
        let mut stream = OggStream::default();
        assert!(carry(&mut stream, &a) == a, "{name}");
        assert_eq!((stream.unsupported(), stream.skipped_bytes()), (None, 0));
    }
}

#[test]
fn a_stream_spliced_at_any_page_is_the_first_relays_stream() {
    for (name, a, b) in views() {
        let pages = cut(&a);
        for heard in 3..=pages.len() {
            let mut stream = OggStream::default();
            let mut listener = carry(&mut stream, &pages[..heard].concat());
            listener.extend(splice(&mut stream, approach(&b, 4096)));
            assert!(listener == a, "{name} {heard}");
        }
    }
}

#[test]
fn a_listener_lost_before_the_burst_gets_the_new_relays_burst() {
    for (name, a, b) in views() {
        let (ours, theirs) = (cut(&a), cut(&b));
        for heard in 0..=2 {
            let mut stream = OggStream::default();
            let mut listener = carry(&mut stream, &ours[..heard].concat());
            listener.extend(splice(&mut stream, approach(&b, 4096)));
            let serial = header(if heard == 0 { &b } else { &a }).serial;
            let same = cut(&listener).iter().zip(&theirs).all(|(sent, their)| {
                header(sent).serial == serial
                    && sent[18..22] == their[18..22]
                    && sent[26..] == their[26..]
            });
            assert!(same && listener.len() == b.len(), "{name} {heard}");
        }
    }
}

#[test]
fn a_listener_keeps_hearing_when_relay_after_relay_dies() {
    for (name, a, b) in views() {
        let pages = cut(&a);
        let mut stream = OggStream::default();
        let mut listener = carry(&mut stream, &pages[..3].concat());
        for end in 4..=pages.len() {
            let relay = if end % 2 == 0 { &b } else { &a };
            let theirs = cut(relay)[..end].concat();
            listener.extend(splice(&mut stream, approach(&theirs, 700)));
        }
        assert!(listener == a, "{name}");
    }
}

#[test]
fn the_old_relay_may_go_on_while_the_new_one_approaches() {
    for (name, a, b) in views() {
        let pages = cut(&a);
        let mut stream = OggStream::default();
        let mut listener = carry(&mut stream, &pages[..4].concat());
        let behind = approach(&cut(&b)[..3].concat(), 500);
        assert_eq!(stream.joint(&behind), Joint::NotYet, "{name}");
        let mut approach = behind;
        listener.extend(carry(&mut stream, &pages[4]));
        approach.push(&cut(&b)[3..].concat());
        listener.extend(splice(&mut stream, approach));
        assert!(listener == a, "{name}");
    }
}

#[test]
fn what_is_left_of_a_page_at_the_death_is_not_sent() {
    for (name, a, b) in views() {
        let pages = cut(&a);
        let mut stream = OggStream::default();
        let mut listener = carry(&mut stream, &pages[..3].concat());
        listener.extend(carry(&mut stream, &pages[3][..1000]));
        listener.extend(splice(&mut stream, approach(&b, 4096)));
        assert!(listener == a, "{name}");
    }
}

#[test]
fn pages_that_follow_the_seam_are_renumbered_too() {
    let (_, a, b) = views().swap_remove(0);
    let theirs = cut(&b);
    let mut stream = OggStream::default();
    let mut listener = carry(&mut stream, &cut(&a)[..5].concat());
    listener.extend(splice(&mut stream, approach(&theirs[..8].concat(), 4096)));
    listener.extend(carry(&mut stream, &theirs[8..].concat()));
    assert!(listener == a);
}

#[test]
fn a_title_behind_the_seam_keeps_its_chain_and_gets_a_serial_of_its_own() {
    let chains = |serial, next| {
        [
            opus(serial, "one", &["a", "b", "c"]),
            opus(next, "two", &["d", "e"]),
        ]
    };
    let ours = chains(10, 11).concat();
    let mut stream = OggStream::default();
    let mut listener = carry(&mut stream, &ours[..4].concat());
    listener.extend(splice(
        &mut stream,
        approach(&chains(20, 10).concat().concat(), 4096),
    ));
    assert_well_numbered(&listener);
    let serials = cut(&listener)
        .iter()
        .map(|page| header(page).serial)
        .collect::<Vec<_>>();
    assert_eq!(serials, [[10; 5].as_slice(), &[11; 4]].concat());
}

#[test]
fn a_source_that_uses_one_serial_for_all_chains_passes_untouched() {
    let body = [opus(1, "one", &["a"]), opus(1, "two", &["b"])]
        .concat()
        .concat();
    assert_eq!(carry(&mut OggStream::default(), &body), body);
}

#[test]
fn sequence_numbers_wrap() {
    let pages = read(&opus(1, "", &["a", "b"]).concat());
    let near_end = pages.into_iter().map(|page| {
        let sequence = page.header().sequence.wrapping_sub(3);
        let serial = page.header().serial;
        page.renumbered(serial, sequence).to_vec()
    });
    let near_end = near_end.collect::<Vec<_>>();
    let mut stream = OggStream::default();
    let mut listener = carry(&mut stream, &near_end[..3].concat());
    listener.extend(splice(
        &mut stream,
        approach(&opus(9, "", &["a", "b"]).concat(), 100),
    ));
    assert_eq!(listener, near_end.concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_two_views_splice_to_one_stream(heard in any::<Index>(), burst in any::<Index>(), chunk_bytes in 1usize..9_000) {
        for (name, a, b) in views() {
            let (ours, theirs) = (cut(&a), cut(&b));
            let heard = 3 + heard.index(ours.len() - 3);
            let burst = burst.index(heard - 2);
            let mut stream = OggStream::default();
            let mut listener = carry(&mut stream, &ours[..heard].concat());
            listener.extend(splice(&mut stream, approach(&body(&theirs, burst), chunk_bytes)));
            prop_assert!(listener == a, "{name}");
        }
    }

    #[test]
    fn no_damage_makes_a_stream_panic_or_send_a_damaged_page(flips in prop::collection::vec(any::<Index>(), 1..20), heard in any::<Index>()) {
        for (_, a, mut b) in views() {
            for flip in &flips {
                let bit = flip.index(b.len() * 8);
                b[bit / 8] ^= 1 << (bit % 8);
            }
            let ours = cut(&a);
            let mut stream = OggStream::default();
            let mut listener = carry(&mut stream, &ours[..=heard.index(ours.len())].concat());
            let approach = approach(&b, 1400);
            listener.extend(bytes_of(&match stream.joint(&approach) {
                Joint::Found { resume } | Joint::Unsure { resume } => stream.splice(approach, resume),
                Joint::NoOverlap { resume } => stream.restart(approach, resume),
                Joint::NotYet => stream.restart(approach, 0),
            }));
            prop_assert!(cut(&listener).iter().all(|page| has_right_crc(page)));
        }
    }
}
