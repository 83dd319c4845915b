//! Icecast's public status page and the repair of what Icecast 2.4 writes badly. Laws: a report is sound; the repair leaves
//! the meaning of what needs none as it is, and does not blow anything up.
#![no_main]

use icecast_balancer_fuzz::poll::{assert_sound, repaired, status_json};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    if let Ok(report) = status_json::parse(body) {
        assert_sound(&report);
    }
    let repaired = repaired(body);
    // A byte that is no UTF-8 becomes three.
    assert!(repaired.len() <= 4 * body.len());
    // The repair takes DEL for a control character; JSON does not, and people see nothing of it.
    if body.contains(&0x7f) {
        return;
    }
    if let Ok(document) = serde_json::from_slice::<Value>(body) {
        assert_eq!(
            serde_json::from_str::<Value>(&repaired).ok(),
            Some(document)
        );
    }
});
