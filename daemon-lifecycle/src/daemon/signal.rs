use std::fmt;

/// A signal for a [`Daemon`](crate::Daemon).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// `SIGHUP`: by custom, read the configuration again.
    Hangup,
    /// `SIGINT`: what Ctrl-C sends.
    Interrupt,
    /// `SIGQUIT`: end with a core dump.
    Quit,
    /// `SIGTERM`: please end.
    Terminate,
    /// `SIGKILL`: end, without being asked.
    Kill,
    /// `SIGUSR1`.
    User1,
    /// `SIGUSR2`.
    User2,
    /// `SIGSTOP`: freeze, until [`Continue`](Self::Continue).
    Stop,
    /// `SIGCONT`: go on.
    Continue,
}

impl Signal {
    pub(crate) fn to_rustix(self) -> rustix::process::Signal {
        use rustix::process::Signal as Native;
        match self {
            Self::Hangup => Native::HUP,
            Self::Interrupt => Native::INT,
            Self::Quit => Native::QUIT,
            Self::Terminate => Native::TERM,
            Self::Kill => Native::KILL,
            Self::User1 => Native::USR1,
            Self::User2 => Native::USR2,
            Self::Stop => Native::STOP,
            Self::Continue => Native::CONT,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Terminate => "SIGTERM",
            Self::Kill => "SIGKILL",
            Self::User1 => "SIGUSR1",
            Self::User2 => "SIGUSR2",
            Self::Stop => "SIGSTOP",
            Self::Continue => "SIGCONT",
        })
    }
}
