use std::time::{Duration, SystemTime};

use httpdate::parse_http_date;
use hyper::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use crate::clock::wall;

/// When a server wants to be asked again, in seconds or as a date. A date is taken by the server's own clock where it
/// says what time it has, so that clocks that differ do no harm.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = parse_http_date(value).ok()?;
    let now = date(headers, &DATE).unwrap_or_else(wall);
    Some(then.duration_since(now).unwrap_or_default())
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

    use super::retry_after;

    fn asked(value: &'static str) -> Option<Duration> {
        let date = HeaderValue::from_static("Tue, 24 Nov 2026 10:00:00 GMT");
        let value = HeaderValue::from_static(value);
        retry_after(&HeaderMap::from_iter([(DATE, date), (RETRY_AFTER, value)]))
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        assert_eq!(asked("2"), Some(Duration::from_secs(2)));
        assert_eq!(asked("Tue, 24 Nov 2026 10:00:07 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Tue, 24 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        for unreadable in ["soon", "-1", "1.5", ""] {
            assert_eq!(asked(unreadable), None, "{unreadable}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_date_of_a_server_that_tells_no_time_is_taken_by_the_local_clock() {
        let value = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)])), Some(Duration::ZERO));
    }
}
