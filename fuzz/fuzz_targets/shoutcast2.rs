//! SHOUTcast v2's totals. Law: a report is sound.
#![no_main]

use icecast_balancer_fuzz::poll::{assert_sound, shoutcast2};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(report) = shoutcast2::parse(body) {
        assert_sound(&report);
    }
});
