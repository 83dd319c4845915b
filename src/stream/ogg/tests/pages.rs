//! Reading pages, and their CRC.

use super::made::Made;
use super::*;
use crate::stream::ogg::crc;
use proptest::prelude::*;
use proptest::sample::Index;
use std::time::{Duration, Instant};

fn push_in_pieces(reader: &mut PageReader, body: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
    let mut pages = Vec::new();
    let mut rest = body;
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(rest.len().min(*lengths.next().unwrap()));
        pages.extend(
            reader
                .push(chunk)
                .into_iter()
                .map(|page| page.bytes().to_vec()),
        );
        assert!(reader.held_bytes() < MAX_PAGE_BYTES);
        rest = behind;
    }
    pages
}

/// A body all of whose candidates claim 64 KiB of payload and have a wrong CRC.
fn flood(length: usize) -> Vec<u8> {
    let mut bait = b"OggS\0".to_vec();
    bait.extend([0; 21]);
    bait.push(255);
    bait.extend([255; 4]);
    let mut flood = bait
        .iter()
        .copied()
        .cycle()
        .take(length)
        .collect::<Vec<_>>();
    for lacing in flood.chunks_mut(62).skip(1).step_by(2) {
        lacing.fill(255);
    }
    flood
}

#[test]
fn every_page_of_every_capture_is_read_as_it_is() {
    for (name, a, b) in views() {
        for body in [a, b] {
            let mut reader = PageReader::default();
            let read = reader.push(&body);
            let bytes = read
                .iter()
                .map(|page| page.bytes().to_vec())
                .collect::<Vec<_>>();
            assert!(bytes == cut(&body), "{name}");
            assert_eq!(
                (reader.skipped_bytes(), reader.held_bytes()),
                (0, 0),
                "{name}"
            );
        }
    }
}

#[test]
fn a_header_says_what_stands_in_the_page() {
    let pages = read(&file("captures/relayA-live.ogg"));
    let first = *pages[0].header();
    assert!(first.begins && !first.ends && !first.continued);
    let audio = *pages[2].header();
    assert_eq!(
        (audio.granule, audio.serial, audio.sequence),
        (2_004_672, 0x643c_9869, 90)
    );
    assert_eq!(
        (
            audio.segments,
            pages[2].bytes().len(),
            pages[2].body().len()
        ),
        (22, 4065, 4065 - 27 - 22)
    );
    assert_eq!(pages[2].packets_ended(), 22);
    let clip = read(&file("clips/tone64.ogg"));
    assert!(clip.last().unwrap().header().ends);
}

#[test]
fn the_longest_page_is_read() {
    let packet = vec![7; 255 * 255 - 1];
    let page = Made {
        packets: vec![packet],
        ..Made::default()
    }
    .build();
    let longest = 27 + 255 + 255 * 255 - 1;
    assert_eq!(page.len(), longest);
    assert!(read(&page)[0].bytes() == page);
}

#[test]
fn garbage_is_skipped_and_counted() {
    let pages = cut(&file("captures/relayA-live.opus"));
    let [first, between, last] = [
        b"OggOgg".as_slice(),
        b"OggS\0 no page, but long enough for one",
        b"Og",
    ];
    let body = [first, &pages[0], between, &pages[1..].concat(), last].concat();
    let mut reader = PageReader::default();
    assert!(push_in_pieces(&mut reader, &body, &[1]) == pages);
    assert_eq!(reader.skipped_bytes(), (first.len() + between.len()) as u64);
    assert_eq!(reader.held_bytes(), last.len());
}

#[test]
fn a_page_is_found_behind_garbage_wherever_the_chunk_is_cut() {
    let page = cut(&file("captures/relayA-live.opus")).swap_remove(0);
    let garbage = [7; 40];
    let body = [garbage.as_slice(), &page].concat();
    for at in 0..=body.len() {
        let mut reader = PageReader::default();
        let mut pages = reader.push(&body[..at]);
        pages.extend(reader.push(&body[at..]));
        assert_eq!(pages.len(), 1, "{at}");
        assert_eq!(reader.skipped_bytes(), garbage.len() as u64, "{at}");
    }
}

#[test]
fn a_damaged_page_is_left_out_and_the_next_is_read() {
    let mut pages = cut(&file("captures/relayA-live.ogg"));
    pages[3][100] ^= 1;
    let mut reader = PageReader::default();
    let read = push_in_pieces(&mut reader, &pages.concat(), &[1400]);
    assert_eq!(reader.skipped_bytes(), pages[3].len() as u64);
    pages.remove(3);
    assert!(read == pages);
}

#[test]
fn a_flood_of_false_pages_costs_little_and_the_stream_behind_it_is_found() {
    let pages = cut(&file("captures/relayA-live.opus"));
    let mut body = flood(4_000_000);
    body.extend(vec![0; MAX_PAGE_BYTES]);
    body.extend(pages.concat());
    let began = Instant::now();
    let mut reader = PageReader::default();
    let read = push_in_pieces(&mut reader, &body, &[1400]);
    // Each of 60,000 candidates checked in full would be 4 GB: minutes.
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert!(read == pages);
}

#[test]
fn renumbering_to_the_same_numbers_changes_nothing() {
    let pages = read(&file("captures/relayA-live.opus"));
    assert!(!pages.is_empty());
    for page in pages {
        let (before, header) = (page.bytes().to_vec(), *page.header());
        assert_eq!(page.renumbered(header.serial, header.sequence), before);
    }
}

proptest! {
    #[test]
    fn a_crc_is_the_slow_one(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(crc::extend(0, &bytes), slow_crc(&bytes));
    }

    #[test]
    fn crcs_of_two_halves_join(bytes in prop::collection::vec(any::<u8>(), 0..300), at in any::<Index>()) {
        let (left, right) = bytes.split_at(at.index(bytes.len() + 1));
        let joined = crc::zeros(crc::extend(0, left), right.len()) ^ crc::extend(0, right);
        prop_assert_eq!(joined, slow_crc(&bytes));
    }

    #[test]
    fn wherever_chunks_are_cut_the_pages_are_the_same(lengths in prop::collection::vec(1usize..9_000, 1..30)) {
        for (name, body, _) in views() {
            let mut reader = PageReader::default();
            prop_assert_eq!(push_in_pieces(&mut reader, &body, &lengths), cut(&body), "{}", name);
            prop_assert_eq!(reader.skipped_bytes(), 0);
        }
    }

    #[test]
    fn arbitrary_bytes_are_pages_or_skipped_or_held(
        parts in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            Just(b"OggS\0".to_vec()),
            Just(vec![0; 22]),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|packet| Made { packets: vec![packet], ..Made::default() }.build()),
        ], 0..40),
        lengths in prop::collection::vec(1usize..200, 1..10),
    ) {
        let body = parts.concat();
        let mut reader = PageReader::default();
        let pages = push_in_pieces(&mut reader, &body, &lengths);
        let read = pages.iter().map(Vec::len).sum::<usize>() as u64;
        prop_assert_eq!(read + reader.skipped_bytes() + reader.held_bytes() as u64, body.len() as u64);
        prop_assert!(pages.iter().all(|page| has_right_crc(page)));
    }

    #[test]
    fn flipped_bits_cost_only_the_pages_they_hit(flips in prop::collection::vec(any::<Index>(), 0..6)) {
        let mut body = whole("captures/relayA-live.ogg");
        let before = cut(&body);
        for flip in &flips {
            let bit = flip.index(body.len() * 8);
            body[bit / 8] ^= 1 << (bit % 8);
        }
        let read = push_in_pieces(&mut PageReader::default(), &body, &[1400]);
        prop_assert!(read.iter().all(|page| before.contains(page)));
        // A flipped length may swallow the pages behind it until the body ends: at most 64 KiB.
        prop_assert!(!flips.is_empty() || read == before);
    }

    #[test]
    fn a_renumbered_page_differs_in_its_numbers_only(serial in any::<u32>(), sequence in any::<u32>(), which in any::<Index>()) {
        let mut pages = read(&file("captures/relayA-live.ogg"));
        let page = pages.swap_remove(which.index(pages.len()));
        let before = page.bytes().to_vec();
        let after = page.renumbered(serial, sequence);
        prop_assert!(has_right_crc(&after));
        let (old, new) = (header(&before), header(&after));
        prop_assert_eq!((new.serial, new.sequence), (serial, sequence));
        prop_assert_eq!(Header { serial, sequence, crc: new.crc, ..old }, new);
        prop_assert_eq!(&before[26..], &after[26..]);
    }
}
