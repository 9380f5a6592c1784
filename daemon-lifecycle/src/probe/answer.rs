//! What an answer says about the health of the daemon.

use hyper::{
    StatusCode,
    header::{HeaderMap, LOCATION},
    http::response,
};

use super::{document::Document, error::ProbeError, failure::ProbeFailure, retry_after::retry_after, target::Target};

/// What of a stranger's words goes into an error.
const EXCERPT_LIMIT: usize = 200;

/// What a healthy daemon said of itself. All but the status comes from a JSON answer, as
/// [`Health`](crate::Health) gives one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Answer {
    /// The status, any of 2xx; `None` where it was not asked over HTTP.
    pub status: Option<u16>,
    /// What a daemon that says `warn` of itself has to say.
    pub warning: Option<String>,
    /// Names one run of the daemon's process.
    pub instance_id: Option<String>,
    /// The process id, as the daemon knows it.
    pub pid: Option<u32>,
    /// The `version` or `releaseId` of the service.
    pub version: Option<String>,
}

pub(super) fn judge(target: &Target, head: &response::Parts, body: &[u8]) -> Result<Answer, ProbeError> {
    let status = head.status;
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        let kind = ProbeFailure::Redirect(status.as_u16());
        return Err(ProbeError::new(target, kind).with_detail(location(&head.headers)));
    }
    let document = Document::read(&head.headers, body).unwrap_or_default();
    let failure = match status.is_success() {
        true if document.failed() => ProbeFailure::NotReady,
        true => return Ok(healthy(status, document)),
        false => ProbeFailure::Status(status.as_u16()),
    };
    let words = document.words.map_or_else(|| excerpt(body), |words| excerpt(words.as_bytes()));
    let asks_to_wait = matches!(failure, ProbeFailure::Status(429 | 503) | ProbeFailure::NotReady);
    Err(ProbeError::new(target, failure)
        .with_detail(words)
        .with_retry_after(if asks_to_wait { retry_after(&head.headers) } else { None })
        .with_progress(document.progress)
        .with_identity(document.identity))
}

fn healthy(status: StatusCode, document: Document) -> Answer {
    let warning = if document.warned() { document.words } else { None };
    Answer {
        status: Some(status.as_u16()),
        warning: warning.map(|words| excerpt(words.as_bytes())),
        instance_id: document.identity.instance_id,
        pid: document.identity.pid,
        version: document.version,
    }
}

fn location(headers: &HeaderMap) -> String {
    match headers.get(LOCATION) {
        Some(to) => format!("to {}", excerpt(to.as_bytes())),
        None => "without location".to_owned(),
    }
}

/// The beginning of what a stranger sent, fit for one line of a log.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(EXCERPT_LIMIT)]);
    let printable = head.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = printable.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn an_excerpt_is_one_short_line_without_control_characters() {
        assert_eq!(excerpt(b" failed:\r\n\x1b[31mstore\0 \n"), "failed: [31mstore");
        assert_eq!(excerpt(&[b'x'; 5000]).len(), 200);
        assert_eq!(excerpt(b""), "");
    }
}
