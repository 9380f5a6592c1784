//! Work that leaves the processor to others.

use std::time::Duration;

/// Keeps work to a share of one processor: after each piece of work it tells how long to rest.
#[derive(Clone, Copy, Debug)]
pub struct ProcessorShare {
    rest_per_work: u32,
    least_rest: Duration,
}

impl ProcessorShare {
    /// At most one part in `parts` of a processor, and at least a short rest after every piece of work.
    ///
    /// # Panics
    /// If `parts` is zero.
    #[must_use]
    pub fn one_in(parts: u32, least_rest: Duration) -> Self {
        assert!(parts > 0, "a share of the processor has at least one part");
        Self { rest_per_work: parts - 1, least_rest }
    }

    /// The rest due after work that took so long.
    #[must_use]
    pub fn rest_after(self, worked: Duration) -> Duration {
        (worked * self.rest_per_work).max(self.least_rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_rests_three_times_as_long_as_it_works() {
        let share = ProcessorShare::one_in(4, Duration::from_millis(10));
        assert_eq!(share.rest_after(Duration::from_millis(100)), Duration::from_millis(300));
        assert_eq!(share.rest_after(Duration::from_millis(1)), Duration::from_millis(10));
    }
}
