//! The Ogg room against captured bodies of two relays, encoded clips, and pages built by hand.
//!
//! ICECAST: the captures are two relays of one master at one moment, B joined in mid-stream (2.4.4).

mod chains;
mod held;
mod joint;
mod made;
mod pages;
mod restarts;
mod seams;
mod walk;

use super::*;
use std::fs;

/// Two relays' bodies of one programme: the same pages, in Vorbis under other numbers.
fn views() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let flac = whole("clips/toneflac.oga");
    vec![
        (
            "vorbis",
            whole("captures/relayA-live.ogg"),
            whole("captures/relayB-live.ogg"),
        ),
        (
            "opus",
            whole("captures/relayA-live.opus"),
            whole("captures/relayB-live.opus"),
        ),
        ("flac", flac.clone(), flac),
    ]
}

/// A file's whole pages: captures end inside one.
fn whole(name: &str) -> Vec<u8> {
    let mut bytes = file(name);
    let length = cut(&bytes).iter().map(Vec::len).sum();
    bytes.truncate(length);
    bytes
}

fn file(name: &str) -> Vec<u8> {
    fs::read(format!("tests/data/{name}")).unwrap()
}

/// Cuts a body without a flaw into pages; a second opinion, that shares nothing with the reader.
fn cut(mut body: &[u8]) -> Vec<Vec<u8>> {
    let mut pages = Vec::new();
    while body.len() >= 27 && body.len() >= 27 + usize::from(body[26]) {
        let lacing = 27 + usize::from(body[26]);
        let length = lacing
            + body[27..lacing]
                .iter()
                .map(|&segment| usize::from(segment))
                .sum::<usize>();
        if body.len() < length {
            break;
        }
        assert_eq!(&body[..4], b"OggS");
        pages.push(body[..length].to_vec());
        body = &body[length..];
    }
    assert!(!pages.is_empty());
    pages
}

/// The CRC bit by bit, as the RFC describes it.
fn slow_crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc: u32, _| {
            (crc << 1) ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}

fn has_right_crc(page: &[u8]) -> bool {
    let mut zeroed = page.to_vec();
    zeroed[22..26].fill(0);
    slow_crc(&zeroed).to_le_bytes() == page[22..26]
}

fn read(body: &[u8]) -> Vec<Page> {
    PageReader::default().push(body)
}

fn header(page: &[u8]) -> Header {
    Header::parse(page).unwrap()
}

fn bytes_of(sent: &[Sent]) -> Vec<u8> {
    sent.iter().flat_map(|page| page.bytes.to_vec()).collect()
}

/// The header pages, then all pages from `burst` on: what a relay sends to who comes later.
fn body(pages: &[Vec<u8>], burst: usize) -> Vec<u8> {
    [&pages[..2], &pages[2 + burst..]].concat().concat()
}

fn approach(body: &[u8], chunk_bytes: usize) -> Approach {
    let mut approach = Approach::default();
    body.chunks(chunk_bytes)
        .for_each(|chunk| approach.push(chunk));
    approach
}

fn carry(stream: &mut OggStream, body: &[u8]) -> Vec<u8> {
    body.chunks(1400)
        .flat_map(|chunk| bytes_of(&stream.carry(chunk)))
        .collect()
}

fn splice(stream: &mut OggStream, approach: Approach) -> Vec<u8> {
    match stream.joint(&approach) {
        Joint::Found { resume } => bytes_of(&stream.splice(approach, resume)),
        other => panic!("expected a joint, found {other:?}"),
    }
}

fn assert_well_numbered(body: &[u8]) {
    let pages = cut(body);
    assert!(pages.iter().all(|page| has_right_crc(page)));
    for pair in pages.windows(2) {
        let (last, next) = (header(&pair[0]), header(&pair[1]));
        if next.begins {
            assert_ne!(last.serial, next.serial);
        } else {
            assert_eq!(
                (next.serial, next.sequence),
                (last.serial, last.sequence.wrapping_add(1))
            );
        }
    }
}
