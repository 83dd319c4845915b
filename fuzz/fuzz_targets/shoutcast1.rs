//! SHOUTcast v1's line of counts. Law: a report is sound.
#![no_main]

use icecast_balancer_fuzz::poll::{assert_sound, shoutcast1};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(report) = shoutcast1::parse(body) {
        assert_sound(&report);
    }
});
