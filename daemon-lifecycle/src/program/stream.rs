use std::{
    fmt,
    io::{self, ErrorKind, Write},
};

use super::{Failed, exit};

/// Says something to a person, on standard error. Whether anyone reads it is none of our business: the exit code says it
/// all.
pub fn say(message: fmt::Arguments<'_>) {
    writeln!(io::stderr(), "{message}").ok();
}

/// Writes data on standard output, as it is.
///
/// # Errors
///
/// If it cannot be written, other than since nobody reads it any more: whoever read has seen enough.
pub fn put(data: impl AsRef<[u8]>) -> Result<(), Failed> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(data.as_ref()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| {
            let message = format!("cannot write to standard output: {error}");
            Failed { message, code: exit::FAILED }
        }),
    }
}

/// What others wrote, who must not get to speak to the terminal.
#[must_use]
pub fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn nothing_that_others_wrote_is_an_escape() {
        assert_eq!(harmless("\u{1b}[2Jgone\nä"), "\\u{1b}[2Jgone\nä");
    }
}
