use std::fmt;

/// How a probe failed: what an operator would look at next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProbeFailure {
    /// The URL cannot be probed; nothing was sent.
    InvalidUrl,
    /// The host name did not resolve, or not in time.
    Dns,
    /// No address of the host may be connected to: see [`Probe::only_to`](super::Probe::only_to). The detail names them;
    /// nothing was sent.
    NotAdmitted,
    /// The host answered that nothing listens on the port; or nobody listens at the path of the socket.
    Refused,
    /// No route to the host, a firewall said no, or the socket's permissions did.
    Unreachable,
    /// Nobody took the connection in time: the host is down, or packets are dropped.
    ConnectTimeout,
    /// The connection stands, but TLS could not be agreed on; the root cause says why.
    Tls,
    /// The server proved to be somebody, but not the host of the URL: its certificate is for other names.
    TlsName,
    /// The connection was closed before the whole answer had come.
    Reset,
    /// The connection was taken, but no whole answer came in time; or a command did not end in time: the process hangs
    /// or is overloaded.
    Timeout,
    /// The answer was not HTTP.
    Protocol,
    /// A 3xx answer, which is never followed: probably not the endpoint that was meant.
    Redirect(u16),
    /// A whole answer with any other status outside 2xx.
    Status(u16),
    /// The status was 2xx, but the `application/health+json` in the answer says `fail`.
    NotReady,
    /// A healthy answer, but from another process than the expected one.
    WrongIdentity,
    /// The command ended with this code; `None` = by a signal.
    Exit(Option<i32>),
    /// The command could not be started; waiting will not mend it.
    CannotRun,
    /// None of the above; the `source()` of the error says more.
    Other,
}

impl ProbeFailure {
    /// A word for machines, such as `connect_timeout`; of statuses without the number.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidUrl => "invalid_url",
            Self::Dns => "dns",
            Self::NotAdmitted => "not_admitted",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::TlsName => "tls_name",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Redirect(_) => "redirect",
            Self::Status(_) => "status",
            Self::NotReady => "not_ready",
            Self::WrongIdentity => "wrong_identity",
            Self::Exit(_) => "exit",
            Self::CannotRun => "cannot_run",
            Self::Other => "other",
        }
    }

    /// What might be amiss, where the failure speaks against the question rather than against the daemon.
    #[must_use]
    pub fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Status(401 | 403) => "wrong endpoint, or credentials missing? health endpoints ask for none",
            Self::Status(404 | 405 | 410) => "wrong endpoint? a url without a path means /health",
            Self::Redirect(_) => "wrong endpoint? redirects are not followed",
            Self::Protocol => "wrong port, or https:// meant?",
            Self::TlsName => "wrong host in the url? else expect the name that the certificate is for",
            Self::WrongIdentity => "does an older daemon still hold the port?",
            _ => return None,
        })
    }

    /// Whether there was nobody to talk to.
    #[must_use]
    pub fn is_unreachable(self) -> bool {
        matches!(self, Self::Dns | Self::Refused | Self::Unreachable | Self::ConnectTimeout)
    }
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
            Self::TlsName => f.write_str("tls certificate is for another name"),
            Self::Reset => f.write_str("connection closed early"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Protocol => f.write_str("answer is not http"),
            Self::Redirect(status) => write!(f, "redirect {status}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::NotReady => f.write_str("not ready"),
            Self::WrongIdentity => f.write_str("answered by another process"),
            Self::Exit(Some(code)) => write!(f, "exit code {code}"),
            Self::Exit(None) => f.write_str("ended by a signal"),
            Self::CannotRun => f.write_str("command cannot be run"),
            Self::Other => f.write_str("request failed"),
        }
    }
}
