use std::{error::Error, process::ExitCode};

use super::{exit, harmless, say};

/// Why a binary ends before it has done what it was asked to, and with which exit code.
#[derive(Debug)]
pub struct Failed {
    /// Empty where whoever ended it knows why.
    pub message: String,
    /// One of [`exit`].
    pub code: u8,
}

impl Failed {
    /// For this error and all that caused it.
    pub fn new(error: &dyn Error, code: u8) -> Self {
        Self { message: with_causes(error), code }
    }

    /// For arguments that make no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: exit::USAGE }
    }

    /// Says it on standard error, after who says it; returns what to exit with.
    #[must_use]
    pub fn tell(&self, speaker: &str) -> ExitCode {
        if !self.message.is_empty() {
            say(format_args!("{speaker}: {}", harmless(&self.message)));
        }
        ExitCode::from(self.code)
    }
}

/// An error and all that caused it, which messages of one level leave out.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{error::Error, fmt};

    use super::{Failed, exit};

    #[derive(Debug)]
    struct Level(u8);

    impl fmt::Display for Level {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "level {}", self.0)
        }
    }

    impl Error for Level {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            [None, Some(&Self(0)), Some(&Self(1))][usize::from(self.0)].map(|cause: &Self| cause as _)
        }
    }

    #[test]
    fn every_cause_is_told() {
        let Failed { message, code } = Failed::new(&Level(2), exit::FAILED);
        assert_eq!((message.as_str(), code), ("level 2: level 1: level 0", 1));
    }
}
