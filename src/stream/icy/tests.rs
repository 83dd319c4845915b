//! Out and in again: what a listener gets is what the relay sent, whatever the counters and the cutting.

use super::*;
use proptest::prelude::*;

/// The head and the first 140,000 bytes that an Icecast 2.4.4 sent; the title changes twice.
const CAPTURE: &[u8] =
    include_bytes!("../../../tests/data/captures/relayA-live.mp3.icy-with-head.bin");

type Heard = (Vec<u8>, Vec<(u64, String)>);

/// The audio and the titles of a body that comes in pieces.
fn read<'a>(metaint: usize, chunks: impl Iterator<Item = &'a [u8]>) -> Heard {
    let mut reader = IcyReader::new(metaint).unwrap();
    let (mut audio, mut titles) = (Vec::new(), Vec::new());
    for chunk in chunks {
        reader.read(chunk, |piece| match piece {
            Piece::Audio(bytes) => audio.extend_from_slice(bytes),
            Piece::Metadata {
                audio_bytes,
                metadata,
            } => titles.push((audio_bytes, named(&metadata))),
        });
    }
    (audio, titles)
}

fn named(metadata: &Metadata) -> String {
    // ICECAST: MP3 titles are ISO-8859-1 unless a charset is set.
    metadata
        .title()
        .unwrap()
        .iter()
        .map(|byte| char::from(*byte))
        .collect()
}

/// Reads what a relay sends and writes it for a listener.
fn passed_on<'a>(from: usize, to: usize, chunks: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut reader = IcyReader::new(from).unwrap();
    let mut writer = IcyWriter::new(to).unwrap();
    let mut out = Vec::new();
    for chunk in chunks {
        reader.read(chunk, |piece| match piece {
            Piece::Audio(audio) => writer.write(audio, |bytes| out.extend_from_slice(bytes)),
            Piece::Metadata { metadata, .. } => writer.set(&metadata),
        });
    }
    out
}

/// A body whose title changes before each of the parts.
fn body_of(metaint: usize, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = IcyWriter::new(metaint).unwrap();
    let mut body = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        writer.set(&Metadata::from_title(&format!("Title {number}")));
        writer.write(part, |bytes| body.extend_from_slice(bytes));
    }
    body
}

/// Cuts `bytes` into pieces of these sizes, again and again.
fn cut<'a>(bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut chunks) = (bytes, Vec::new());
    for size in sizes.iter().cycle() {
        let (now, later) = rest.split_at((*size).min(rest.len()));
        chunks.push(now);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    chunks
}

proptest! {
    #[test]
    fn out_and_in_again_is_the_identity(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..900), 1..8),
        from in 1_usize..300,
        to in 1_usize..300,
        sizes in prop::collection::vec(1_usize..200, 1..10),
    ) {
        let body = body_of(from, &parts);
        let (audio, sent_titles) = read(from, [&*body].into_iter());
        prop_assert_eq!(&audio, &parts.concat());

        let out = passed_on(from, to, cut(&body, &sizes).into_iter());
        let (heard, titles) = read(to, [&*out].into_iter());
        prop_assert_eq!(heard, audio);
        // ICY tells what holds now: of several changes within one interval the last.
        let told: Vec<&String> = titles.iter().map(|(_, title)| title).collect();
        let mut sent = sent_titles.iter().map(|(_, title)| title);
        prop_assert!(told.iter().all(|title| sent.any(|it| it == *title)), "{told:?}");
        let parted = sent_titles.windows(2).all(|two| two[1].0 - two[0].0 > to as u64);
        if parted && sent_titles.last().is_some_and(|(at, _)| at + (to as u64) < parts.concat().len() as u64) {
            prop_assert_eq!(told.len(), sent_titles.len());
        }
    }

    #[test]
    fn stripping_in_place_is_reading(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..900), 1..8),
        metaint in 1_usize..300,
        sizes in prop::collection::vec(1_usize..200, 1..10),
    ) {
        let body = body_of(metaint, &parts);
        let mut reader = IcyReader::new(metaint).unwrap();
        let (mut audio, mut titles) = (Vec::new(), Vec::new());
        for chunk in cut(&body, &sizes) {
            let mut chunk = chunk.to_vec();
            let kept = reader.strip(&mut chunk, |at, metadata| titles.push((at, named(&metadata))));
            audio.extend_from_slice(&chunk[..kept]);
        }
        prop_assert_eq!((audio, titles), read(metaint, [&*body].into_iter()));
    }

    #[test]
    fn no_body_makes_it_panic(
        body in prop::collection::vec(any::<u8>(), 0..9000),
        metaint in 1_usize..100,
    ) {
        let mut reader = IcyReader::new(metaint).unwrap();
        let mut read = 0;
        reader.read(&body, |piece| if let Piece::Audio(audio) = piece { read += audio.len() });
        prop_assert!(read <= body.len());
    }
}

#[test]
fn a_real_body_gives_its_audio_and_both_titles() {
    let head = memchr::memmem::find(CAPTURE, b"\r\n\r\n").unwrap() + 4;
    let (audio, titles) = read(16_000, CAPTURE[head..].chunks(1400));
    let told: Vec<_> = titles
        .iter()
        .map(|(at, title)| (*at, title.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (16_000, ""),
            (96_000, "First Title"),
            (128_000, "Second \u{e9} Title")
        ]
    );
    // Eight blocks lie in the capture, three of them with text: two of one sixteenth more than the first.
    assert_eq!(audio.len(), CAPTURE.len() - head - 8 - (16 + 32 + 32));
}

#[test]
fn a_listener_is_told_the_title_first_and_then_only_its_changes() {
    let mut writer = IcyWriter::new(4).unwrap();
    let mut body = Vec::new();
    let mut send = |title: &str| {
        writer.set(&Metadata::from_title(title));
        writer.write(b"abcdef", |bytes| body.extend_from_slice(bytes));
    };
    ["A", "A", "B", "B"].into_iter().for_each(&mut send);
    assert_eq!(
        body,
        b"abcd\x01StreamTitle='A';efab\0cdef\x01StreamTitle='B';abcd\0efab\0cdef"
    );
}

#[test]
fn at_the_same_interval_a_real_body_passes_unchanged() {
    let head = memchr::memmem::find(CAPTURE, b"\r\n\r\n").unwrap() + 4;
    let body = &CAPTURE[head..];
    for size in [1, 1400, 16_000, body.len()] {
        let out = passed_on(16_000, 16_000, body.chunks(size));
        assert!(out == body, "in chunks of {size}");
    }
}

#[test]
fn the_longest_block_is_read_whole() {
    let body = [&b"ab\xff"[..], &[b'x'; 4080], b"cd"].concat();
    let mut reader = IcyReader::new(2).unwrap();
    let mut blocks = Vec::new();
    for byte in body.chunks(1) {
        reader.read(byte, |piece| {
            if let Piece::Metadata { metadata, .. } = piece {
                blocks.push(metadata.block().to_vec());
            }
        });
    }
    assert_eq!(blocks, [body[2..4083].to_vec()]);
}

#[test]
fn hostile_intervals_are_refused() {
    for found in [0, METAINT_LIMIT_BYTES + 1, usize::MAX] {
        assert_eq!(IcyReader::new(found).unwrap_err(), BadMetaint { found });
        assert_eq!(IcyWriter::new(found).unwrap_err(), BadMetaint { found });
    }
    assert!(IcyReader::new(METAINT_LIMIT_BYTES).is_ok());
}
