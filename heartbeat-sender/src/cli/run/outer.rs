//! Whoever waits for the command beyond this wrapper.

use std::time::Duration;

use daemon_lifecycle::{Notification, Notifier};

/// Systemd, or a supervisor that has started this wrapper and given it a NOTIFY_SOCKET: it hears what the command tells, as
/// if there were no wrapper. Nobody, where there is none.
pub(super) struct Outer(Option<Notifier>);

impl Outer {
    pub(super) fn of_this_process() -> Self {
        Self(Notifier::from_env().unwrap_or_else(|error| {
            tracing::error!(%error, "what the command tells is not passed on");
            None
        }))
    }

    /// How often it wants to hear that the command is alive, if at all.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.0.as_ref().and_then(Notifier::watchdog)
    }

    /// What the command has told, but for what is about this very socket.
    pub(super) fn pass_on(&self, message: &Notification) {
        let is_told = |key: &str| !(key == "BARRIER" || key == "MAINPID" || key.starts_with("FD"));
        let lines = message.fields().filter(|(key, _)| is_told(key)).map(|(key, value)| format!("{key}={value}"));
        self.tell(&lines.collect::<Vec<_>>());
    }

    pub(super) fn ready(&self) {
        self.tell(&["READY=1".to_owned()]);
    }

    fn tell(&self, lines: &[String]) {
        if let Some(notifier) = self.0.as_ref().filter(|_| !lines.is_empty())
            && let Err(error) = notifier.send(lines)
        {
            tracing::info!(%error, "what the command tells is not passed on");
        }
    }
}
