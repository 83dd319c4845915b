//! ICY metadata. Laws: a body is read the same in any chunks, and in place; what a writer puts between audio a reader takes
//! out again; a budget lets no more metadata through than audio and the allowance, however the body is cut.
#![no_main]

use icecast_balancer::stream::icy::{
    IcyReader, IcyWriter, METADATA_ALLOWANCE_BYTES, Metadata, MetadataBudget, Piece,
};
use icecast_balancer_fuzz::cut::{chunks, steered};
use libfuzzer_sys::fuzz_target;

/// The most that a block can hold: no relay can send a longer one.
const BLOCK_BYTES: usize = 255 * 16;

type Heard = (Vec<u8>, Vec<(u64, Metadata)>);

fuzz_target!(|input: &[u8]| {
    let (data, [metaint, by, titles, sizes @ ..]) = steered(input);
    let metaint = 1 + usize::from(metaint) * (1 + usize::from(by));
    let whole = read(metaint, [data].into_iter());
    assert_sound(&whole, data.len());
    assert_eq!(read(metaint, chunks(data, &sizes)), whole);
    assert_eq!(stripped(metaint, chunks(data, &sizes)), whole);
    assert_comes_back(metaint, titles, data, &sizes);
    assert_within_budget(metaint, data, &sizes);
});

fn read<'a>(metaint: usize, chunks: impl Iterator<Item = &'a [u8]>) -> Heard {
    let mut reader = IcyReader::new(metaint).unwrap();
    let (mut audio, mut told) = (Vec::new(), Vec::new());
    for chunk in chunks {
        reader.read(chunk, |piece| match piece {
            Piece::Audio(bytes) => audio.extend_from_slice(bytes),
            Piece::Metadata {
                audio_bytes,
                metadata,
            } => told.push((audio_bytes, metadata)),
        });
    }
    (audio, told)
}

fn stripped<'a>(metaint: usize, chunks: impl Iterator<Item = &'a [u8]>) -> Heard {
    let mut reader = IcyReader::new(metaint).unwrap();
    let (mut audio, mut told) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let mut chunk = chunk.to_vec();
        let kept = reader.strip(&mut chunk, |at, metadata| told.push((at, metadata)));
        audio.extend_from_slice(&chunk[..kept]);
    }
    (audio, told)
}

fn assert_sound((audio, told): &Heard, body_bytes: usize) {
    let blocks: usize = told.iter().map(|(_, it)| it.block().len()).sum();
    assert!(audio.len() + blocks <= body_bytes);
    assert!(told.is_sorted_by_key(|(at, _)| *at));
    for (at, metadata) in told {
        assert!(*at <= audio.len() as u64);
        let block = metadata.block();
        assert_eq!(block.len(), 1 + 16 * usize::from(block[0]));
        assert!(
            metadata
                .title()
                .is_none_or(|title| title.len() < block.len())
        );
    }
}

/// Every piece but the first is told as another title; `titles` says how long they are.
fn assert_comes_back(metaint: usize, titles: u8, audio: &[u8], sizes: &[u8]) {
    let mut writer = IcyWriter::new(metaint).unwrap();
    let (mut body, mut set) = (Vec::new(), Vec::new());
    for piece in chunks(audio, sizes) {
        writer.write(piece, |bytes| body.extend_from_slice(bytes));
        let text = &piece[..piece.len().min(usize::from(titles) * BLOCK_BYTES / 255)];
        let metadata = match std::str::from_utf8(text) {
            Ok(title) => Metadata::from_title(title),
            Err(_) => Metadata::from_block(text),
        };
        writer.set(&metadata);
        set.push(metadata);
    }
    let (heard, told) = read(metaint, [&*body].into_iter());
    assert_eq!(heard, audio);
    assert_sound(&(heard, told.clone()), body.len());
    // Of several titles within one interval the last is told, never one that was not set, and never out of order.
    let mut set = set.iter();
    assert!(told.iter().all(|(_, it)| set.any(|title| title == it)));
}

/// The body many times over, as far as the budget goes.
fn assert_within_budget(metaint: usize, data: &[u8], sizes: &[u8]) {
    let (mut reader, mut budget) = (IcyReader::new(metaint).unwrap(), MetadataBudget::default());
    let (mut audio, mut metadata) = (0, 0);
    for chunk in (0..64).flat_map(|_| chunks(data, sizes)) {
        let mut chunk = chunk.to_vec();
        let kept = reader.strip(&mut chunk, |_, _| {});
        if budget.note(kept, chunk.len() - kept).is_err() {
            assert!(metadata + chunk.len() > METADATA_ALLOWANCE_BYTES);
            return;
        }
        audio += kept;
        metadata += chunk.len() - kept;
        assert!(metadata <= audio + METADATA_ALLOWANCE_BYTES);
    }
}
