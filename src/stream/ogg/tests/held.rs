//! What an approach holds while it waits: no more than it counts, whatever is sent.

use super::made::{Made, opus};
use super::*;

/// The smallest page on which a packet ends.
fn small_page() -> Vec<u8> {
    let page = Made {
        serial: 1,
        sequence: 3,
        granule: 1,
        packets: vec![Vec::new()],
        ..Made::default()
    };
    page.build()
}

/// An approach whose chain has begun.
fn begun() -> Approach {
    approach(&opus(1, "", &["a"]).concat(), 1_000)
}

#[test]
fn a_page_that_waits_does_not_keep_the_garbage_around_it() {
    let mut approach = begun();
    let chunk = [vec![b'x'; 9_000], small_page(), vec![b'x'; 900]].concat();
    for _ in 0..100 {
        approach.push(&chunk);
    }
    let (_, _, pages) = approach.from(0);
    assert_eq!(pages.len(), 103);
    for held in pages {
        let mut bytes = held.page.into_bytes().try_into_mut().unwrap();
        assert!(!bytes.try_reclaim(1), "its memory is longer than the page");
    }
}

#[test]
fn the_smallest_pages_fill_no_more_memory_than_the_largest() {
    let mut approach = begun();
    let page = small_page();
    let chunk = page.repeat(HELD_BYTES / page.len() / 50);
    for _ in 0..60 {
        approach.push(&chunk);
    }
    let least_bytes = page.len() + size_of::<Page>() + size_of::<Mark>();
    let pages = approach.pages();
    assert!(
        pages > 1_000 && pages * least_bytes <= HELD_BYTES,
        "{pages}"
    );
}
