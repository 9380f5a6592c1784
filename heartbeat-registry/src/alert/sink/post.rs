//! One request, tried again a few times.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};

use super::config::{Envelope, InvalidSink, SinkConfig, bearer, invalid};
use super::outbox::{End, Post};
use super::stats::Counts;

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How much of an answer is read, and how much of it is shown, in bytes.
const MOST_READ: usize = 64 * 1024;
const MOST_SHOWN: usize = 200;

/// Sends requests to one place.
pub(super) struct Poster {
    http: Client,
    envelope: Envelope,
    bearer: Option<PathBuf>,
    retries: u32,
    first_pause: Duration,
}

/// Why an attempt failed.
#[derive(Debug)]
struct Failure {
    why: String,
    /// Whether another attempt may do better.
    is_passing: bool,
    /// How long to wait, if the other side says so.
    retry_after: Option<Duration>,
}

impl Poster {
    pub(super) fn new(config: &SinkConfig, envelope: Envelope) -> Result<Self, InvalidSink> {
        let http = Client::builder()
            .timeout(config.timeout)
            .connect_timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| invalid("url", format!("no HTTP client can be set up: {error}")))?;
        let (bearer, retries, first_pause) = (config.bearer_token_file.clone(), config.retries, config.first_pause);
        Ok(Self { http, envelope, bearer, retries, first_pause })
    }

    /// Sends a request until it is taken, refused, or given up.
    pub(super) async fn send(&self, post: &Post, counts: &Counts) -> End {
        let mut pauses = self.pauses();
        loop {
            let Failure { why, is_passing, retry_after } = match self.attempt(post).await {
                Ok(()) => {
                    counts.taken();
                    return End::Taken;
                }
                Err(failure) => failure,
            };
            counts.failed(why);
            if !is_passing {
                return End::Refused;
            }
            let Some(pause) = pauses.next() else { return End::GivenUp };
            tokio::time::sleep(pause.max(retry_after.unwrap_or_default()).min(LONGEST_PAUSE)).await;
            counts.retried();
        }
    }

    /// An exponential series, each pause give or take a half by a jitter of our own: backon's only ever adds.
    fn pauses(&self) -> impl Iterator<Item = Duration> {
        let series = ExponentialBuilder::new()
            .with_min_delay(self.first_pause)
            .with_factor(2.0)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(self.retries as usize)
            .build();
        series.map(|pause| pause.mul_f64(0.5 + fastrand::f64()))
    }

    async fn attempt(&self, post: &Post) -> Result<(), Failure> {
        let mut headers = self.envelope.headers.clone();
        if let Some(path) = &self.bearer {
            headers.insert(AUTHORIZATION, bearer(path).map_err(Failure::passing)?);
        }
        let mut request = self.http.post(self.envelope.url.clone()).headers(headers);
        request = request.header(CONTENT_TYPE, "application/json").body(post.body.clone());
        if let Some(key) = &post.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let response = request.send().await.map_err(|error| Failure::passing(in_words(error)))?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let said = beginning(response).await;
        if status.is_success() {
            return Ok(());
        }
        let said = if said.is_empty() { said } else { format!(": {said}") };
        Err(Failure { why: format!("{status}{said}"), is_passing: is_passing(status), retry_after })
    }
}

impl Failure {
    fn passing(why: String) -> Self {
        Self { why, is_passing: true, retry_after: None }
    }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

/// `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3). A date is measured against the other side's own
/// clock, so that it does not matter how far ours is off.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (httpdate::parse_http_date(after).ok()?, httpdate::parse_http_date(text(DATE)?).ok()?);
    until.duration_since(now).ok()
}

/// How an answer begins, on one line. It is read to its end unless it is long, so that the connection can be kept.
async fn beginning(mut response: Response) -> String {
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        read.extend_from_slice(&chunk);
        if read.len() > MOST_READ {
            break;
        }
    }
    read.truncate(MOST_SHOWN);
    String::from_utf8_lossy(&read).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without the URL, which may hold a secret.
fn in_words(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut deepest: &dyn Error = &error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    let what = if error.is_connect() { "cannot be reached" } else { "broke off" };
    format!("{what}: {deepest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        retry_after(&headers)
    }

    #[test]
    fn when_to_come_again_is_told_in_seconds_or_as_a_date_of_the_other_clock() {
        assert_eq!(after(&[("retry-after", " 7 ")]), Some(Duration::from_secs(7)));
        let date = ("date", "Tue, 24 Nov 2026 20:00:00 GMT");
        assert_eq!(after(&[("retry-after", "Tue, 24 Nov 2026 20:00:09 GMT"), date]), Some(Duration::from_secs(9)));
        assert_eq!(after(&[("retry-after", "Tue, 24 Nov 2026 19:00:00 GMT"), date]), None, "that is past");
        assert_eq!(after(&[("retry-after", "Tue, 24 Nov 2026 20:00:09 GMT")]), None);
        assert_eq!(after(&[("retry-after", "soon"), date]), None);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, passing) in
            [(500, true), (503, true), (408, true), (425, true), (429, true), (400, false), (404, false), (301, false)]
        {
            assert_eq!(is_passing(StatusCode::from_u16(status).unwrap()), passing, "{status}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_are_as_many_as_retries() {
        let config = SinkConfig { retries: 8, ..SinkConfig::webhook("http://127.0.0.1:1") };
        let poster = Poster::new(&config, config.envelope().unwrap()).unwrap();
        let pauses: Vec<f64> = poster.pauses().map(|pause| pause.as_secs_f64()).collect();
        let expected = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0];
        assert_eq!(pauses.len(), expected.len());
        for (pause, expected) in pauses.iter().zip(expected) {
            assert!((expected * 0.5..=expected * 1.5).contains(pause), "{pause} for {expected}");
        }
    }
}
