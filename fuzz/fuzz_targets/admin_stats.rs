//! Icecast's statistics for the administrator. Law: a report is sound.
#![no_main]

use icecast_balancer_fuzz::poll::{admin_stats, assert_sound};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(report) = admin_stats::parse(body) {
        assert_sound(&report);
    }
});
