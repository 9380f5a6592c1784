//! How durations are written: `500ms`, `1.5s`, `2m`, `1h30m`.

use std::time::Duration;

const EXPECTED: &str = "a number and one of ms, s, m, h is expected, such as 30s or 1h30m";

/// Units from the longest, with their milliseconds.
const UNITS: [(&str, f64); 4] = [("h", 3_600e3), ("m", 60e3), ("s", 1e3), ("ms", 1.0)];

/// Reads numbers with their units, longer units before shorter ones; only the last number may have a fraction.
///
/// # Errors
///
/// Anything else, in words that do not repeat the text.
pub fn parse(text: &str) -> Result<Duration, String> {
    read(text).ok_or_else(|| EXPECTED.to_owned())
}

/// The same, if it is not zero.
///
/// # Errors
///
/// Also if it is.
pub fn parse_some(text: &str) -> Result<Duration, String> {
    let duration = parse(text)?;
    if duration.is_zero() { Err("more than zero is needed".to_owned()) } else { Ok(duration) }
}

fn read(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut units = UNITS.as_slice();
    let mut is_whole = true;
    while !rest.is_empty() || units.len() == UNITS.len() {
        let (number, unit);
        (number, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        rest = rest.trim_start_matches(' ');
        (unit, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len()));
        rest = rest.trim_start_matches(' ');
        let at = units.iter().position(|(name, _)| *name == unit)?;
        if !is_whole || !number.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        is_whole = !number.contains('.');
        let of_this_unit = number.parse::<f64>().ok()? * units[at].1 / 1e3;
        total = total.checked_add(Duration::try_from_secs_f64(of_this_unit).ok()?)?;
        units = &units[at + 1..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::{parse, parse_some};

    #[test]
    fn numbers_with_their_units_are_durations() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1m 2s 3ms", 62_003),
            ("1h1.5s", 3_601_500),
            ("1 h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text).map(|duration| duration.as_millis()), Ok(millis), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            " ",
            "30",
            "s",
            "-1s",
            "+1s",
            "infs",
            "nans",
            "1e99s",
            "5 parsecs",
            ".5s",
            "1.2.3s",
            "30m1h",
            "1s1s",
            "1.5h30m",
            "1h30",
            "9999999999999999999999h",
            " 1s",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse_some("0s").is_err() && parse_some("0h0ms").is_err() && parse_some("1ms").is_ok());
    }
}
