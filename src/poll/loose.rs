//! JSON values of whatever type: status pages write a title of `1999` as a number and a missing list as `null`.
//!
//! In: serde_json's events. Out: [`Loose`] values and [`Entries`]. Keeps nothing of nested values that nobody asked for, so
//! a hostile document costs no more memory than its own length.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::text;

/// The most mounts of one document; a fleet of real relays has some hundreds each.
pub(super) const MOUNTS_LIMIT: usize = 10_000;

/// One scalar, or nothing: `null`, a missing key, a nested value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Loose {
    /// Nothing that could be used.
    #[default]
    Nothing,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number from 0.
    Whole(u64),
    /// Any other number.
    Number(f64),
    /// A string.
    Text(String),
}

impl Loose {
    /// Whether the document says anything here.
    pub(super) fn is_told(&self) -> bool {
        *self != Self::Nothing
    }

    /// The value as a count, clamped to `u32`; what is negative or no number counts as not told.
    pub(super) fn count(&self) -> Option<u32> {
        match self {
            Self::Whole(n) => Some(u32::try_from(*n).unwrap_or(u32::MAX)),
            // `as` saturates: 1e300 is u32::MAX.
            Self::Number(n) => (*n >= 0.0).then_some(*n as u32),
            Self::Text(text) => text::count(text),
            Self::Nothing | Self::Bool(_) => None,
        }
    }

    /// The value as text for people.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Bool(b) => Some(b.to_string()),
            Self::Whole(n) => Some(n.to_string()),
            Self::Number(n) => Some(n.to_string()),
            Self::Text(text) => text::printable(text),
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Loose, E> {
        Ok(Loose::Nothing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Loose, E> {
        Ok(Loose::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Loose, E> {
        Ok(Loose::Whole(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Loose, E> {
        Ok(u64::try_from(value).map_or(Loose::Number(value as f64), Loose::Whole))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Loose, E> {
        Ok(Loose::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Nothing)
    }
}

/// The objects of a list that is written as an array, as its only object, or as `null` when empty.
///
/// ICECAST: `source` is absent without a mount, an object with one, an array with several; `null` stands for a mount
/// that has no statistics yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entries<T>(pub(super) Vec<T>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of mounts, one mount, or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Entries::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let only = T::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Entries(vec![only]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = seq.next_element::<Option<T>>()? {
            entries.extend(entry);
            if entries.len() > MOUNTS_LIMIT {
                return Err(A::Error::custom(format_args!(
                    "expected at most {MOUNTS_LIMIT} mounts"
                )));
            }
        }
        Ok(Entries(entries))
    }
}
