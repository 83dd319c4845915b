//! MPEG audio and ADTS. Laws: frames lie inside the stretch, one behind the other, and are what stands there; the cuts are
//! at frames; a frame says that it lasts.
#![no_main]

use icecast_balancer::stream::mpeg::{
    Frame, Frames, bits_per_second, first_boundary, last_boundary,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let frames: Vec<(usize, Frame)> = Frames::of(bytes).collect();
    let mut end = 0;
    for (at, frame) in &frames {
        assert!(*at >= end);
        assert_eq!(Frame::parse(&bytes[*at..]), Some(*frame));
        assert!(frame.length_bytes > 0 && frame.samples > 0 && frame.sample_rate > 0);
        end = at + frame.length_bytes;
        assert!(end <= bytes.len());
    }
    assert_eq!(last_boundary(bytes), frames.last().map(|_| end));
    let first = first_boundary(bytes);
    assert!(frames.first().is_none_or(|(at, _)| first == Some(*at)));
    assert!(first.is_none_or(|at| at < bytes.len()));
    assert_eq!(bits_per_second(bytes).is_some(), !frames.is_empty());
    assert_ne!(bits_per_second(bytes), Some(0));
});
