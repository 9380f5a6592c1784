//! Many beats in one body: `{"workers": [..], "hives": [..]}`.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::DecodeError;
use crate::decode::{Violations, text};

/// The longest batch, in bytes of JSON.
pub const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;
/// The most items of a batch, over all its arrays.
pub const MAX_BATCH_ITEMS: usize = 1000;

/// A batch, taken apart into items that are still JSON, so that one bad item does not spoil the rest.
#[derive(Debug)]
pub struct Batch<'a> {
    entries: Vec<(String, Option<Vec<&'a RawValue>>)>,
}

/// Why a body is no batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// It cannot be taken apart.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It has this many items.
    #[error("{0} items are too many for a batch (at most {MAX_BATCH_ITEMS})")]
    TooMany(usize),
}

impl<'a> Batch<'a> {
    /// Takes a batch apart.
    ///
    /// # Errors
    /// If the body is no JSON object, or its arrays have more than 1,000 items together.
    pub fn parse(json: &'a [u8]) -> Result<Self, BatchError> {
        let json = text(json)?;
        let Entries(entries) = match serde_json::from_str(json) {
            Ok(entries) => entries,
            Err(error) => {
                let is_json = serde_json::from_str::<IgnoredAny>(json).is_ok();
                return Err(BatchError::Decode(if is_json {
                    Violations::one("", "expected an object of arrays").into()
                } else {
                    DecodeError::Unreadable(error.to_string())
                }));
            }
        };
        let items = entries.iter().flat_map(|(_, items)| items).map(Vec::len).sum();
        if items > MAX_BATCH_ITEMS { Err(BatchError::TooMany(items)) } else { Ok(Self { entries }) }
    }

    /// The items of each array, by the plural it is named after; `None` where the value is no array.
    pub fn arrays(&self) -> impl Iterator<Item = (&str, Option<&[&'a RawValue]>)> {
        self.entries.iter().map(|(plural, items)| (plural.as_str(), items.as_deref()))
    }
}

struct Entries<'a>(Vec<(String, Option<Vec<&'a RawValue>>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of arrays")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some((plural, raw)) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push((plural, serde_json::from_str(raw.get()).ok()));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_count_over_all_arrays_also_unknown_ones() {
        let items = |n: usize| vec!["1"; n].join(",");
        let body = format!(r#"{{"workers":[{}],"moons":[{}]}}"#, items(600), items(401));
        assert_eq!(Batch::parse(body.as_bytes()).unwrap_err(), BatchError::TooMany(1001));
        let body = format!(r#"{{"workers":[{}],"moons":[{}],"note":"x"}}"#, items(600), items(400));
        let batch = Batch::parse(body.as_bytes()).unwrap();
        let lengths: Vec<_> = batch.arrays().map(|(name, items)| (name, items.map(<[_]>::len))).collect();
        assert_eq!(lengths, [("workers", Some(600)), ("moons", Some(400)), ("note", None)]);
    }

    #[test]
    fn broken_json_and_other_shapes_are_told_apart() {
        assert!(matches!(Batch::parse(b"{"), Err(BatchError::Decode(DecodeError::Unreadable(_)))));
        assert!(matches!(Batch::parse(b"[]"), Err(BatchError::Decode(DecodeError::Invalid(_)))));
    }
}
