//! Signals by name.

use std::fmt;
use std::str::FromStr;

use rustix::process::{self, Pid};

/// A signal that can be passed on to a command, or that ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signal(process::Signal);

const NAMES: [(&str, process::Signal); 15] = [
    ("HUP", process::Signal::HUP),
    ("INT", process::Signal::INT),
    ("QUIT", process::Signal::QUIT),
    ("ILL", process::Signal::ILL),
    ("ABRT", process::Signal::ABORT),
    ("BUS", process::Signal::BUS),
    ("FPE", process::Signal::FPE),
    ("KILL", process::Signal::KILL),
    ("USR1", process::Signal::USR1),
    ("SEGV", process::Signal::SEGV),
    ("USR2", process::Signal::USR2),
    ("PIPE", process::Signal::PIPE),
    ("ALRM", process::Signal::ALARM),
    ("TERM", process::Signal::TERM),
    ("WINCH", process::Signal::WINCH),
];

impl Signal {
    pub(super) const HUP: Self = Self(process::Signal::HUP);
    pub(super) const INT: Self = Self(process::Signal::INT);
    pub(super) const QUIT: Self = Self(process::Signal::QUIT);
    pub(super) const ABRT: Self = Self(process::Signal::ABORT);
    pub(super) const KILL: Self = Self(process::Signal::KILL);
    pub(super) const USR1: Self = Self(process::Signal::USR1);
    pub(super) const USR2: Self = Self(process::Signal::USR2);
    pub(super) const TERM: Self = Self(process::Signal::TERM);
    pub(super) const WINCH: Self = Self(process::Signal::WINCH);

    pub(super) fn number(self) -> i32 {
        self.0.as_raw()
    }

    pub(super) fn from_number(number: i32) -> Option<Self> {
        NAMES.iter().find(|(_, signal)| signal.as_raw() == number).map(|(_, signal)| Self(*signal))
    }

    /// Whether it is what people and programs end a program with.
    pub(super) fn asks_to_end(self) -> bool {
        [Self::HUP, Self::INT, Self::QUIT, Self::TERM].contains(&self)
    }

    /// Sends it to a process that has not been waited for yet, so that its number is no other's.
    pub(super) fn send(self, pid: u32) {
        let pid = i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = process::kill_process(pid, self.0)
        {
            tracing::warn!(signal = %self, %error, "cannot signal the command");
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, signal)| *signal == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0.as_raw()),
        }
    }
}

impl FromStr for Signal {
    type Err = String;

    /// By name, with or without `SIG`.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("SIG").unwrap_or(text);
        let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, signal)| Self(*signal));
        known.ok_or_else(|| "a name such as TERM, INT or USR1 is expected".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_go_by_their_names() {
        assert_eq!("TERM".parse(), Ok(Signal::TERM));
        assert_eq!("SIGUSR1".parse(), Ok(Signal::USR1));
        assert!("term".parse::<Signal>().is_err() && "15".parse::<Signal>().is_err());
        assert_eq!(Signal::from_number(9).map(|signal| signal.to_string()).as_deref(), Some("SIGKILL"));
    }
}
