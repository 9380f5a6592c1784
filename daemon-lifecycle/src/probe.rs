//! One question to one daemon.

mod admit;
mod classify;
mod error;
mod exchange;
mod target;

use std::{fmt, net::IpAddr, time::Duration};

pub(crate) use self::target::{Target, shown};
use self::{admit::Admits, exchange::exchange};
pub use self::{
    error::{ProbeError, ProbeFailure},
    target::UrlError,
};

/// How long one probe may take where nothing else is said.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks once whether the daemon at `url` is healthy, which is any 2xx answer.
///
/// `path` replaces the path of `url`; with `None` the URL's own path is asked, or `/health` where it has none.
/// `timeout` bounds the whole exchange, from name resolution to the end of the body (`None` = 2 s).
///
/// Every address of the host is tried. Redirects are not followed, proxies from the environment are not used, at
/// most 64 KiB of the body are read, and each probe makes a connection of its own.
///
/// # Errors
///
/// [`ProbeError`], whose [`kind`](ProbeError::kind) says what stood in the way.
///
/// # Cancel safety
///
/// Dropping the future closes the connection; nothing else is left behind.
///
/// # Examples
///
/// ```no_run
/// use daemon_lifecycle::{ProbeFailure, is_daemon_healthy};
///
/// # async fn doubt() {
/// match is_daemon_healthy("http://127.0.0.1:8500", Some("/livez"), None).await {
///     Ok(()) => println!("alive"),
///     Err(error) if error.kind() == ProbeFailure::Refused => println!("not running"),
///     Err(error) => println!("{error}"),
/// }
/// # }
/// ```
pub async fn is_daemon_healthy(url: &str, path: Option<&str>, timeout: Option<Duration>) -> Result<(), ProbeError> {
    let target = Target::parse(url, path)?;
    probe(&target, timeout.unwrap_or(DEFAULT_TIMEOUT)).await
}

pub(crate) async fn probe(target: &Target, timeout: Duration) -> Result<(), ProbeError> {
    exchange(target, timeout, None).await.map(drop)
}

/// The same question as [`is_daemon_healthy`], for those who were told the URL by somebody they do not trust.
///
/// ```no_run
/// use daemon_lifecycle::{Probe, ProbeFailure};
///
/// # async fn doubt(told: &str) -> Result<(), daemon_lifecycle::UrlError> {
/// let probe = Probe::new(told)?.only_to(|address| address.is_loopback());
/// match probe.ask().await {
///     Ok(status) => println!("healthy: {status}"),
///     Err(error) if error.kind() == ProbeFailure::NotAdmitted => println!("not on this machine: {error}"),
///     Err(error) => println!("{error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent before `ask`"]
pub struct Probe {
    target: Target,
    timeout: Duration,
    admits: Option<Box<Admits>>,
}

impl Probe {
    /// A probe of a URL, at `/health` if it has no path, that takes at most 2 s. Nothing is sent yet.
    ///
    /// # Errors
    /// If the URL cannot be probed at all.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        Ok(Self { target: Target::parse(url, None)?, timeout: DEFAULT_TIMEOUT, admits: None })
    }

    /// Bounds the whole exchange, from name resolution to the end of the body.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Connects to none but the addresses for which `admits` says yes. A name is resolved once: the very addresses that
    /// were admitted are connected to, whatever the name leads to a moment later. IPv4 in an IPv6 wrapping is unwrapped
    /// before it is asked for.
    pub fn only_to(self, admits: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self { admits: Some(Box::new(admits)), ..self }
    }

    /// What will be asked, without credentials.
    #[must_use]
    pub fn url(&self) -> String {
        self.target.to_string()
    }

    /// Whether the URL holds a user name or a password, which would be sent.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.target.has_credentials()
    }

    /// Asks once; returns the status of the answer, which is any of 2xx.
    ///
    /// # Errors
    /// What stood in the way; [`ProbeFailure::NotAdmitted`] if no address was admitted, in which case none was connected
    /// to.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; nothing else is left behind.
    pub async fn ask(&self) -> Result<u16, ProbeError> {
        exchange(&self.target, self.timeout, self.admits.as_deref()).await
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("url", &self.url()).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
