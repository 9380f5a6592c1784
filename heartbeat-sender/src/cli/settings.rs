//! How settings are written on the command line.

use std::time::Duration;

use heartbeat_contract::{MAX_INTERVAL, MIN_INTERVAL};
use jiff::SignedDuration;

/// A duration with its unit, such as `500ms`, `1.5s` or `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.ok_or_else(|| "a number and one of ms, s, m, h is expected, such as 30s".to_owned())
}

/// A duration above zero.
pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration.is_zero() { Err("it must be above zero".to_owned()) } else { Ok(duration) }
}

/// How often to beat.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    let is_allowed = (MIN_INTERVAL..=MAX_INTERVAL).contains(&interval);
    is_allowed.then_some(interval).ok_or_else(|| "it must be 100ms to 24h".to_owned())
}

/// `KEY=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("KEY=VALUE is expected")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let millis = |text| duration(text).map(|duration: Duration| duration.as_millis());
        for (text, expected) in
            [("500ms", 500), ("30s", 30_000), ("1.5s", 1_500), ("2m", 120_000), ("1h30m", 5_400_000)]
        {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
        for text in ["", "30", "s", "-1s", "5 parsecs"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(interval("99ms").is_err() && interval("25h").is_err() && interval("100ms").is_ok());
        assert!(some_time("0s").is_err());
    }
}
