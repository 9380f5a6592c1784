//! Which of two answers a client would rather have.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Whether a stream of events is asked for: by its name, and no less than JSON. Named alike, JSON is what is answered.
pub(super) fn prefers_event_stream(headers: &HeaderMap) -> bool {
    let accepted = Accepted::read(headers);
    let stream = accepted.quality("text/event-stream").unwrap_or(0.0);
    let named = accepted.quality("application/json");
    let json = named.or_else(|| accepted.quality("application/*")).or_else(|| accepted.quality("*/*")).unwrap_or(0.0);
    stream > json || (stream > 0.0 && stream == json && named.is_none())
}

/// The media ranges of all `Accept` headers, with how much each is liked, from 0 to 1.
struct Accepted(Vec<(String, f32)>);

impl Accepted {
    fn read(headers: &HeaderMap) -> Self {
        let told = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        Self(told.flat_map(|value| value.split(',')).filter_map(range).collect())
    }

    fn quality(&self, media: &str) -> Option<f32> {
        self.0.iter().find(|(range, _)| range == media).map(|(_, quality)| *quality)
    }
}

/// A range with an unreadable quality counts for nothing.
fn range(text: &str) -> Option<(String, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality = quality.map_or(Ok(1.0), str::parse).ok().filter(|quality| (0.0..=1.0).contains(quality))?;
    Some((media, quality))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn asked(accept: &[&'static str]) -> bool {
        let lines = accept.iter().map(|value| (ACCEPT, HeaderValue::from_static(value)));
        prefers_event_stream(&lines.collect())
    }

    #[test]
    fn a_stream_is_asked_for_by_name_and_no_less_than_json() {
        for stream in [
            "text/event-stream",
            "Text/Event-Stream; charset=utf-8",
            "text/event-stream, */*",
            "text/event-stream;q=0.9, application/json;q=0.8",
            "application/json; q=0.1 ,\ttext/event-stream ; q=0.2",
            "text/event-stream, application/json;q=0",
        ] {
            assert!(asked(&[stream]), "{stream}");
        }
        for json in [
            "",
            "*/*",
            "text/*",
            "text/html",
            "application/json",
            "application/json, text/event-stream",
            "text/event-stream, application/json",
            "text/event-stream;q=0",
            "text/event-stream;q=0.5, application/json",
            "text/event-stream;q=0.5, */*",
            "text/event-stream;q=much",
            "text/event-stream;q=2",
            "text/event-stream;q=NaN",
        ] {
            assert!(!asked(&[json]), "{json}");
        }
        assert!(!asked(&[]));
        assert!(asked(&["text/html", "text/event-stream"]), "as if all were one list");
    }
}
