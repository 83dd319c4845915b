//! One `[[relay]]`: where it is, what it may carry, who asks it.
//!
//! In: its table. Out: an [`Entry`], when its url is good. What concerns several relays is judged in `validate`.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Fault, Spot};
use super::section::{Read, Section};
use super::value::{self, Given};
use super::{RelayConfig, Stats, address, credentials};
use crate::fleet::{Origin, Relay};

/// In the middle of 1 to 1000 on a scale of factors, so that a relay can be made weaker and stronger.
pub(super) const DEFAULT_WEIGHT: u32 = 100;

const STATS: [(&str, Stats); 5] = [
    ("auto", Stats::Auto),
    ("status-json", Stats::StatusJson),
    ("admin-stats", Stats::AdminStats),
    ("shoutcast1", Stats::Shoutcast1),
    ("shoutcast2", Stats::Shoutcast2),
];

/// A relay and where it was named.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) config: RelayConfig,
    /// Where its name stands, or its url where that gave the name.
    pub(super) name_at: Spot,
    pub(super) url_at: Spot,
    /// One for each public address, or its url's where that gave it.
    pub(super) public_at: Vec<Spot>,
}

impl Entry {
    /// A relay all of which was named at one spot.
    pub(super) fn at(config: RelayConfig, spot: &Spot) -> Self {
        Self {
            name_at: spot.clone(),
            url_at: spot.clone(),
            public_at: vec![spot.clone(); config.relay.public.len()],
            config,
        }
    }
}

/// Reads one `[[relay]]`.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Entry> {
    let name = section.scalar("name", value::relay_name);
    let url = section.scalar("url", address::relay_origin);
    let public = public(section);
    let weight = section.scalar("weight", |given| value::count(given, 1..=1000));
    let capacity = section.scalar("capacity", value::capacity);
    let stats = section.scalar("stats", |given| value::word(given, &STATS));
    let credentials = credentials::of_status_page(section, &stats);
    let stream_credentials = credentials::of_streams(section, credentials.as_ref());
    let mounts = mounts(section);
    let (url, url_at) = required(section, url)?;
    let (name, name_at) = named(section, name, &url, &url_at)?;
    let relay = Relay {
        name,
        public: vec![url.clone()],
        url,
        weight: weight.or(DEFAULT_WEIGHT),
        capacity_listeners: capacity.value(),
        mounts,
    };
    let config = RelayConfig {
        relay,
        stats: stats.or(Stats::Auto),
        credentials,
        stream_credentials,
    };
    let mut entry = Entry {
        name_at,
        ..Entry::at(config, &url_at)
    };
    if let Some(public) = public {
        (entry.config.relay.public, entry.public_at) = public.into_iter().unzip();
    }
    Some(entry)
}

fn required(section: &mut Section<'_, '_>, url: Read<Origin>) -> Option<(Origin, Spot)> {
    if let Read::Absent = url {
        section.refuse_missing(
            "url",
            "the relay's address such as \"http://relay1.example.com:8000\"",
        );
    }
    url.with_spot()
}

/// The name that was given, or the url's host and port.
fn named(
    section: &mut Section<'_, '_>,
    name: Read<String>,
    url: &Origin,
    url_at: &Spot,
) -> Option<(String, Spot)> {
    match name {
        Read::Value(name, spot) => Some((name, spot)),
        Read::Refused => None,
        Read::Absent => match value::relay_name(&Given::Text(&url.authority())) {
            Ok(name) => Some((name, url_at.clone())),
            Err(_) => {
                section.refuse_missing("name", "a name, because the url is too long to be one");
                None
            }
        },
    }
}

/// Reads where listeners are sent; the relay needs one address, and a listener has no use for two of one scheme.
fn public(section: &mut Section<'_, '_>) -> Option<Vec<(Origin, Spot)>> {
    let mut schemes = BTreeSet::new();
    let public = section.list("public_url", |given| {
        let origin = address::relay_origin(given)?;
        match schemes.insert(origin.scheme) {
            true => Ok(origin),
            false => Err(given.instead_of(format!("one {} address", origin.scheme.as_str()))),
        }
    });
    let (public, spot) = public.with_spot()?;
    if public.is_empty() {
        let fault = Fault::expected("one address at least", "an empty array");
        section.reader.refuse(spot, fault);
        return None;
    }
    Some(public)
}

/// Reads what is called differently on this relay: public path to own path.
fn mounts(section: &mut Section<'_, '_>) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let mounts = section.pairs("mounts", |public, own| {
        let pair = (value::public_path(public)?, value::mount_path(own)?);
        match taken.insert(pair.1.clone()) {
            true => Ok(pair),
            false => Err(own.instead_of("a mount of this relay that no other name has")),
        }
    });
    mounts.into_iter().collect()
}
