//! How settings are written on the command line.

use std::time::Duration;

pub(super) use daemon_lifecycle::program::duration::{parse as duration, parse_some as some_time};
use heartbeat_contract::{MAX_INTERVAL, MIN_INTERVAL};

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
    fn an_interval_is_100_ms_to_24_h() {
        assert!(interval("99ms").is_err() && interval("24h1ms").is_err() && interval("30").is_err());
        assert!(interval("100ms").is_ok() && interval("24h").is_ok());
    }
}
