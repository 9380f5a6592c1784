//! Colours, for terminals only.

use std::io::IsTerminal;

use heartbeat_contract::HealthState;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Bold,
    Dim,
    Green,
    Yellow,
    Magenta,
    Red,
    Cyan,
}

/// Whether to paint.
#[derive(Clone, Copy, Debug)]
pub(super) enum Paint {
    On,
    Off,
}

impl Paint {
    /// On a terminal, unless `NO_COLOR` is set.
    pub(super) fn for_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !refused { Self::On } else { Self::Off }
    }

    pub(super) fn paint(self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Plain => return text.to_owned(),
            Colour::Bold => 1,
            Colour::Dim => 2,
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Magenta => 35,
            Colour::Cyan => 36,
        };
        match self {
            Self::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Off => text.to_owned(),
        }
    }
}

impl From<HealthState> for Colour {
    fn from(state: HealthState) -> Self {
        match state {
            HealthState::Healthy => Self::Green,
            HealthState::Degraded => Self::Yellow,
            HealthState::Critical => Self::Magenta,
            HealthState::Failed => Self::Red,
            HealthState::Left => Self::Cyan,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_leaves_the_text_alone() {
        assert_eq!(Paint::Off.paint(Colour::Red, "failed"), "failed");
        assert_eq!(Paint::On.paint(Colour::Red, "failed"), "\u{1b}[31mfailed\u{1b}[0m");
    }
}
