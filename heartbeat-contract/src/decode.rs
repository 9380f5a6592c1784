//! Decoding of beats: fast when they are good, exact when they are not.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::Payload;

/// The longest beat, in bytes of JSON.
pub const MAX_BEAT_BYTES: usize = 64 * 1024;
const MAX_TEXT: usize = 256;
const MAX_ERROR_TEXT: usize = 1024;
const MAX_METRICS: usize = 64;

/// Decodes one beat and checks every limit of the contract.
///
/// A good beat is decoded in one pass; only one that is refused is read again, to say what is wrong with which field.
///
/// # Errors
/// [`DecodeError::Unreadable`] if it is no JSON, [`DecodeError::Invalid`] if it is JSON but no beat of this kind.
pub fn decode<P: Payload>(json: &[u8]) -> Result<P, DecodeError> {
    let payload: P = decode_object(json)?;
    validate(&payload)?;
    Ok(payload)
}

/// Checks every limit of the contract.
///
/// # Errors
/// All that is wrong, each with a pointer to its field.
pub fn validate<P: Payload>(payload: &P) -> Result<(), Violations> {
    let mut violations = Violations::default();
    if let Some(beat) = payload.beat() {
        beat.validate(&mut violations);
    }
    payload.check(&mut violations);
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// Decodes a JSON object; arrays, which serde would take for structs, are refused.
pub(crate) fn decode_object<T: DeserializeOwned>(json: &[u8]) -> Result<T, DecodeError> {
    let json = text(json)?;
    let is_object = json.trim_start().starts_with('{');
    if is_object && let Ok(value) = serde_json::from_str(json) {
        return Ok(value);
    }
    Err(explain::<T>(json, is_object))
}

/// JSON is UTF-8 throughout, also where nobody looks.
pub(crate) fn text(json: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(json).map_err(|error| DecodeError::Unreadable(error.to_string()))
}

fn explain<T: DeserializeOwned>(json: &str, is_object: bool) -> DecodeError {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(json) {
        return DecodeError::Unreadable(error.to_string());
    }
    if !is_object {
        return Violations::one("", "expected an object").into();
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => Violations::one("", "expected a single object").into(),
        Err(error) => {
            let pointer = pointer(error.path());
            Violations::one(&pointer, without_position(error.inner())).into()
        }
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    pointer
}

/// serde_json appends where in the text it was; the pointer says it better.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).map(str::to_owned).unwrap_or(text)
}

/// Why a body is no beat.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is no JSON.
    #[error("not JSON: {0}")]
    Unreadable(String),
    /// It is JSON, but breaks the contract.
    #[error(transparent)]
    Invalid(#[from] Violations),
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field; empty for the whole.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.strip_prefix('/') {
            Some(field) => write!(f, "{}: {}", field.replace('/', "."), self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

/// All that is wrong with a beat or policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<FieldError>);

impl Violations {
    pub(crate) fn one(pointer: &str, detail: impl fmt::Display) -> Self {
        let mut violations = Self::default();
        violations.add(pointer, detail);
        violations
    }

    /// Adds what is wrong with the field at a JSON pointer.
    pub fn add(&mut self, pointer: impl fmt::Display, detail: impl fmt::Display) {
        self.0.push(FieldError { pointer: pointer.to_string(), detail: detail.to_string() });
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each field that is wrong.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.0
    }

    /// Each field that is wrong.
    #[must_use]
    pub fn into_fields(self) -> Vec<FieldError> {
        self.0
    }

    /// A whole number must be at most `max`.
    pub fn at_most(&mut self, pointer: impl fmt::Display, value: Option<u64>, max: u64) {
        if let Some(value) = value
            && value > max
        {
            self.add(pointer, format_args!("{value} is above {max}"));
        }
    }

    /// A figure must be a number from `min` to `max`.
    pub fn within(&mut self, pointer: impl fmt::Display, value: Option<f64>, min: f64, max: f64) {
        let Some(value) = value else { return };
        if !value.is_finite() {
            self.add(pointer, format_args!("{value} is not finite"));
        } else if value < min {
            self.add(pointer, format_args!("{value} is below {min}"));
        } else if value > max {
            self.add(pointer, format_args!("{value} is above {max}"));
        }
    }

    /// A text must have at most 256 bytes.
    pub fn short(&mut self, pointer: impl fmt::Display, text: Option<&str>) {
        self.text(pointer, text, MAX_TEXT);
    }

    /// The text of an error must have at most 1 KiB.
    pub fn error_text(&mut self, pointer: impl fmt::Display, text: Option<&str>) {
        self.text(pointer, text, MAX_ERROR_TEXT);
    }

    /// Metrics must be at most 64, all finite, with names of at most 256 bytes.
    pub fn metrics(&mut self, pointer: impl fmt::Display, metrics: Option<&BTreeMap<String, f64>>) {
        let Some(metrics) = metrics else { return };
        if metrics.len() > MAX_METRICS {
            self.add(&pointer, format_args!("{} are too many (at most {MAX_METRICS})", metrics.len()));
        }
        if metrics.keys().any(|name| name.len() > MAX_TEXT) {
            self.add(&pointer, format_args!("a name is longer than {MAX_TEXT} bytes"));
        }
        if let Some((name, value)) = metrics.iter().find(|(_, value)| !value.is_finite()) {
            self.add(&pointer, format_args!("{name}: {value} is not finite"));
        }
    }

    fn text(&mut self, pointer: impl fmt::Display, text: Option<&str>, max: usize) {
        if let Some(text) = text
            && text.len() > max
        {
            self.add(pointer, format_args!("{} bytes are too long (at most {max})", text.len()));
        }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, field) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            field.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}
