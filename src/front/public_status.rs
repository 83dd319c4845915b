//! `GET /status`: the listeners of each reachable relay, fewest first, as the Python icecast-balancer answered it.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::answer::Page;
use crate::fleet::{Fleet, Health};

/// Relay names and listeners in the order in which they are written.
struct Counts<'a>(Vec<(&'a str, u32)>);

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, listeners) in &self.0 {
            map.serialize_entry(name, listeners)?;
        }
        map.end()
    }
}

/// The page; 503 when no relay is reachable (the Python project answered 400).
pub fn render(fleet: &Fleet) -> Page {
    let reachable = fleet.iter().filter(|(_, _, standing, record)| {
        standing.health == Health::Up && record.report.is_some()
    });
    let mut counts: Vec<(&str, u32)> = reachable
        .map(|(_, relay, standing, _)| (relay.name.as_str(), standing.listeners))
        .collect();
    counts.sort_unstable_by_key(|(name, listeners)| (*listeners, *name));
    let (status, body) = if counts.is_empty() {
        (
            503,
            r#"{"status":503,"error":"no relay is reachable"}"#.to_owned(),
        )
    } else {
        (
            200,
            serde_json::to_string(&Counts(counts)).unwrap_or_default(),
        )
    };
    Page {
        status,
        content_type: "application/json",
        body: body + "\n",
    }
}
