use std::{fmt, time::Duration};

/// A duration as a person would write it: `40 ms`, `1.3 s`.
pub(crate) struct Readable(pub(crate) Duration);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), (self.0.subsec_nanos() + 500_000) / 1_000_000);
        match (seconds, millis) {
            (0, ..1_000) => write!(f, "{millis} ms"),
            (_, 0) => write!(f, "{seconds} s"),
            (_, 1_000) => write!(f, "{} s", seconds.saturating_add(1)),
            _ => write!(f, "{:.1} s", self.0.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Readable;

    #[test]
    fn durations_read_like_a_person_writes_them() {
        let shown = |millis| Readable(Duration::from_millis(millis)).to_string();
        assert_eq!(shown(999), "999 ms");
        assert_eq!(shown(1_340), "1.3 s");
        assert_eq!(shown(60_000), "60 s");
        let just_below = |seconds| Readable(Duration::from_secs(seconds) - Duration::from_micros(3)).to_string();
        assert_eq!([just_below(1), just_below(60)], ["1 s", "60 s"], "what is left of a time that was given");
    }
}
