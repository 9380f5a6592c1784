//! Many beats in one body: `{"workers": [..], "hives": [..]}`.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::DecodeError;
use crate::decode::Violations;

/// The longest batch, in bytes of JSON.
pub const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;
/// The most items of a batch, over all its arrays.
pub const MAX_BATCH_ITEMS: usize = 1000;

/// A batch, taken apart into items that are still JSON, so that one bad item does not spoil the rest.
#[derive(Debug)]
pub struct Batch<'a> {
    arrays: Vec<(String, Vec<&'a RawValue>)>,
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
    /// Takes a batch apart. Whatever is no array is ignored.
    ///
    /// # Errors
    /// If the body is no JSON object, or its arrays have more than 1,000 items together.
    pub fn parse(json: &'a [u8]) -> Result<Self, BatchError> {
        let Arrays(arrays) = match serde_json::from_slice(json) {
            Ok(arrays) => arrays,
            Err(error) => {
                let is_json = serde_json::from_slice::<IgnoredAny>(json).is_ok();
                return Err(BatchError::Decode(if is_json {
                    Violations::one("", "expected an object of arrays").into()
                } else {
                    DecodeError::Unreadable(error.to_string())
                }));
            }
        };
        let items = arrays.iter().map(|(_, items)| items.len()).sum();
        if items > MAX_BATCH_ITEMS { Err(BatchError::TooMany(items)) } else { Ok(Self { arrays }) }
    }

    /// The items of each array, by the plural it is named after.
    pub fn arrays(&self) -> impl Iterator<Item = (&str, &[&'a RawValue])> {
        self.arrays.iter().map(|(plural, items)| (plural.as_str(), items.as_slice()))
    }
}

struct Arrays<'a>(Vec<(String, Vec<&'a RawValue>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Arrays<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Arrays<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of arrays")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Arrays<'de>, A::Error> {
                let mut arrays = Vec::new();
                while let Some((plural, raw)) = map.next_entry::<String, &'de RawValue>()? {
                    if let Ok(items) = serde_json::from_str(raw.get()) {
                        arrays.push((plural, items));
                    }
                }
                Ok(Arrays(arrays))
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
        assert_eq!(
            batch.arrays().map(|(name, items)| (name.to_owned(), items.len())).collect::<Vec<_>>(),
            [("workers".to_owned(), 600), ("moons".to_owned(), 400)]
        );
    }

    #[test]
    fn broken_json_and_other_shapes_are_told_apart() {
        assert!(matches!(Batch::parse(b"{"), Err(BatchError::Decode(DecodeError::Unreadable(_)))));
        assert!(matches!(Batch::parse(b"[]"), Err(BatchError::Decode(DecodeError::Invalid(_)))));
    }
}
