use std::{error::Error, fmt, io, net::SocketAddr, time::Duration};

use super::{failure::ProbeFailure, identity::Identity, target::UrlError};

/// One probe that did not find a healthy daemon.
///
/// [`kind`](Self::kind) is what to decide by; `Display` adds the URL (without credentials) and what the answer said;
/// the cause, where there is one, is the `source()`.
#[derive(Debug)]
pub struct ProbeError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: ProbeFailure,
    url: String,
    detail: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
    addresses: Vec<AddressFailure>,
    retry_after: Option<Duration>,
    progress: Option<f64>,
    identity: Identity,
}

/// An address of the host that took no connection.
#[derive(Debug)]
#[non_exhaustive]
pub struct AddressFailure {
    /// Where it was tried.
    pub address: SocketAddr,
    /// How it failed.
    pub kind: ProbeFailure,
    /// What the operating system said; `None` where it said nothing in time.
    pub error: Option<io::Error>,
}

impl ProbeError {
    /// How the probe failed.
    #[must_use]
    pub fn kind(&self) -> ProbeFailure {
        self.0.kind
    }

    /// What was asked: the URL without credentials, or the command.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// What the answer said, in one line of at most 200 bytes and free of control characters: the `Location` of a
    /// redirect, what `application/health+json` names as failed, else the beginning of the body of a status other than
    /// 2xx; of a command its last line. Of an unusable URL or certificate, what is wrong with it; of a socket, that it is
    /// not there or that permission is missing. `None` where there was no answer or it was empty.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Each address that was tried in vain, in the order in which the name resolved to them; empty if one of them took
    /// the connection.
    #[must_use]
    pub fn addresses(&self) -> &[AddressFailure] {
        &self.0.addresses
    }

    /// When a 429 or 503 asked to be asked again, from the answer on.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The share of its start-up that the daemon says it has done, from 0 to 1: `progress` in a JSON answer.
    #[must_use]
    pub fn progress(&self) -> Option<f64> {
        self.0.progress
    }

    pub(crate) fn new(asked: &impl ToString, kind: ProbeFailure) -> Self {
        Self(Box::new(Parts {
            kind,
            url: asked.to_string(),
            detail: None,
            source: None,
            addresses: Vec::new(),
            retry_after: None,
            progress: None,
            identity: Identity::default(),
        }))
    }

    pub(crate) fn with_detail(mut self, detail: String) -> Self {
        self.0.detail = (!detail.is_empty()).then_some(detail);
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_addresses(mut self, addresses: Vec<AddressFailure>) -> Self {
        self.0.addresses = addresses;
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.0.retry_after = retry_after;
        self
    }

    pub(crate) fn with_progress(mut self, progress: Option<f64>) -> Self {
        self.0.progress = progress;
        self
    }

    /// Who says to have answered.
    pub(super) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(super) fn with_identity(mut self, identity: Identity) -> Self {
        self.0.identity = identity;
        self
    }

    /// Everything but the URL, for messages that name it already.
    pub(crate) fn without_url(&self) -> WithoutUrl<'_> {
        WithoutUrl(self)
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind(), self.detail()) {
            // This one names the URL itself.
            (ProbeFailure::InvalidUrl, Some(detail)) => f.write_str(detail),
            (kind, Some(detail)) => write!(f, "{}: {kind} ({detail})", self.url()),
            (kind, None) => {
                write!(f, "{}: {kind}", self.url())?;
                several(self.addresses(), f)
            }
        }
    }
}

impl Error for ProbeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        if let Some(source) = &self.0.source {
            return Some(source.as_ref());
        }
        let telling = self.0.addresses.iter().find(|failure| failure.kind == self.0.kind)?;
        telling.error.as_ref().map(|error| error as _)
    }
}

impl From<UrlError> for ProbeError {
    fn from(error: UrlError) -> Self {
        let detail = error.to_string();
        let (url, source) = match error {
            UrlError::Unparsable { url, source } => (url, Some(source)),
            UrlError::Scheme { url, .. } | UrlError::Form { url, .. } | UrlError::TlsNotBuilt { url } => (url, None),
        };
        let error = Self::new(&url, ProbeFailure::InvalidUrl).with_detail(detail);
        match source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

/// Where there is but one address, the kind of the failure says it already.
fn several(addresses: &[AddressFailure], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, AddressFailure { address, kind, .. }) in addresses.iter().enumerate() {
        match index {
            0 if addresses.len() == 1 => return Ok(()),
            0 => write!(f, " ({address} {kind}")?,
            _ => write!(f, ", {address} {kind}")?,
        }
    }
    if addresses.is_empty() { Ok(()) } else { f.write_str(")") }
}

pub(crate) struct WithoutUrl<'a>(&'a ProbeError);

impl fmt::Display for WithoutUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.kind())?;
        if let Some(detail) = self.0.detail() {
            return write!(f, " ({detail})");
        }
        if self.0.addresses().len() > 1 {
            return several(self.0.addresses(), f);
        }
        let root = std::iter::successors(self.0.source(), |&cause| cause.source()).last().map(ToString::to_string);
        // The operating system may have the same words for it.
        let root = root.filter(|root| !root.to_lowercase().starts_with(&self.0.kind().to_string()));
        root.map_or(Ok(()), |root| write!(f, " ({root})"))
    }
}

#[cfg(test)]
mod tests {
    use std::{error::Error, io};

    use super::{AddressFailure, ProbeError, ProbeFailure};
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
        let error = ProbeError::new(&target(), ProbeFailure::Dns).with_source("Name or service not known");
        assert_eq!(error.without_url().to_string(), "name not resolved (Name or service not known)");
    }

    #[test]
    fn a_cause_that_only_says_the_same_again_is_left_out() {
        let error = ProbeError::new(&target(), ProbeFailure::Refused)
            .with_source(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(error.without_url().to_string(), "connection refused");
        assert!(error.source().is_some());
    }

    #[test]
    fn the_errors_of_several_addresses_are_told_one_by_one() {
        let failure = |address: &str, kind| AddressFailure {
            address: address.parse().expect("an address"),
            kind,
            error: Some(io::Error::other("why")),
        };
        let one = failure("127.0.0.1:9", ProbeFailure::Refused);
        let error = ProbeError::new(&target(), ProbeFailure::Refused).with_addresses(vec![one]);
        assert_eq!(error.to_string(), "http://h:1/health: connection refused");
        assert_eq!(error.without_url().to_string(), "connection refused (why)");

        let two = vec![failure("[::1]:9", ProbeFailure::Unreachable), failure("127.0.0.1:9", ProbeFailure::Refused)];
        let error = ProbeError::new(&target(), ProbeFailure::Refused).with_addresses(two);
        let told = "connection refused ([::1]:9 host unreachable, 127.0.0.1:9 connection refused)";
        assert_eq!(error.without_url().to_string(), told);
        assert_eq!(error.to_string(), format!("http://h:1/health: {told}"));
        assert_eq!(error.source().expect("a source").to_string(), "why");
    }

    #[test]
    fn an_unusable_url_is_an_error_of_its_own_kind() {
        let error = ProbeError::from(Target::parse("ftp://h/", None).expect_err("no http"));
        assert_eq!(error.kind(), ProbeFailure::InvalidUrl);
        assert_eq!(error.url(), "ftp://h/");
        assert!(error.to_string().starts_with("scheme `ftp` of `ftp://h/` is not supported, only http://"), "{error}");

        let error = ProbeError::from(Target::parse("nonsense", None).expect_err("no URL"));
        assert_eq!(error.to_string(), "cannot use `nonsense` as a URL");
        assert_eq!(error.source().expect("a source").to_string(), "it has no scheme, such as http://");
    }
}
