//! Dates in the two ways in which Icecast writes them.
//!
//! Comes in: a moment. Goes out: text, always in UTC. Pure.

use std::time::SystemTime;

/// `2026-11-21T02:02:08+0000`.
pub fn iso_8601(at: SystemTime) -> String {
    let zulu = humantime::format_rfc3339_seconds(at).to_string();
    format!("{}+0000", zulu.trim_end_matches('Z'))
}

/// `Sat, 21 Nov 2026 02:02:08 ` and the zone: `GMT` in HTTP, `+0000` on the status page.
pub fn rfc_1123(at: SystemTime, zone: &str) -> String {
    httpdate::fmt_http_date(at).replace("GMT", zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn dates_read_as_icecast_writes_them() {
        let at = UNIX_EPOCH + Duration::from_secs(1_795_226_528);
        assert_eq!(iso_8601(at), "2026-11-21T02:02:08+0000");
        assert_eq!(rfc_1123(at, "+0000"), "Sat, 21 Nov 2026 02:02:08 +0000");
        let leap = UNIX_EPOCH + Duration::from_secs(1_709_164_800);
        assert_eq!(rfc_1123(leap, "GMT"), "Thu, 29 Feb 2024 00:00:00 GMT");
    }
}
