//! Dates in the two ways in which Icecast writes them.
//!
//! Comes in: a moment. Goes out: text, always in UTC. Pure.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// The first day of 1970 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// `2026-11-21T02:02:08+0000`.
pub fn iso_8601(at: SystemTime) -> String {
    format!("{}+0000", zulu(at).trim_end_matches('Z'))
}

/// `Sat, 21 Nov 2026 02:02:08 ` and the zone: `GMT` in HTTP, `+0000` on the status page.
pub fn rfc_1123(at: SystemTime, zone: &str) -> String {
    let zulu = zulu(at);
    let mut parts = zulu.split(['-', 'T', 'Z']);
    let mut part = || parts.next().unwrap_or_default();
    let (year, month, day, time) = (part(), part(), part(), part());
    let month = month.parse::<usize>().unwrap_or(1).saturating_sub(1);
    let month = MONTHS.get(month).unwrap_or(&"Jan");
    format!("{}, {day} {month} {year} {time} {zone}", weekday(at))
}

fn zulu(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

fn weekday(at: SystemTime) -> &'static str {
    let seconds = at
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let place = usize::try_from(seconds / 86_400 % 7).unwrap_or(0);
    WEEKDAYS.get(place).copied().unwrap_or("Thu")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_read_as_icecast_writes_them() {
        let at = UNIX_EPOCH + Duration::from_secs(1_795_226_528);
        assert_eq!(iso_8601(at), "2026-11-21T02:02:08+0000");
        assert_eq!(rfc_1123(at, "+0000"), "Sat, 21 Nov 2026 02:02:08 +0000");
        let leap = UNIX_EPOCH + Duration::from_secs(1_709_164_800);
        assert_eq!(rfc_1123(leap, "GMT"), "Thu, 29 Feb 2024 00:00:00 GMT");
    }
}
