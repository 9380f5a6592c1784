//! What an HTTP answer means for a beat.

use std::time::Duration;

use heartbeat_contract::{Ack, Problem};

use crate::SendError;

/// An HTTP answer to a beat, as it came: for a [`Transport`](crate::Transport) over an HTTP client of your own.
///
/// Such a transport posts the beat as JSON to [`routes::beat`](heartbeat_contract::routes::beat) of its kind, with the
/// header `Content-Type: application/json`, and lets this say what the answer means.
///
/// ```
/// use heartbeat_sender::HttpAnswer;
///
/// let problem = br#"{"type": "/problems/overloaded", "title": "Overloaded", "status": 429, "detail": "full"}"#;
/// let error = HttpAnswer { status: 429, retry_after: Some("7"), date: None, body: problem }.read().unwrap_err();
/// assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(7)));
/// assert_eq!(error.to_string(), "refused with 429: full");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HttpAnswer<'a> {
    /// The status.
    pub status: u16,
    /// The header `Retry-After`, if there is one.
    pub retry_after: Option<&'a str>,
    /// The server's own clock: the header `Date`, if there is one.
    pub date: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl HttpAnswer<'_> {
    /// The longest answer that a transport should read, in bytes: 64 KiB.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// The ack, if it is one.
    ///
    /// # Errors
    /// If the status is none of success, with the problem and the wait that the registry tells; or if the body is no ack.
    pub fn read(&self) -> Result<Ack, SendError> {
        if !(200..300).contains(&self.status) {
            return Err(self.refusal());
        }
        match serde_json::from_slice::<Ack>(self.body) {
            Ok(ack) if ack.acknowledged => Ok(ack),
            Ok(_) => Err(SendError::unreadable(self.status, "`acknowledged` is false")),
            Err(error) => Err(SendError::unreadable(self.status, error)),
        }
    }

    /// The answer to a batch, if it is one.
    #[cfg(feature = "relay")]
    pub(crate) fn read_batch(&self) -> Result<heartbeat_contract::BatchAnswer, SendError> {
        if !(200..300).contains(&self.status) {
            return Err(self.refusal());
        }
        serde_json::from_slice(self.body).map_err(|error| SendError::unreadable(self.status, error))
    }

    fn refusal(&self) -> SendError {
        let problem: Option<Problem> = serde_json::from_slice(self.body).ok();
        let refused = SendError::refused_with(self.status, problem);
        let asks_to_wait = matches!(self.status, 429 | 503);
        match self.wait().filter(|_| asks_to_wait) {
            Some(wait) => refused.with_retry_after(wait),
            None => refused,
        }
    }

    /// `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3). A date is measured against the server's own
    /// clock, so that it does not matter how far ours is off.
    fn wait(&self) -> Option<Duration> {
        let retry_after = self.retry_after?.trim();
        if let Ok(seconds) = retry_after.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = httpdate::parse_http_date(retry_after).ok()?;
        let now = httpdate::parse_http_date(self.date?).ok()?;
        Some(until.duration_since(now).unwrap_or(Duration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACK: &str =
        r#"{"acknowledged": true, "server_time": "2026-01-02T03:04:05.690Z", "next_in_ms": 30000, "directives": []}"#;

    fn answer(status: u16, body: &str) -> HttpAnswer<'_> {
        HttpAnswer { status, retry_after: None, date: None, body: body.as_bytes() }
    }

    #[test]
    fn only_an_ack_counts_as_success() {
        assert_eq!(answer(200, ACK).read().unwrap().next_in_ms, 30_000);
        for garbage in ["", "OK", "<html>Welcome to nginx</html>", "{}", &ACK.replace("true", "false")] {
            let error = answer(200, garbage).read().unwrap_err();
            assert!(error.is_unreadable() && error.status() == Some(200), "{garbage:?}: {error}");
        }
    }

    #[test]
    fn a_refusal_tells_the_problem_in_the_registrys_words() {
        let body = r#"{"type": "/problems/invalid-payload", "title": "Invalid payload", "status": 422,
            "detail": "queue_depth: -1 is below 0"}"#;
        let error = answer(422, body).read().unwrap_err();
        assert_eq!(error.to_string(), "refused with 422: queue_depth: -1 is below 0");
        let error = answer(502, "<html>Bad Gateway</html>").read().unwrap_err();
        assert!(error.is_refused() && error.problem().is_none());
        assert_eq!(error.to_string(), "refused with 502");
    }

    #[test]
    fn an_answer_that_sends_elsewhere_is_a_refusal() {
        assert_eq!(answer(302, ACK).read().unwrap_err().status(), Some(302));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_servers_clock() {
        let wait = |status, retry_after, date| {
            let answer = HttpAnswer { retry_after: Some(retry_after), date, ..answer(status, "") };
            answer.read().unwrap_err().retry_after().map(|wait| wait.as_secs())
        };
        let date = Some("Fri, 02 Jan 2026 03:04:05 GMT");
        assert_eq!(wait(429, "12", None), Some(12));
        assert_eq!(wait(503, "Fri, 02 Jan 2026 03:04:35 GMT", date), Some(30));
        assert_eq!(wait(503, "Fri, 02 Jan 2026 03:00:00 GMT", date), Some(0));
        assert_eq!(wait(503, "Fri, 02 Jan 2026 03:04:35 GMT", None), None);
        assert_eq!(wait(429, "soon", date), None);
        assert_eq!(wait(429, "-1", date), None);
        assert_eq!(wait(500, "12", None), None, "only 429 and 503 ask to wait");
    }
}
