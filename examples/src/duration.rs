use std::time::Duration;

use jiff::SignedDuration;

/// Reads a duration with its unit, such as `1s` or `250 ms`.
///
/// # Errors
/// What is wrong with the text, for people.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let signed: SignedDuration = text.parse().map_err(|error| format!("{error} (expected something like 1s)"))?;
    Duration::try_from(signed).map_err(|_| "a duration must not be negative".to_owned())
}

/// As [`parse_duration`], for what is done again and again: zero is refused.
///
/// # Errors
/// What is wrong with the text, for people.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval.is_zero() { Err("an interval must be above zero".to_owned()) } else { Ok(interval) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_a_unit_and_no_sign() {
        assert_eq!(parse_duration("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(parse_duration("250 ms"), Ok(Duration::from_millis(250)));
        assert!(parse_duration("1").is_err());
        assert!(parse_duration("-1s").is_err());
    }

    #[test]
    fn an_interval_is_above_zero() {
        assert_eq!(parse_interval("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(parse_interval("0s"), Err("an interval must be above zero".to_owned()));
        assert!(parse_interval("often").is_err());
    }
}
