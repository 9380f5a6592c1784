//! Free-form data that rides along with a beat.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The longest metadata, in bytes of JSON.
pub const MAX_METADATA_BYTES: usize = 1024;
const MAX_DEPTH: usize = 32;

/// A JSON object of at most 1 KiB and 32 levels, kept as text; cheap to clone.
///
/// ```
/// use heartbeat_contract::Metadata;
///
/// let metadata = Metadata::new(&serde_json::json!({"job": "nightly-7"}))?;
/// assert_eq!(metadata.as_json(), r#"{"job":"nightly-7"}"#);
/// # Ok::<(), heartbeat_contract::InvalidMetadata>(())
/// ```
#[derive(Clone)]
pub struct Metadata(Arc<RawValue>);

/// Why a value is no metadata.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// It is JSON, but no object.
    #[error("metadata must be an object")]
    NotAnObject,
    /// It has this many bytes.
    #[error("{0} bytes are too long for metadata (at most {MAX_METADATA_BYTES})")]
    TooLong(usize),
    /// Its objects and arrays nest too deeply.
    #[error("metadata must not nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// It cannot be written as JSON.
    #[error("metadata cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}

impl Default for Metadata {
    /// The object without fields.
    fn default() -> Self {
        Self(RawValue::from_string("{}".to_owned()).expect("it is JSON").into())
    }
}

impl Metadata {
    /// Writes a value as metadata.
    ///
    /// # Errors
    /// If the value is no object, longer than 1 KiB or nested deeper than 32 levels as JSON, or cannot be written.
    pub fn new(value: &impl Serialize) -> Result<Self, InvalidMetadata> {
        let raw = serde_json::value::to_raw_value(value).map_err(InvalidMetadata::Unwritable)?;
        Self::from_raw(raw)
    }

    /// The JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    fn from_raw(raw: Box<RawValue>) -> Result<Self, InvalidMetadata> {
        let text = raw.get();
        if !text.starts_with('{') {
            return Err(InvalidMetadata::NotAnObject);
        }
        if text.len() > MAX_METADATA_BYTES {
            return Err(InvalidMetadata::TooLong(text.len()));
        }
        if depth(text) > MAX_DEPTH {
            return Err(InvalidMetadata::TooDeep);
        }
        Ok(Self(Arc::from(raw)))
    }
}

/// How deep objects and arrays nest in a text that is known to be JSON.
fn depth(json: &str) -> usize {
    let (mut deepest, mut open, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in json.bytes() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                open += 1;
                deepest = deepest.max(open);
            }
            (false, b'}' | b']') => open -= 1,
            _ => {}
        }
    }
    deepest
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Metadata {}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_raw(Box::<RawValue>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Metadata, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn braces_nest_where_they_are_open_at_once_but_not_inside_strings() {
        for (json, levels) in [
            ("{}", 1),
            (r#"{"a": [{"b": 1}]}"#, 3),
            (r#"{"a": {}, "b": [], "c": {}}"#, 2),
            (r#"{"{[{[": "[[[["}"#, 1),
            (r#"{"a\"{[{[": "}}"}"#, 1),
            (r#"{"a\"": {}}"#, 2),
            (r#"{"ends in \\": {"b": "\\\"{[{["}}"#, 2),
        ] {
            assert_eq!(depth(json), levels, "{json}");
        }
    }

    #[test]
    fn metadata_is_the_same_if_its_text_is_and_shows_as_that() {
        let [one, two] = [1, 2].map(|n| Metadata::new(&serde_json::json!({ "n": n })).unwrap());
        assert_eq!(one, parse(r#"{"n":1}"#).unwrap());
        assert_ne!(one, two);
        assert_eq!(format!("{one:?}"), r#"{"n":1}"#);
    }

    #[test]
    fn metadata_is_an_object_of_at_most_a_kibibyte_and_32_levels() {
        assert!(parse(r#"{"a": 1}"#).is_ok());
        assert!(parse("[1]").is_err());
        assert!(parse(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1016))).is_ok());
        assert!(parse(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1017))).is_err());
        let nested = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nested(31)).is_ok());
        assert!(parse(&nested(32)).is_err());
    }
}
