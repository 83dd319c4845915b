//! Frames of real encoders, cut anywhere, and bytes that are none.

use super::*;
use proptest::prelude::*;

const RELAY_A: &[u8] = include_bytes!("../../../tests/data/captures/relayA-live.mp3");

struct Clip {
    bytes: &'static [u8],
    coding: Coding,
    sample_rate: u32,
    /// As ffprobe counts them; they are all of the file.
    frames: usize,
}

macro_rules! clip {
    ($file:literal, $coding:expr, $sample_rate:expr, $frames:expr) => {
        Clip {
            bytes: include_bytes!(concat!("../../../tests/data/mpeg/", $file)),
            coding: $coding,
            sample_rate: $sample_rate,
            frames: $frames,
        }
    };
}

const AAC_LC_STEREO: Coding = Coding::Adts {
    profile: 1,
    channels: 2,
};

/// A second of noise each, encoded by ffmpeg.
const CLIPS: [Clip; 7] = [
    clip!(
        "mpeg1-layer3.mp3",
        Coding::Mpeg(Version::V1, Layer::III),
        44_100,
        40
    ),
    clip!("vbr.mp3", Coding::Mpeg(Version::V1, Layer::III), 44_100, 40),
    clip!(
        "mpeg2-layer3.mp3",
        Coding::Mpeg(Version::V2, Layer::III),
        22_050,
        41
    ),
    clip!(
        "mpeg25-layer3.mp3",
        Coding::Mpeg(Version::V2_5, Layer::III),
        11_025,
        22
    ),
    clip!(
        "mpeg1-layer2.mp2",
        Coding::Mpeg(Version::V1, Layer::II),
        48_000,
        42
    ),
    clip!(
        "mpeg2-layer2.mp2",
        Coding::Mpeg(Version::V2, Layer::II),
        24_000,
        21
    ),
    clip!("adts.aac", AAC_LC_STEREO, 44_100, 45),
];

fn starts(bytes: &[u8]) -> Vec<usize> {
    Frames::of(bytes).map(|(at, _)| at).collect()
}

#[test]
fn every_frame_of_every_coding_is_found() {
    for clip in CLIPS {
        let frames: Vec<_> = Frames::of(clip.bytes).collect();
        assert_eq!(frames.len(), clip.frames, "{:?}", clip.coding);
        let total: usize = frames.iter().map(|(_, frame)| frame.length_bytes).sum();
        assert_eq!(total, clip.bytes.len());
        for (_, frame) in frames {
            assert_eq!(
                (frame.coding, frame.sample_rate),
                (clip.coding, clip.sample_rate)
            );
        }
    }
}

#[test]
fn wherever_a_stretch_is_cut_its_boundaries_are_those_of_the_whole() {
    for clip in CLIPS {
        let mut boundaries = starts(clip.bytes);
        boundaries.push(clip.bytes.len());
        for start in (0..clip.bytes.len() / 2).step_by(7) {
            let end = clip.bytes.len() - start;
            let stretch = &clip.bytes[start..end];
            if stretch.len() < 2600 {
                continue;
            }
            let first = boundaries.iter().find(|at| **at >= start);
            assert_eq!(first_boundary(stretch).map(|at| start + at).as_ref(), first);
            let last = boundaries.iter().rfind(|at| **at <= end);
            assert_eq!(last_boundary(stretch).map(|at| start + at).as_ref(), last);
        }
    }
}

#[test]
fn a_real_capture_begins_within_a_frame() {
    assert_eq!(first_boundary(RELAY_A), Some(2));
    let frames: Vec<_> = Frames::of(RELAY_A).collect();
    assert!(frames.len() > 400);
    assert!(
        frames
            .windows(2)
            .all(|two| two[0].0 + two[0].1.length_bytes == two[1].0)
    );
}

#[test]
fn bitrates_are_those_of_the_encoder() {
    let about = |bytes, expected: u64| {
        let measured = bits_per_second(bytes).unwrap();
        assert!(measured.abs_diff(expected) * 100 < expected, "{measured}");
    };
    about(RELAY_A, 64_000);
    about(CLIPS[0].bytes, 64_000);
    about(CLIPS[3].bytes, 16_000);
    about(CLIPS[4].bytes, 64_000);
    about(&CLIPS[5].bytes[1..], 32_000);
    assert_eq!(bits_per_second(&[0; 9000]), None);
}

#[test]
fn frames_go_on_behind_bytes_that_are_none() {
    let clip = &CLIPS[0];
    let seam = starts(clip.bytes)[20];
    let broken = [&clip.bytes[..seam], &[0x55; 777], &clip.bytes[seam..]].concat();
    assert_eq!(Frames::of(&broken).count(), clip.frames);
    assert_eq!(last_boundary(&broken), Some(broken.len()));
}

#[test]
fn a_frame_alone_is_not_believed() {
    let clip = &CLIPS[0];
    let starts = starts(clip.bytes);
    assert_eq!(first_boundary(&clip.bytes[..starts[1]]), None);
    assert_eq!(first_boundary(&clip.bytes[..starts[1] + 7]), Some(0));
    assert_eq!(first_boundary(&clip.bytes[..3]), None);
    assert_eq!(last_boundary(&[]), None);
}

#[test]
fn headers_of_another_stream_confirm_nothing() {
    // 128 kbit/s at 44.1 kHz, then a header that says 48 kHz, then 44.1 kHz again.
    let mut bytes = vec![0; 2000];
    for (at, third) in [
        (0, 0x90),
        (417, 0x94),
        (417 + 384, 0x90),
        (2 * 417 + 384, 0x90),
    ] {
        bytes[at..at + 3].copy_from_slice(&[0xFF, 0xFB, third]);
    }
    bytes.truncate(2 * 417 + 384 + 8);
    assert_eq!(first_boundary(&bytes), Some(417 + 384));
}

#[test]
fn noise_has_no_frames() {
    let mut random = fastrand::Rng::with_seed(1);
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
        .take(4_000_000)
        .collect();
    assert_eq!(first_boundary(&noise), None);
}

#[test]
fn headers_are_read_as_the_standards_say() {
    let length = |header: [u8; 4]| {
        let mut bytes = header.to_vec();
        bytes.extend([0; 3]);
        Frame::parse(&bytes).map(|frame| frame.length_bytes)
    };
    assert_eq!(
        length([0xFF, 0xFB, 0x90, 0]),
        Some(417),
        "layer III, 128 kbit/s, 44.1 kHz"
    );
    assert_eq!(
        length([0xFF, 0xFB, 0x92, 0]),
        Some(418),
        "the same with padding"
    );
    assert_eq!(
        length([0xFF, 0xFB, 0xE4, 0]),
        Some(960),
        "320 kbit/s, 48 kHz"
    );
    assert_eq!(
        length([0xFF, 0xFF, 0xC0, 0]),
        Some(416),
        "layer I, 384 kbit/s, 44.1 kHz"
    );
    assert_eq!(
        length([0xFF, 0xFF, 0xC2, 0]),
        Some(420),
        "its slots have four bytes"
    );
    assert_eq!(length([0xFF, 0xFB, 0x00, 0]), None, "free format");
    assert_eq!(length([0xFF, 0xFB, 0xF0, 0]), None, "forbidden bitrate");
    assert_eq!(length([0xFF, 0xFB, 0x9C, 0]), None, "reserved sample rate");
    assert_eq!(length([0xFF, 0xEB, 0x90, 0]), None, "reserved version");
    assert_eq!(
        length([0xFF, 0xF9, 0x50, 0x80]),
        None,
        "ADTS shorter than its header"
    );
}

#[test]
fn sync_bits_without_end_take_linear_time() {
    assert_eq!(first_boundary(&vec![0xFF; 4_000_000]), None);
    // A header every four bytes, none confirmed.
    let headers = [0xFF, 0xFB, 0x90, 0x00].repeat(1_000_000);
    let _ = (
        first_boundary(&headers),
        last_boundary(&headers),
        bits_per_second(&headers),
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_boundaries_lie_within(
        mut bytes in prop::collection::vec(any::<u8>(), 0..3000),
        headers in prop::collection::vec((any::<prop::sample::Index>(), any::<[u8; 4]>()), 0..200),
    ) {
        for (at, [a, b, c, d]) in headers {
            let at = at.index(bytes.len().max(1));
            if let Some(place) = bytes.get_mut(at..at + 4) {
                place.copy_from_slice(&[0xFF, 0xE0 | a, b, c ^ d]);
            }
        }
        let (first, last) = (first_boundary(&bytes), last_boundary(&bytes));
        prop_assert!(first.is_none_or(|at| at < bytes.len()));
        prop_assert!(last.is_none_or(|at| at <= bytes.len()));
        let _ = bits_per_second(&bytes);
    }
}
