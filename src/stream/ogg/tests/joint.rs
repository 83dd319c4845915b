//! Finding the page that the listener had last.

use super::made::opus;
use super::*;

fn marks(body: &[Vec<u8>]) -> Vec<Mark> {
    let mut chains = Chains::default();
    let pages = read(&body.concat());
    let marks = pages.iter().map(|page| {
        let role = chains.admit(page).unwrap();
        Mark::of(page, role, chains.fingerprint())
    });
    marks.collect()
}

fn tail(body: &[Vec<u8>]) -> Tail {
    let mut tail = Tail::default();
    marks(body).into_iter().for_each(|mark| tail.note(mark));
    tail
}

/// A body as a relay sends it: the header pages of a chain, then its pages from `burst` on.
fn from(pages: &[Vec<u8>], burst: usize) -> Vec<Vec<u8>> {
    [&pages[..2], &pages[2 + burst..]].concat()
}

const WORDS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

#[test]
fn going_on_behind_the_last_page_wherever_both_begin() {
    let programme = opus(1, "", &WORDS);
    for heard_from in 0..WORDS.len() {
        for heard in heard_from + 1..WORDS.len() {
            let tail = tail(&from(&programme[..2 + heard], heard_from));
            for burst in 0..heard {
                let theirs = marks(&from(&programme, burst));
                let resume = 2 + heard - burst;
                assert_eq!(
                    tail.find(&theirs),
                    Joint::Found { resume },
                    "{heard_from} {heard} {burst}"
                );
                assert_eq!(tail.find(&theirs[..resume - 1]), Joint::NotYet);
            }
        }
    }
}

#[test]
fn silence_is_told_apart_by_its_granules() {
    let programme = opus(1, "", &["hush"; 12]);
    for heard in 1..12 {
        let tail = tail(&programme[..2 + heard]);
        assert_eq!(
            tail.find(&marks(&programme)),
            Joint::Found { resume: 2 + heard }
        );
    }
}

#[test]
fn a_body_that_is_far_ahead_is_another_time_around() {
    let programme = opus(1, "", &["hush"; 40]);
    let tail = tail(&programme[..4]);
    assert_eq!(
        tail.find(&marks(&from(&programme, 31))),
        Joint::NoOverlap { resume: 2 }
    );
    assert_eq!(tail.find(&marks(&from(&programme, 32))), Joint::NotYet);
}

#[test]
fn a_body_that_begins_too_late_does_not_overlap() {
    let programme = opus(1, "", &WORDS);
    let tail = tail(&programme[..6]);
    assert_eq!(
        tail.find(&marks(&from(&programme, 4))),
        Joint::NoOverlap { resume: 2 }
    );
    assert_eq!(
        tail.find(&marks(&from(&programme, 6))),
        Joint::NoOverlap { resume: 2 }
    );
}

#[test]
fn another_chain_may_still_come_to_the_page() {
    let programme = opus(1, "old", &WORDS);
    let new = opus(2, "new", &["v", "w", "x"]);
    let tail = tail(&[programme.clone(), new.clone()].concat());
    assert_eq!(tail.find(&marks(&from(&programme, 6))), Joint::NotYet);
    let both = marks(&[from(&programme, 6), new].concat());
    assert_eq!(tail.find(&both), Joint::Found { resume: both.len() });
}

#[test]
fn a_listener_lost_between_the_header_pages_of_a_title_goes_on_there() {
    let (old, new) = (opus(1, "old", &WORDS), opus(2, "new", &WORDS));
    for heard in 1..=2 {
        let tail = tail(&[old.clone(), new[..heard].to_vec()].concat());
        let theirs = marks(&[from(&old, 9), new.clone()].concat());
        assert_eq!(
            tail.find(&theirs),
            Joint::Found {
                resume: 2 + 3 + heard
            }
        );
        assert_eq!(tail.find(&theirs[..5]), Joint::NotYet);
    }
}

#[test]
fn a_listener_who_had_no_audio_gets_the_whole_burst() {
    let programme = opus(1, "", &WORDS);
    let theirs = marks(&from(&programme, 5));
    assert_eq!(Tail::default().find(&theirs), Joint::Found { resume: 0 });
    assert_eq!(
        tail(&programme[..1]).find(&theirs),
        Joint::Found { resume: 1 }
    );
    assert_eq!(
        tail(&programme[..2]).find(&theirs),
        Joint::Found { resume: 2 }
    );
    let other_title = tail(&opus(1, "other", &[]));
    assert_eq!(other_title.find(&theirs[..2]), Joint::NotYet);
    assert_eq!(other_title.find(&theirs), Joint::NoOverlap { resume: 0 });
}

/// Equal pages in an Opus stream have the same granule, so only a new chain makes them: two jingles begin alike.
#[test]
fn equal_pages_are_told_apart_by_those_before_them() {
    let first = opus(1, "jingle", &["hush", "x"]);
    let second = opus(2, "programme", &["hush", "y", "z"]);
    let body = [first, second].concat();
    let tail = tail(&body[..7]);
    assert_eq!(tail.find(&marks(&body[..5])), Joint::Unsure { resume: 3 });
    assert_eq!(tail.find(&marks(&body)), Joint::Found { resume: 7 });
}

/// Pages on which no packet ends, granule -1, can be alike one after another.
#[test]
fn among_pages_that_are_all_alike_the_longest_run_wins() {
    let mut pages = opus(1, "", &["a", "b", "c", "d", "e"]);
    pages[3..6].iter_mut().for_each(|page| *page = silent(page));
    let tail = tail(&pages[..6]);
    let theirs = marks(&pages);
    assert_eq!(tail.find(&theirs[..4]), Joint::Unsure { resume: 4 });
    assert_eq!(tail.find(&theirs[..5]), Joint::Unsure { resume: 5 });
    assert_eq!(tail.find(&theirs), Joint::Found { resume: 6 });
    let late = marks(&from(&pages, 2));
    assert_eq!(tail.find(&late), Joint::Unsure { resume: 4 });
}

fn silent(page: &[u8]) -> Vec<u8> {
    let header = header(page);
    let made = super::made::Made {
        granule: -1,
        serial: header.serial,
        sequence: header.sequence,
        packets: vec![b"hush".to_vec()],
        ..Default::default()
    };
    made.build()
}

#[test]
fn a_page_on_which_no_packet_ends_tells_no_time() {
    const GRANULE: std::ops::Range<usize> = 6..14;
    let mut programme = opus(1, "", &WORDS);
    // The listener's last page: its packet ends on a later one.
    programme[6][GRANULE].fill(0xff);
    programme[6] = super::made::with_right_crc(programme[6].clone());
    let tail = tail(&programme[..7]);
    let theirs = marks(&programme);
    assert_eq!(tail.find(&theirs[..5]), Joint::NotYet);
    assert_eq!(tail.find(&theirs), Joint::Found { resume: 7 });
}
