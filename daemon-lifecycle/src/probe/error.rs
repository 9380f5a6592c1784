use std::{error::Error, fmt};

use super::target::{Target, UrlError};

/// One probe that did not find a healthy daemon.
///
/// [`kind`](Self::kind) is what to decide by; `Display` adds the URL (without credentials) and what the answer said;
/// the cause, where there is one, is the `source()`.
#[derive(Debug)]
pub struct ProbeError {
    kind: ProbeFailure,
    url: String,
    detail: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ProbeError {
    /// How the probe failed.
    #[must_use]
    pub fn kind(&self) -> ProbeFailure {
        self.kind
    }

    /// The URL that was asked, without credentials.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the answer said: the `Location` of a redirect, else the first 200 bytes of the body of a status other
    /// than 2xx, in one line and free of control characters. Of an unusable URL, what is wrong with it. `None` where
    /// there was no answer or it was empty.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    pub(crate) fn new(target: &Target, kind: ProbeFailure) -> Self {
        Self { kind, url: target.to_string(), detail: None, source: None }
    }

    pub(crate) fn with_detail(self, detail: String) -> Self {
        let detail = (!detail.is_empty()).then_some(detail);
        Self { detail, ..self }
    }

    pub(crate) fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = Some(source.into());
        Self { source, ..self }
    }

    /// Everything but the URL, for messages that name it already.
    pub(crate) fn without_url(&self) -> WithoutUrl<'_> {
        WithoutUrl(self)
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, &self.detail) {
            // This one names the URL itself.
            (ProbeFailure::InvalidUrl, Some(detail)) => f.write_str(detail),
            (kind, Some(detail)) => write!(f, "{}: {kind} ({detail})", self.url),
            (kind, None) => write!(f, "{}: {kind}", self.url),
        }
    }
}

impl Error for ProbeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<UrlError> for ProbeError {
    fn from(error: UrlError) -> Self {
        let detail = Some(error.to_string());
        let (url, source) = match error {
            UrlError::Unparsable { url, source } => (url, Some(source)),
            UrlError::Scheme { url, .. } | UrlError::TlsNotBuilt { url } => (url, None),
        };
        Self { kind: ProbeFailure::InvalidUrl, url, detail, source }
    }
}

pub(crate) struct WithoutUrl<'a>(&'a ProbeError);

impl fmt::Display for WithoutUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.kind)?;
        if let Some(detail) = &self.0.detail {
            return write!(f, " ({detail})");
        }
        let mut root: Option<&dyn Error> = self.0.source();
        while let Some(deeper) = root.and_then(Error::source) {
            root = Some(deeper);
        }
        root.map_or(Ok(()), |root| write!(f, " ({root})"))
    }
}

/// How a probe failed: what an operator would look at next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProbeFailure {
    /// The URL cannot be probed; nothing was sent.
    InvalidUrl,
    /// The host name did not resolve.
    Dns,
    /// No address of the host may be connected to: see [`Probe::only_to`](super::Probe::only_to). The detail names them;
    /// nothing was sent.
    NotAdmitted,
    /// The host answered that nothing listens on the port.
    Refused,
    /// No route to the host, or a firewall said no.
    Unreachable,
    /// Nobody took the connection in time: the host is down, or packets are dropped. With `https://`, agreeing on TLS
    /// is part of connecting.
    ConnectTimeout,
    /// The connection stands, but TLS could not be agreed on.
    Tls,
    /// The connection was closed before the whole answer had come.
    Reset,
    /// The connection was taken, but no whole answer came in time: the process hangs or is overloaded.
    Timeout,
    /// The answer was not HTTP.
    Protocol,
    /// A 3xx answer, which is never followed: probably not the endpoint that was meant.
    Redirect(u16),
    /// A whole answer with any other status outside 2xx.
    Status(u16),
    /// None of the above; the `source()` of the error says more.
    Other,
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl => f.write_str("invalid url"),
            Self::Dns => f.write_str("name not resolved"),
            Self::NotAdmitted => f.write_str("address not admitted"),
            Self::Refused => f.write_str("connection refused"),
            Self::Unreachable => f.write_str("host unreachable"),
            Self::ConnectTimeout => f.write_str("connection timed out"),
            Self::Tls => f.write_str("tls handshake failed"),
            Self::Reset => f.write_str("connection closed early"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Protocol => f.write_str("answer is not http"),
            Self::Redirect(status) => write!(f, "redirect {status}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Other => f.write_str("request failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::{ProbeError, ProbeFailure};
    use crate::probe::target::Target;

    fn target() -> Target {
        Target::parse("http://h:1", None).expect("a usable URL")
    }

    #[test]
    fn an_error_names_url_kind_and_detail_and_leaves_the_cause_to_source() {
        let error = ProbeError::new(&target(), ProbeFailure::Status(503))
            .with_detail("failed: store".to_owned())
            .with_source("cause");
        assert_eq!(error.to_string(), "http://h:1/health: status 503 (failed: store)");
        assert_eq!(error.source().expect("a source").to_string(), "cause");
    }

    #[test]
    fn without_an_answer_the_root_cause_stands_in_for_the_detail() {
        let error = ProbeError::new(&target(), ProbeFailure::Refused).with_source("os error 111");
        assert_eq!(error.without_url().to_string(), "connection refused (os error 111)");
    }

    #[test]
    fn an_unusable_url_is_an_error_of_its_own_kind() {
        let error = ProbeError::from(Target::parse("ftp://h/", None).expect_err("no http"));
        assert_eq!(error.kind(), ProbeFailure::InvalidUrl);
        assert_eq!(error.url(), "ftp://h/");
        assert_eq!(error.to_string(), "scheme `ftp` of `ftp://h/` is not supported, only http:// and https:// are");

        let error = ProbeError::from(Target::parse("nonsense", None).expect_err("no URL"));
        assert_eq!(error.to_string(), "cannot use `nonsense` as a URL");
        assert_eq!(error.source().expect("a source").to_string(), "relative URL without a base");
    }
}
