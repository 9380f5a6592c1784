//! One question to one daemon.

mod answer;
mod classify;
#[cfg(all(feature = "daemon", unix))]
mod command;
mod connection;
mod dial;
mod document;
mod error;
mod exchange;
mod failure;
mod identity;
mod resolve;
mod retry_after;
#[cfg(all(feature = "daemon", unix))]
mod session;
mod target;
#[cfg(feature = "rustls")]
mod tls;

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

#[cfg(all(feature = "daemon", unix))]
use self::command::CommandLine;
#[cfg(all(feature = "daemon", unix))]
pub(crate) use self::session::Session;
#[cfg(feature = "rustls")]
pub use self::tls::{Tls, TlsError};
pub use self::{
    answer::Answer,
    error::{AddressFailure, ProbeError},
    failure::ProbeFailure,
    target::UrlError,
};
use self::{
    exchange::{Kept, Question, Trust},
    identity::Expected,
    resolve::Admits,
    target::Target,
};
pub(crate) use self::{identity::ExpectedPid, target::shown};
use crate::clock::TimeLimit;

/// How long one probe may take where nothing else is said.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks once whether the daemon at `url` is healthy.
///
/// `path` replaces the path of `url`; with `None` the URL's own path is asked, or `/health` where it has none.
/// `timeout` bounds the whole exchange, from name resolution to the end of the body (`None` = 2 s). Which URLs there
/// are, and what healthy means, [`Probe`] says.
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
    let probe = Probe::of(Asks::Url(Target::parse(url, path)?), shown(url));
    probe.ask_within(timeout.unwrap_or(DEFAULT_TIMEOUT)).await.map(drop)
}

/// A question that can be asked of a daemon, any number of times.
///
/// | form | healthy is |
/// |---|---|
/// | `http://host:port/path` | any 2xx, unless `application/health+json` in the answer says `fail` |
/// | `https://host:port/path` | the same; feature `rustls` |
/// | `http+unix://%2Frun%2Fx.sock/path` | the same, over the Unix socket whose percent-encoded path stands for the host |
/// | `tcp://host:port` | somebody takes the connection: who listens need not be ready |
/// | `unix:///run/x.sock` | somebody takes the connection |
/// | `Probe::command`, `Probe::shell` | exit code 0; feature `daemon`, Unix only. No URL means a command, whoever wrote it |
///
/// Without a path, HTTP means `/health`. Every address of a host is tried. Redirects are not followed, proxies from the
/// environment are not used, at most 64 KiB of a body are read, and each probe makes a connection of its own (only
/// `Liveness` keeps it). A user name and password in the URL are sent as basic authorization and shown nowhere.
///
/// ```no_run
/// use daemon_lifecycle::{Probe, ProbeFailure};
///
/// # async fn doubt(told: &str) -> Result<(), daemon_lifecycle::UrlError> {
/// // Told by somebody who is not trusted.
/// let probe = Probe::new(told)?.only_to(|address| address.is_loopback());
/// match probe.ask().await {
///     Ok(answer) => println!("healthy: {:?}", answer.status),
///     Err(error) if error.kind() == ProbeFailure::NotAdmitted => println!("not on this machine: {error}"),
///     Err(error) => println!("{error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent before `ask`"]
pub struct Probe {
    asks: Asks,
    given: String,
    timeout: Duration,
    admits: Option<Arc<Admits>>,
    expected: Expected,
    trust: Trust,
}

#[derive(Clone)]
enum Asks {
    Url(Target),
    #[cfg(all(feature = "daemon", unix))]
    Command(CommandLine),
}

impl Probe {
    /// A probe of a URL that takes at most 2 s. Nothing is sent yet.
    ///
    /// # Errors
    /// If the URL cannot be probed at all.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        Ok(Self::of(Asks::Url(Target::parse(url, None)?), shown(url)))
    }

    /// A probe that runs a program, looked up in `PATH` unless it contains a `/`, and goes by its exit code.
    ///
    /// The program runs where this process does, with its environment (less what systemd means for this process alone)
    /// and without input, in a process group of its own. What is left of the group when the program has ended or its
    /// time is up is killed. The last line it wrote goes into the error.
    #[cfg(all(feature = "daemon", unix))]
    pub fn command<A: Into<std::ffi::OsString>>(
        program: impl Into<std::ffi::OsString>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self::of_command(CommandLine::new(program.into(), args))
    }

    /// A [`command`](Self::command) of `sh`, which runs `line`.
    #[cfg(all(feature = "daemon", unix))]
    pub fn shell(line: &str) -> Self {
        Self::of_command(CommandLine::of_shell(line))
    }

    #[cfg(all(feature = "daemon", unix))]
    fn of_command(command: CommandLine) -> Self {
        let given = command.to_string();
        Self::of(Asks::Command(command), given)
    }

    fn of(asks: Asks, given: String) -> Self {
        Self {
            asks,
            given,
            timeout: DEFAULT_TIMEOUT,
            admits: None,
            expected: Expected::default(),
            trust: Trust::default(),
        }
    }

    /// Bounds the whole exchange, from name resolution to the end of the body.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Connects to none but the addresses for which `admits` says yes. A name is resolved once: the very addresses that
    /// were admitted are connected to, whatever the name leads to a moment later. IPv4 in an IPv6 wrapping is unwrapped
    /// before it is asked for. What has no address, a Unix socket or a command, is not admitted.
    pub fn only_to(self, admits: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self { admits: Some(Arc::new(admits)), ..self }
    }

    /// Whom to trust over `https://`; by default, whom the operating system trusts.
    #[cfg(feature = "rustls")]
    pub fn tls(self, tls: Tls) -> Self {
        Self { trust: Trust { tls: Some(tls) }, ..self }
    }

    /// Takes no answer but that of one run of the daemon, by the `instance_id` in its JSON answer, for the daemon's:
    /// another is [`ProbeFailure::WrongIdentity`], and so is a healthy answer that does not say whose it is.
    pub fn expect_instance(mut self, instance_id: impl Into<String>) -> Self {
        self.expected.instance_id = Some(instance_id.into());
        self
    }

    /// As [`expect_instance`](Self::expect_instance), by the `pid` in the answer. A daemon in a container knows itself by
    /// another number than the one it has outside.
    pub fn expect_pid(self, pid: u32) -> Self {
        self.expecting(ExpectedPid::Is(pid))
    }

    pub(crate) fn expecting(mut self, pid: ExpectedPid) -> Self {
        self.expected.pid = Some(pid);
        self
    }

    /// What will be asked: the URL without credentials, or the command.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.asks {
            Asks::Url(target) => target.to_string(),
            #[cfg(all(feature = "daemon", unix))]
            Asks::Command(command) => command.to_string(),
        }
    }

    /// What this was made from: the text as it was given, without credentials, where [`url`](Self::url) has a path for
    /// those without one.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// Whether the URL holds a user name or a password, which would be sent.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        match &self.asks {
            Asks::Url(target) => target.has_credentials(),
            #[cfg(all(feature = "daemon", unix))]
            Asks::Command(_) => false,
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// What stood in the way; [`ProbeFailure::NotAdmitted`] if no address was admitted, in which case none was connected
    /// to.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection or kills the command; nothing else is left behind.
    pub async fn ask(&self) -> Result<Answer, ProbeError> {
        self.ask_within(self.timeout).await
    }

    pub(crate) async fn ask_within(&self, timeout: Duration) -> Result<Answer, ProbeError> {
        self.ask_over(None, timeout).await
    }

    async fn ask_over(&self, kept: Option<&mut Kept>, timeout: Duration) -> Result<Answer, ProbeError> {
        let outcome = match &self.asks {
            Asks::Url(target) => {
                let question = Question { target, admits: self.admits.as_deref(), trust: &self.trust };
                question.ask(TimeLimit::of(timeout), kept).await
            }
            #[cfg(all(feature = "daemon", unix))]
            Asks::Command(command) if self.admits.is_some() => {
                Err(ProbeError::new(command, ProbeFailure::NotAdmitted)
                    .with_detail("a command has no address".to_owned()))
            }
            #[cfg(all(feature = "daemon", unix))]
            Asks::Command(command) => command.run(timeout).await,
        };
        self.expected.check(&self.url(), outcome)
    }

    pub(crate) fn given_timeout(&self) -> Duration {
        self.timeout
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("url", &self.url())
            .field("timeout", &self.timeout)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}
