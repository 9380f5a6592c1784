use std::{fmt, time::Duration};

/// A duration as a person would write it: `40 ms`, `1.3 s`.
pub(crate) struct Readable(pub(crate) Duration);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            return write!(f, "{} ms", self.0.as_millis());
        }
        if self.0.subsec_nanos() == 0 {
            return write!(f, "{} s", self.0.as_secs());
        }
        write!(f, "{:.1} s", self.0.as_secs_f64())
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
    }
}
