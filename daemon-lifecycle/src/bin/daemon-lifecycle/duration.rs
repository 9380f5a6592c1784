use std::time::Duration;

/// Units, and how many milliseconds each has. Longer names come before those they end in.
const UNITS: [(&str, f64); 4] = [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("h", 3_600e3)];

/// Reads a number with a unit, such as `500ms` or `1.5s`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let unusable = || format!("`{text}` is no duration: a number and one of ms, s, m, h is expected, such as 30s");
    let stripped = UNITS.iter().find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, millis)));
    let (number, millis) = stripped.ok_or_else(unusable)?;
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(unusable());
    }
    let number: f64 = number.trim_end().parse().map_err(|_| unusable())?;
    Duration::try_from_secs_f64(number * millis / 1e3).map_err(|_| unusable())
}

/// Such a one that is not zero.
pub(crate) fn parse_some(text: &str) -> Result<Duration, String> {
    let duration = parse(text)?;
    if duration.is_zero() { Err("more than zero is needed".to_owned()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn numbers_with_a_unit_are_durations() {
        let millis = |text| parse(text).map(|duration: Duration| duration.as_millis());
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("30s"), Ok(30_000));
        assert_eq!(millis("1.5s"), Ok(1_500));
        assert_eq!(millis("2m"), Ok(120_000));
        assert_eq!(millis("1 h"), Ok(3_600_000));
        assert_eq!(millis("0s"), Ok(0));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in ["", "30", "s", "-1s", "+1s", "infs", "nans", "1e99s", "5 parsecs", "1m30s", ".5s"] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
